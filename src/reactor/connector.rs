//! Connection attempts: their outcomes, and callbacks of their factories.

use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::listener::{FactoryOf, Refusal};
use crate::values::address::Address;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::journal::Callback;

impl Dispatcher {
    /// Handles the outcome of a connection attempt, if there is one, or begins with the next address.
    pub(super) fn serve_connector(&mut self, id: Id) {
        let Some((winner, peer)) = self.context.winner(id) else {
            return;
        };
        let Some(options) = self.context.establish(id, winner, peer.clone()) else {
            return;
        };
        self.note_local_address(id);
        match options.filters() {
            Some(filters) => self.connect_filtered(id, &peer, filters),
            None => self.make_connected(id, &peer),
        }
    }

    /// Builds the protocol of a connection that an attempt has made, and makes the connection.
    pub(super) fn make_connected(&mut self, id: Id, peer: &Address) {
        let built = self.build(id, peer);
        self.remove_owner(id);
        match built {
            Ok(protocol) => self.make_connection(id, protocol, peer),
            Err(refusal) => self.refuse(id, id, peer, refusal),
        }
    }

    /// Closes a connection for which its factory, that of `owner`, gives no protocol.
    pub(super) fn refuse(&mut self, id: Id, owner: Id, peer: &Address, refusal: Refusal) {
        if let Some(stream) = self.context.sources.stream(id) {
            refusal.apply(owner, peer, &stream.socket);
        }
        self.end_producing(id);
        self.free(id);
    }

    /// Notifies a factory that its connection attempt has failed, then frees the slot.
    pub(super) fn notify_failed(&mut self, id: Id, error: Error) {
        self.end_producing(id);
        self.call(FactoryOf(id), Callback::ConnectionFailed, |factory, context| {
            factory.connection_failed(context, id, error);
        });
        self.free(id);
    }
}
