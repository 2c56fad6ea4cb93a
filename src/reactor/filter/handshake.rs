//! Handshakes of filters: the first one, before there is a protocol, and those of filters that are added later.

use crate::api::filter::Added;
use crate::api::stream::given_up;
use crate::reactor::call::Once;
use crate::reactor::chain::{Chain, Origin};
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::listener::{FactoryOf, Refusal};
use crate::source::table::Source;
use crate::sys::StreamSocket;
use crate::sys::error::failed_plainly;
use crate::values::address::Address;
use crate::values::filter::FilterOptions;
use crate::values::id::Id;
use crate::values::journal::Callback;
use crate::values::logging::TCP;
use crate::values::options::ConnectionOptions;
use crate::values::reason::Reason;
use log::debug;
use std::io;
use std::mem;

impl Dispatcher {
    /// Begins the handshake of an accepted connection.
    pub(in crate::reactor) fn accept_filtered(
        &mut self,
        listener: Id,
        socket: StreamSocket,
        peer: Address,
        options: ConnectionOptions,
        filters: &FilterOptions,
    ) {
        if let Err(refusal) = self.accepts(listener, &peer) {
            return refusal.apply(listener, &peer, &socket);
        }
        if let Some(id) = self.register_accepted(listener, socket, &peer, options) {
            self.begin_filters(id, filters, Origin::Listener(listener));
        }
    }

    /// Begins the handshake of an outgoing connection.
    pub(in crate::reactor) fn connect_filtered(
        &mut self,
        id: Id,
        peer: &Address,
        filters: &FilterOptions,
    ) {
        match self.accepts(id, peer) {
            Ok(()) => self.begin_filters(id, filters, Origin::Connector),
            Err(refusal) => self.refuse(id, id, peer, refusal),
        }
    }

    /// Asks a factory whether it accepts a peer, before the handshake.
    fn accepts(&mut self, owner: Id, peer: &Address) -> Result<(), Refusal> {
        match self.call(FactoryOf(owner), Callback::Accepts, |factory, _| factory.accepts(peer)) {
            Some(true) => Ok(()),
            Some(false) => Err(Refusal::Refused),
            None => Err(Refusal::Panicked),
        }
    }

    /// Makes the filters of a connection.
    pub(in crate::reactor) fn begin_filters(
        &mut self,
        id: Id,
        filters: &FilterOptions,
        origin: Origin,
    ) {
        self.owners.filters.insert(id, Chain::new(origin));
        self.owners.handshakes.begin(origin, id);
        for make in filters.makers() {
            let made = self.call(Once::new("a factory of filters"), Callback::Call, |_, _| make());
            match (made, self.owners.filters.get_mut(&id)) {
                (Some(filter), Some(chain)) => chain.push(filter, Vec::new()),
                _ => return self.context.end_of_panic(id),
            }
        }
        self.context.enqueue(id);
    }

    /// Puts an added filter above the others.
    pub(in crate::reactor) fn add_filter(&mut self, id: Id, added: Added) {
        let Added { filter, mut received, before } = added;
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return self.drop_filter(filter);
        };
        if let Some(filtered) = stream.filtered_mut() {
            filtered.adding -= 1;
        }
        let mut plaintext = Vec::new();
        while plaintext.len() < before {
            let mut piece = Vec::new();
            self.context.copy_plaintext(id, &mut piece);
            piece.truncate(before - plaintext.len());
            if piece.is_empty() {
                break; // The connection has ended.
            }
            self.context.advance_plaintext(id, piece.len());
            plaintext.append(&mut piece);
        }
        let chain = self.owners.filters.entry(id).or_insert_with(|| Chain::new(Origin::Made));
        received.append(&mut chain.plain);
        if let Some(below) = chain.layers.last_mut() {
            below.output.back().append(&mut plaintext);
        }
        chain.push(filter, received);
        self.note_between(id);
        self.context.enqueue(id);
    }

    /// Ends a handshake: all filters are established. After the first one the protocol is built.
    pub(super) fn end_handshake(&mut self, id: Id) {
        self.context.end_handshake(id);
        let Some(chain) = self.owners.filters.get_mut(&id) else {
            return;
        };
        let origin = mem::replace(&mut chain.origin, Origin::Made);
        self.owners.handshakes.end(origin, id);
        let Some(peer) = self.context.peer_of(id) else {
            return;
        };
        match origin {
            Origin::Made => debug!(target: TCP, "{id} handshake complete"),
            Origin::Connector => self.make_connected(id, &peer),
            Origin::Listener(listener) => {
                match self.build(listener, &peer) {
                    Ok(protocol) => self.make_connection(id, protocol, &peer),
                    Err(refusal) => self.refuse(id, listener, &peer, refusal),
                }
                self.free_if_closed(listener);
            }
        }
    }

    /// Frees a closed source. A listener's factory is kept while connections of the listener are in a handshake,
    /// since it receives the outcome.
    pub(in crate::reactor) fn free_if_closed(&mut self, id: Id) {
        if matches!(self.context.sources.get(id), Some(Source::Gone))
            && !self.owners.handshakes.has_any(id)
        {
            self.free(id);
        }
    }

    /// Notifies the factory that a connection has ended for `reason` in the first handshake.
    pub(in crate::reactor) fn notify_handshake_failed(&mut self, id: Id, reason: Reason) {
        let origin = self.owners.filters.get(&id).map_or(Origin::Made, |chain| chain.origin);
        let Some(peer) = self.context.peer_of(id) else {
            return;
        };
        let error = failed_plainly("complete the handshake with", peer.to_string(), cause(reason));
        debug!(target: TCP, "{id} {error}");
        match origin {
            Origin::Listener(listener) => {
                self.call(FactoryOf(listener), Callback::HandshakeFailed, |factory, context| {
                    factory.handshake_failed(context, &peer, error);
                });
                self.free(id);
                self.free_if_closed(listener);
            }
            Origin::Connector | Origin::Made => self.notify_failed(id, error),
        }
    }
}

/// Returns the cause of the failure of a handshake that ended for `reason`.
fn cause(reason: Reason) -> io::Error {
    let kind = match reason {
        Reason::Failed(error) => return error,
        Reason::Reset => io::ErrorKind::ConnectionReset,
        Reason::TimedOut => io::ErrorKind::TimedOut,
        Reason::Truncated => io::ErrorKind::UnexpectedEof,
        Reason::Panicked | Reason::Stopped | Reason::WriteLimit => io::ErrorKind::Other,
        Reason::Aborted
        | Reason::Closed
        | Reason::CloseTimeout
        | Reason::ClosedByPeer
        | Reason::Detached => return given_up(),
    };
    io::Error::new(kind, reason.to_string())
}
