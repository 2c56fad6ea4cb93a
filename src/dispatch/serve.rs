//! Serving those that are ready, each within its budget.

use crate::context::reset_on_close;
use crate::dispatch::callback::Callback;
use crate::dispatch::guard::{guarded, name_of};
use crate::dispatch::{Dispatcher, Owner};
use crate::id::Id;
use crate::listener::{ACCEPTS, Accepted};
use crate::logging::TCP;
use crate::options::ConnectionOptions;
use crate::sources::Source;
#[cfg(unix)]
use crate::stream::Passed;
use crate::stream::{Filled, READ_BUDGET, Reading, Stream, WriteSide};
use crate::world::{Readiness, StreamSocket, Token};
use crate::{Address, Protocol};
use log::{debug, info, warn};
use std::mem;

/// As how many bytes of the budget a read counts at least. Each message with descriptors is read by itself,
/// and one byte is enough to pass them.
const LEAST: usize = READ_BUDGET / 256;

/// What a factory has made of a connection.
enum Built {
    Panicked,
    Protocol(Box<dyn Protocol>),
    Refused,
}

impl Dispatcher {
    /// How many were not done in the last turn.
    pub(crate) fn left_over(&self) -> usize {
        self.context.ready.len()
    }

    /// Whether a read has filled the read buffer since this was last asked.
    #[inline]
    pub(crate) fn has_filled_buffer(&mut self) -> bool {
        mem::take(&mut self.filled_buffer)
    }

    /// Serves those that were not done in the last turn, `count` of them. Who is not done even then,
    /// or was listed meanwhile, is served in the next turn. It comes after the events, which pass
    /// over those that wait here; so each is served once a turn, whatever else happens to it.
    pub(crate) fn serve_left_over(&mut self, count: usize, buffer: &mut [u8]) {
        for _ in 0..count {
            let Some(id) = self.context.ready.pop_front() else { break };
            self.context.sources.end_queued(id);
            if self.is_introduced(id) {
                self.serve(id, buffer);
            } else {
                self.context.enlist(id);
            }
        }
    }

    /// Whether its protocol has its place: not while the notice of that is held.
    fn is_introduced(&self, id: Id) -> bool {
        match self.context.sources.get(id) {
            Some(Source::Datagram(_) | Source::Stream(_)) => self.owners.get(id).is_some(),
            _ => true,
        }
    }

    /// Notes what the poll says of a socket, and serves the socket, unless it waits in the ready
    /// queue for its turn.
    #[inline(always)]
    pub(crate) fn serve_event(&mut self, token: Token, readiness: Readiness, buffer: &mut [u8]) {
        let Some(entry) = self.context.sources.find(token) else {
            return; // It has gone since the poll.
        };
        let id = entry.id;
        if let Source::Stream(stream) = &mut entry.source {
            stream.readiness |= readiness;
            // So it is most of the time.
            if stream.wants_only_read() && !entry.queued {
                if stream.is_of_other_world() {
                    return self.serve_reading(id, buffer, READ_BUDGET);
                }
                return match stream.fill(buffer) {
                    Filled::Data(count) if !stream.is_readable() => {
                        self.deliver(id, &buffer[..count]);
                    }
                    filled => self.read_on(id, filled, buffer),
                };
            }
        } else {
            entry.source.note(readiness);
        }
        if !entry.queued {
            self.serve(id, buffer);
        }
        if readiness.has(Readiness::FAILED) {
            self.context.end_if_broken(id);
            self.settle();
        }
    }

    fn serve(&mut self, id: Id, buffer: &mut [u8]) {
        match self.context.sources.get_mut(id) {
            Some(Source::Stream(_)) => {
                self.context.flush(id);
                self.tell_resumed(id);
                self.settle();
                self.ask_producer(id);
                self.tell_end_ahead(id);
                self.serve_reading(id, buffer, READ_BUDGET);
            }
            Some(Source::Listener(listener)) if listener.resting => {}
            Some(Source::Listener(_)) => self.serve_listener(id),
            Some(Source::Connector(_)) => self.serve_connector(id),
            Some(Source::Datagram(_)) => self.serve_datagrams(id, buffer),
            Some(Source::Lingering(lingering)) => {
                let ended = lingering.is_readable() && lingering.drain(buffer);
                if ended {
                    self.context.free(id);
                } else if lingering.is_readable() {
                    self.context.enlist(id);
                }
            }
            #[cfg(unix)]
            Some(Source::Watch(_)) => self.serve_watch(id),
            Some(Source::Departed(_) | Source::Gone) | None => {}
        }
        self.settle();
    }

    /// Sees to what a read has brought, and reads on.
    #[inline(never)]
    fn read_on(&mut self, id: Id, filled: Filled, buffer: &mut [u8]) {
        self.note_filling(&filled, buffer);
        let budget = left(READ_BUDGET, self.see_to(id, filled, buffer));
        self.serve_reading(id, buffer, budget);
    }

    /// A read that fills the buffer could have returned more in a larger one.
    fn note_filling(&mut self, filled: &Filled, buffer: &[u8]) {
        self.filled_buffer |= matches!(filled, Filled::Data(count) if *count == buffer.len());
    }

