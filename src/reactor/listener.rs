//! Listeners: accepting within a budget, and callbacks of factories.

use crate::api::close::reset_on_close;
use crate::api::context::Context;
use crate::api::factory::Factory;
use crate::api::protocol::Protocol;
use crate::reactor::call::Callee;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::owners::{Owner, Owners};
use crate::reactor::stream::ProtocolOf;
use crate::source::listener::{ACCEPTS, Accepted};
use crate::source::stream::Stream;
use crate::source::table::Source;
use crate::sys::StreamSocket;
use crate::values::address::Address;
use crate::values::id::Id;
use crate::values::journal::{Callback, SystemCall};
use crate::values::logging::TCP;
use crate::values::options::ConnectionOptions;
use log::{debug, info, warn};

/// The factory of a listener or of a connection attempt.
#[derive(Clone, Copy)]
pub(super) struct FactoryOf(pub(super) Id);

impl Callee for FactoryOf {
    type Object = dyn Factory;
    type Face<'a> = &'a mut Context;

    fn id(&self) -> Option<Id> {
        Some(self.0)
    }

    fn find<'a>(&self, owners: &'a mut Owners) -> Option<&'a mut Self::Object> {
        match owners.get_mut(self.0)? {
            Owner::Factory(factory) => Some(factory.as_mut()),
            _ => None,
        }
    }

    fn type_name(&self, factory: &dyn Factory) -> &'static str {
        factory.type_name()
    }

    fn lend<'a>(&self, context: &'a mut Context) -> &'a mut Context {
        context
    }
}

/// Why a factory gives no protocol for a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The factory has refused the peer.
    Refused,
    /// The factory has panicked.
    Panicked,
}

impl Refusal {
    /// Prepares the closing of a refused connection. After a panic it is reset.
    pub(super) fn apply(self, owner: Id, peer: &Address, socket: &StreamSocket) {
        match self {
            Self::Refused => debug!(target: TCP, "{owner} refused {peer}"),
            Self::Panicked => reset_on_close(owner, socket),
        }
    }
}

impl Dispatcher {
    /// Accepts until no client is waiting or the budget is spent.
    pub(super) fn serve_listener(&mut self, id: Id) {
        let mut aborted = None;
        for _ in 0..ACCEPTS {
            let Context { sources, journal, .. } = &mut self.context;
            let Some(Source::Listener(listener)) = sources.get_mut(id) else {
                return;
            };
            if listener.is_full() {
                debug!(target: TCP, "{id} has {} connections; accepting is paused", listener.open);
                return;
            }
            let accepted = listener.accept();
            journal.system(id, SystemCall::Accept, accepted.outcome());
            match accepted {
                Accepted::Connection(socket, peer) => {
                    aborted = None;
                    let options = listener.connections.clone();
                    self.make_accepted_connection(id, socket, peer, options);
                    self.run_pending();
                }
                Accepted::Aborted(error) => {
                    debug!(target: TCP, "{id} connection aborted before accept: {error}");
                    aborted = Some(error);
                }
                Accepted::WouldBlock => return,
                Accepted::Exhausted(error) => return self.context.begin_backoff(id, &error),
            }
        }
        match aborted {
            // Not a client that has left, but a client that the system refuses and keeps in its queue.
            Some(error) => self.context.begin_backoff(id, &error),
            None => self.context.enqueue(id),
        }
    }

    /// Builds the protocol of an accepted connection, and makes the connection.
    pub(super) fn make_accepted_connection(
        &mut self,
        listener: Id,
        socket: StreamSocket,
        peer: Address,
        options: ConnectionOptions,
    ) {
        if let Some(filters) = options.filters().cloned() {
            return self.accept_filtered(listener, socket, peer, options, &filters);
        }
        let protocol = match self.build(listener, &peer) {
            Ok(protocol) => protocol,
            Err(refusal) => return refusal.apply(listener, &peer, &socket),
        };
        match self.register_accepted(listener, socket, &peer, options) {
            Some(id) => self.make_connection(id, protocol, &peer),
            None => self.drop_owner(Owner::Protocol(protocol)),
        }
    }

    /// Registers an accepted connection. Returns `None` and logs a warning if that fails.
    pub(super) fn register_accepted(
        &mut self,
        listener: Id,
        socket: StreamSocket,
        peer: &Address,
        options: ConnectionOptions,
    ) -> Option<Id> {
        let registered = self.context.register_connection(socket, peer.clone(), &options, false);
        if let Ok(id) = registered {
            self.context.join_listener(id, listener);
        }
        let warn = |error| warn!(target: TCP, "{listener} cannot register {peer}: {error}");
        registered.map_err(warn).ok()
    }

    /// Has a factory build a protocol.
    pub(super) fn build(
        &mut self,
        owner: Id,
        peer: &Address,
    ) -> Result<Box<dyn Protocol>, Refusal> {
        match self.call(FactoryOf(owner), Callback::Build, |factory, _| factory.build(peer)) {
            Some(protocol) => protocol.ok_or(Refusal::Refused),
            None => Err(Refusal::Panicked),
        }
    }

    /// Sets the protocol of a connection, and calls `connection_made`.
    pub(super) fn make_connection(&mut self, id: Id, protocol: Box<dyn Protocol>, peer: &Address) {
        info!(target: TCP, "{id} {peer} connected");
        self.context.totals.made += 1;
        self.context.journal.made(id, peer);
        self.context.note_established(id);
        self.set_owner(id, Owner::Protocol(protocol));
        self.call(ProtocolOf::new(id), Callback::ConnectionMade, |protocol, transport| {
            protocol.connection_made(transport);
        });
        // A producer may have been registered before there was a connection.
        let wants_service = |stream: &Stream| stream.wants_read() || stream.wants_more();
        if self.context.sources.stream(id).is_some_and(wants_service) {
            self.context.enqueue(id);
        }
    }
}
