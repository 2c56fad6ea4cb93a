//! Accepted connections.

use crate::api::close::reset_on_close;
use crate::api::protocol::Protocol;
use crate::reactor::callback::Callback;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::guard::{guarded, name_of};
use crate::reactor::owners::Owner;
use crate::source::listener::{ACCEPTS, Accepted};
use crate::source::stream::Stream;
use crate::source::table::Source;
use crate::sys::StreamSocket;
use crate::values::address::Address;
use crate::values::id::Id;
use crate::values::logging::TCP;
use crate::values::options::ConnectionOptions;
use log::{debug, info, warn};

/// What a factory has made of a connection.
pub(super) enum Built {
    Panicked,
    Protocol(Box<dyn Protocol>),
    Refused,
}

impl Dispatcher {
    /// Accepts until nobody waits or the budget is spent.
    pub(super) fn serve_listener(&mut self, id: Id) {
        let mut aborted = None;
        for _ in 0..ACCEPTS {
            let Some(Source::Listener(listener)) = self.context.sources.get_mut(id) else {
                return;
            };
            match listener.accept() {
                Accepted::Connection(socket, peer) => {
                    aborted = None;
                    let options = listener.connections;
                    self.make_accepted_connection(id, socket, peer, options);
                    self.run_pending();
                }
                Accepted::Aborted(error) => {
                    debug!(target: TCP, "{id} a client was gone before it was accepted: {error}");
                    aborted = Some(error);
                }
                Accepted::WouldBlock => return,
                Accepted::Exhausted(error) => return self.context.begin_backoff(id, &error),
            }
        }
        match aborted {
            // Not one that was gone, but one that is refused before it is taken off the queue.
            Some(error) => self.context.begin_backoff(id, &error),
            None => self.context.enqueue(id),
        }
    }

    /// Has a protocol built for a connection that was accepted.
    pub(super) fn make_accepted_connection(
        &mut self,
        listener: Id,
        socket: StreamSocket,
        peer: Address,
        options: ConnectionOptions,
    ) {
        let protocol = match self.build(listener, &peer) {
            Built::Protocol(protocol) => protocol,
            Built::Panicked => return reset_on_close(listener, &socket),
            Built::Refused => return debug!(target: TCP, "{listener} refused {peer}"),
        };
        match self.context.adopt(socket, peer.clone(), options) {
            Ok(id) => self.make_connection(id, protocol, &peer),
            Err(error) => {
                warn!(target: TCP, "{listener} cannot take {peer} in: {error}");
                let who = name_of(|| protocol.type_name());
                self.drop_guarded(protocol, who);
            }
        }
    }

    pub(super) fn build(&mut self, owner: Id, peer: &Address) -> Built {
        let Some(Owner::Factory(factory)) = self.owners.get_mut(owner) else {
            return Built::Refused;
        };
        let built = guarded(|| factory.build(peer));
        let who = |dispatcher: &Self| dispatcher.name_of(owner);
        match self.outcome(Some(owner), who, "build", built) {
            Some(Some(protocol)) => Built::Protocol(protocol),
            Some(None) => Built::Refused,
            None => Built::Panicked,
        }
    }

    pub(super) fn make_connection(&mut self, id: Id, protocol: Box<dyn Protocol>, peer: &Address) {
        info!(target: TCP, "{id} {peer} connected");
        self.context.totals.made += 1;
        self.set_owner(id, Owner::Protocol(protocol));
        self.call(id, Callback::ConnectionMade);
        // A producer may have been registered before there was a connection.
        let wants_service = |stream: &Stream| stream.wants_read() || stream.wants_more();
        if self.context.sources.stream(id).is_some_and(wants_service) {
            self.context.enqueue(id);
        }
    }
}