    /// Reads and delivers until the socket is dry or the budget spent. No read returns more than what is
    /// left of the budget.
    fn serve_reading(&mut self, id: Id, buffer: &mut [u8], mut budget: usize) {
        while let Some(stream) = self.context.sources.stream_mut(id)
            && stream.wants_read()
        {
            if budget == 0 {
                return self.context.enlist(id);
            }
            let most = buffer.len().min(budget);
            #[cfg(unix)]
            if stream.is_unix() {
                budget = left(budget, self.read_unix(id, &mut buffer[..most]));
                continue;
            }
            let filled = match stream.is_of_other_world() {
                true => stream.fill_from_other(&mut buffer[..most]),
                false => stream.fill(&mut buffer[..most]),
            };
            self.note_filling(&filled, buffer);
            budget = left(budget, self.see_to(id, filled, buffer));
        }
    }

    #[inline(always)]
    fn deliver(&mut self, id: Id, data: &[u8]) {
        self.call(id, Callback::DataReceived(data));
        self.settle();
    }

    /// Delivers what a read has brought, or sees to its having brought nothing. Returns how many
    /// bytes it were.
    #[inline(always)]
    fn see_to(&mut self, id: Id, filled: Filled, buffer: &[u8]) -> usize {
        match filled {
            Filled::Data(count) => {
                self.deliver(id, &buffer[..count]);
                count
            }
            Filled::Discarded(count) => count,
            filled => {
                self.end_reading(id, filled);
                0
            }
        }
    }

    /// Reads once from a Unix socket, and delivers what that brought. Returns how many bytes it were.
    #[cfg(unix)]
    #[inline(never)]
    fn read_unix(&mut self, id: Id, buffer: &mut [u8]) -> usize {
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return 0;
        };
        match stream.fill_unix(buffer) {
            (Filled::Data(count), Some(passed)) => {
                self.deliver_passed(id, &buffer[..count], passed);
                count
            }
            (filled, _) => {
                self.note_filling(&filled, buffer);
                self.see_to(id, filled, buffer)
            }
        }
    }

    /// Delivers data together with descriptors. Nothing of it is kept back: whoever does not want to
    /// hear of it any more closes what came.
    #[cfg(unix)]
    #[cold]
    fn deliver_passed(&mut self, id: Id, data: &[u8], passed: Passed) {
        let Passed { mut descriptors, lost } = passed;
        if lost {
            warn!(target: TCP, "{id} descriptors were lost: this process may have no more of them");
            self.context.undelivered = Some(id);
            self.call(id, Callback::DescriptorsLost);
            self.settle();
            self.context.undelivered = None;
        }
        if self.context.sources.stream(id).is_some_and(|stream| !stream.is_closing()) {
            self.call(id, Callback::DescriptorsReceived(data, &mut descriptors));
            self.settle();
        }
    }

    /// A read brought no data: the socket is dry, or nothing more will come.
    #[cold]
    fn end_reading(&mut self, id: Id, filled: Filled) {
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return;
        };
        if let Some(reason) = stream.take_break() {
            self.context.end(id, reason);
            return self.settle();
        }
        match filled {
            Filled::Data(_) | Filled::Discarded(_) | Filled::Dry => {}
            Filled::Eof if stream.is_closing() => {}
            Filled::Eof => self.tell_eof(id),
            Filled::Failed(error) => self.context.end(id, error.into()),
        }
        self.settle();
    }

    /// In its own turn, not within the `resume`: two who resume each other would never end.
    fn tell_resumed(&mut self, id: Id) {
        let stream = self.context.sources.stream_mut(id);
        let resumed = stream.is_some_and(|stream| {
            let resumed = stream.reading == Reading::Resumed && !stream.is_closing();
            if resumed {
                stream.reading = Reading::On;
            }
            resumed
        });
        if resumed {
            self.call(id, Callback::ReadingResumed);
        }
    }

    /// The peer may have ended its side while reading is paused. The end itself is held back, as data
    /// is, since the protocol may have some of its own to deliver before it.
    fn tell_end_ahead(&mut self, id: Id) {
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return;
        };
        if stream.ends_unnoticed() {
            stream.end_noticed = true;
            debug!(target: TCP, "{id} the peer ended its side; reading is paused");
            self.call(id, Callback::EofNoticed);
            self.settle();
        }
    }

    fn tell_eof(&mut self, id: Id) {
        debug!(target: TCP, "{id} the peer ended its side");
        self.call(id, Callback::EofReceived);
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
                    let options = listener.connections;
                    self.welcome(id, socket, peer, options);
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
    fn welcome(
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
            Ok(id) => self.introduce(id, protocol, &peer),
            Err(error) => {
                warn!(target: TCP, "{listener} cannot take {peer} in: {error}");
                let who = name_of(|| protocol.type_name());
                self.drop_guarded(protocol, who);
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
                    Built::Protocol(protocol) => return self.introduce(id, protocol, &peer),
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

    fn build(&mut self, owner: Id, peer: &Address) -> Built {
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

    pub(super) fn introduce(&mut self, id: Id, protocol: Box<dyn Protocol>, peer: &Address) {
        info!(target: TCP, "{id} {peer} connected");
        self.context.past.made += 1;
        self.seat(id, Owner::Protocol(protocol));
        self.call(id, Callback::ConnectionMade);
        // A producer may have been registered before there was a connection.
        let wants_service = |stream: &Stream| stream.wants_read() || stream.wants_more();
        if self.context.sources.stream(id).is_some_and(wants_service) {
            self.context.enlist(id);
        }
    }
}

/// What a read of so many bytes leaves of the budget.
fn left(budget: usize, count: usize) -> usize {
    budget.saturating_sub(count.max(LEAST))
}
