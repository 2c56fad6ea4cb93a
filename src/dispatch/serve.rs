//! Serving those that are ready, each within its budget.

use crate::dispatch::guard::guarded;
use crate::dispatch::{Dispatcher, Owner};
use crate::id::Id;
use crate::listener::{ACCEPTS, Accepted};
use crate::logging::TCP;
use crate::sources::Source;
use crate::stream::{Filled, READ_BUDGET, Stream, WriteSide};
use crate::world::TcpStream;
use crate::{Address, Protocol};
use log::{debug, info, warn};

impl Dispatcher {
    /// Serves those that were ready when it was called. Who is not done then, or becomes ready
    /// meanwhile, is served in the next turn.
    pub(crate) fn serve_ready(&mut self, buffer: &mut [u8]) {
        for _ in 0..self.context.ready.len() {
            let Some(id) = self.context.ready.pop_front() else { break };
            self.context.sources.end_queued(id);
            match self.context.sources.get_mut(id) {
                Some(Source::Stream(_)) => self.serve_stream(id, buffer),
                Some(Source::Listener(_)) => self.serve_listener(id),
                Some(Source::Connector(_)) => self.serve_connector(id),
                Some(Source::Lingering(lingering)) => {
                    let ended = lingering.readable && lingering.drain(buffer);
                    if ended {
                        self.context.free(id);
                    } else if lingering.readable {
                        self.context.enlist(id);
                    }
                }
                Some(Source::Gone) | None => {}
            }
            self.settle();
        }
    }

    /// Sends what waits, then reads and delivers until the socket is dry or the budget spent.
    fn serve_stream(&mut self, id: Id, buffer: &mut [u8]) {
        self.context.flush(id);
        self.tell_resumed(id);
        let mut budget = READ_BUDGET;
        loop {
            self.settle();
            let Some(stream) = self.context.sources.stream_mut(id) else { break };
            if !stream.wants_read() {
                break;
            }
            if budget == 0 {
                self.context.enlist(id);
                break;
            }
            let filled = stream.fill(buffer);
            let discard = stream.is_closing();
            if !matches!(filled, Filled::Data(_))
                && let Some(reason) = stream.broken.take()
            {
                self.context.end(id, reason);
                continue;
            }
            match filled {
                Filled::Data(count) => {
                    budget = budget.saturating_sub(count);
                    if !discard {
                        self.call(id, "data_received", |protocol, transport| {
                            protocol.data_received(transport, &buffer[..count]);
                        });
                    }
                }
                Filled::Dry => break,
                Filled::Eof if discard => {}
                Filled::Eof => self.tell_eof(id),
                Filled::Failed(error) => self.context.end(id, error.into()),
            }
        }
    }

    /// In its own turn, not within the `resume`: two who resume each other would never end.
    fn tell_resumed(&mut self, id: Id) {
        let stream = self.context.sources.stream_mut(id);
        let resumed = stream.is_some_and(|stream| {
            let wanted = !stream.paused && !stream.is_closing();
            wanted && std::mem::take(&mut stream.resumed)
        });
        if resumed {
            self.call(id, "reading_resumed", |protocol, transport| {
                protocol.reading_resumed(transport);
            });
        }
    }

    fn tell_eof(&mut self, id: Id) {
        debug!(target: TCP, "{id} the peer ended its side");
        self.call(id, "eof_received", |protocol, transport| protocol.eof_received(transport));
        let stream = self.context.sources.stream_mut(id);
        if stream.is_some_and(|stream| stream.write_side == WriteSide::Ended) {
            // Both sides have ended, so the connection has.
            self.context.close(id);
        }
        self.context.end_if_broken(id);
    }

    /// Accepts until nobody waits or the budget is spent.
    fn serve_listener(&mut self, id: Id) {
        let mut spoiled = None;
        for _ in 0..ACCEPTS {
            let Some(Source::Listener(listener)) = self.context.sources.get_mut(id) else {
                return;
            };
            match listener.accept() {
                Accepted::Connection(socket, peer) => {
                    spoiled = None;
                    let nodelay = listener.nodelay;
                    self.welcome(id, socket, peer, nodelay);
                    self.settle();
                }
                Accepted::Spoiled(error) => {
                    debug!(target: TCP, "{id} a client was gone before it was accepted: {error}");
                    spoiled = Some(error);
                }
                Accepted::Dry => return,
                Accepted::Exhausted(error) => return self.context.begin_rest(id, &error),
            }
        }
        match spoiled {
            // Not one that was gone, but one that is refused before it is taken off the queue.
            Some(error) => self.context.begin_rest(id, &error),
            None => self.context.enlist(id),
        }
    }

    /// Has a protocol built for a connection that was accepted.
    fn welcome(&mut self, listener: Id, socket: TcpStream, peer: Address, nodelay: bool) {
        let Some(protocol) = self.build(listener, &peer) else {
            debug!(target: TCP, "{listener} refused {peer}");
            return;
        };
        match self.context.adopt(socket, peer.clone(), nodelay) {
            Ok(id) => self.introduce(id, protocol, &peer),
            Err(error) => {
                warn!(target: TCP, "{listener} cannot take {peer} in: {error}");
                guarded(protocol.type_name(), "drop", || drop(protocol));
            }
        }
    }

    /// Looks what has become of an attempt to connect.
    fn serve_connector(&mut self, id: Id) {
        let Some(Source::Connector(connector)) = self.context.sources.get_mut(id) else {
            return;
        };
        match connector.outcome() {
            Ok(None) => {}
            Err(error) => self.context.connect_next(id, error),
            Ok(Some(peer)) => {
                self.context.establish(id, peer.clone());
                let built = self.build(id, &peer);
                self.unseat(id);
                match built {
                    Some(protocol) => self.introduce(id, protocol, &peer),
                    None => {
                        debug!(target: TCP, "{id} its own factory refused {peer}");
                        self.context.free(id);
                    }
                }
            }
        }
    }

    fn build(&mut self, owner: Id, peer: &Address) -> Option<Box<dyn Protocol>> {
        let Some(Some(Owner::Factory(factory))) = self.owners.get_mut(owner.slot()) else {
            return None;
        };
        let name = factory.type_name();
        let built = guarded(name, "build", || factory.build(peer));
        self.look(name, "build");
        built.flatten()
    }

    fn introduce(&mut self, id: Id, protocol: Box<dyn Protocol>, peer: &Address) {
        info!(target: TCP, "{id} {peer} connected");
        self.seat(id, Owner::Protocol(protocol));
        self.call(id, "connection_made", |protocol, transport| protocol.connection_made(transport));
        if self.context.sources.stream(id).is_some_and(Stream::wants_read) {
            self.context.enlist(id);
        }
    }
}
