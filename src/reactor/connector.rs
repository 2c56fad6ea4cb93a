//! Connection attempts: their outcomes, and callbacks of their factories.

use crate::api::close::reset_on_close;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::listener::{Built, FactoryOf};
use crate::source::table::Source;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::logging::TCP;
use log::debug;

impl Dispatcher {
    /// Handles the outcome of a connection attempt, if there is one.
    pub(super) fn serve_connector(&mut self, id: Id) {
        let Some(Source::Connector(connector)) = self.context.sources.get_mut(id) else {
            return;
        };
        match connector.outcome() {
            Ok(None) => {}
            Err(error) => self.context.connect_next(id, error),
            Ok(Some(peer)) => {
                self.context.establish(id, peer.clone());
                let built = self.build(id, &peer);
                self.remove_owner(id);
                match built {
                    Built::Protocol(protocol) => return self.make_connection(id, protocol, &peer),
                    Built::Panicked => {
                        if let Some(stream) = self.context.sources.stream(id) {
                            reset_on_close(id, &stream.socket);
                        }
                    }
                    Built::Refused => debug!(target: TCP, "{id} its own factory refused {peer}"),
                }
                self.end_producing(id);
                self.context.free(id);
            }
        }
    }

    /// Notifies a factory that its connection attempt has failed, then frees the slot.
    pub(super) fn notify_failed(&mut self, id: Id, error: Error) {
        self.end_producing(id);
        self.call(FactoryOf(id), "connection_failed", |factory, context| {
            factory.connection_failed(context, id, error);
        });
        self.free(id);
    }
}
