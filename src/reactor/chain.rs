//! The filters of one connection, and the bytes between them.

use crate::api::context::Context;
use crate::api::timer::TimerOwner;
use crate::source::timer::TimerId;
use crate::values::filter::{Filter, FilterLink, ROOM, TimerRequest};
use crate::values::id::Id;
use crate::values::journal::Callback;
use std::collections::BTreeSet;
use std::io;
use std::mem;

/// The filters of one connection.
pub(super) struct Chain {
    /// The lowest filter, next to the socket, is the first.
    pub(super) layers: Vec<Layer>,
    /// Decoded bytes that were not delivered yet.
    pub(super) plain: Vec<u8>,
    /// Whether a first handshake is in progress, and which factory receives its outcome.
    pub(super) origin: Origin,
    /// The number of bytes sent in answer to received ones since the queue below was last empty.
    pub(super) answers: usize,
}

/// The origin of a connection in the first handshake of its filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Connector,
    Listener(Id),
    /// The connection has a protocol.
    Made,
}

/// The accepted connections in the first handshake of their filters, each behind its listener.
#[derive(Default)]
pub(super) struct Handshakes(BTreeSet<(Id, Id)>);

impl Handshakes {
    pub(super) fn begin(&mut self, origin: Origin, id: Id) {
        if let Origin::Listener(listener) = origin {
            self.0.insert((listener, id));
        }
    }

    pub(super) fn end(&mut self, origin: Origin, id: Id) {
        if let Origin::Listener(listener) = origin {
            self.0.remove(&(listener, id));
        }
    }

    /// Returns true if a connection of this listener is in its first handshake.
    pub(super) fn has_any(&self, listener: Id) -> bool {
        let next = self.0.range((listener, Id::new(0, 0))..).next();
        next.is_some_and(|(of, _)| *of == listener)
    }
}

/// One filter, and its queues.
pub(super) struct Layer {
    pub(super) filter: Box<dyn Filter>,
    pub(super) stage: Stage,
    /// Bytes from below that are not decoded yet.
    pub(super) input: Bytes,
    /// Bytes from above that are not encoded yet. For the highest filter they are in the connection's
    /// [`Filtered::plain`](crate::source::stream::Filtered).
    pub(super) output: Bytes,
    /// True if there is input that the filter has not been called with yet.
    pub(super) decodes: bool,
    /// True if it encodes nothing until it has been called to decode.
    pub(super) blocked: bool,
    /// True if it has sent its goodbye.
    pub(super) closed: bool,
    /// True if its plaintext has ended.
    pub(super) ended: bool,
    pub(super) timer: Option<TimerId>,
}

/// The progress of one filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The filters below are not established.
    NotBegun,
    Handshake,
    Established,
}

impl Layer {
    /// Returns true if the filter has left input for the time when its timer fires.
    pub(super) fn keeps_input(&self) -> bool {
        self.timer.is_some() && !self.input.is_empty()
    }

    /// Sets or cancels the timer. Each message may put it off: that adds no entry to the timer queue.
    fn set_timer(&mut self, context: &mut Context, (id, index): (Id, usize), to: TimerRequest) {
        if let (Some(timer), TimerRequest::Set(delay)) = (self.timer, to)
            && context.reset(timer, delay)
        {
            return;
        }
        if let Some(old) = self.timer.take() {
            context.cancel(old);
        }
        if let TimerRequest::Set(delay) = to {
            self.timer = Some(context.set_owned_timer(id, delay, TimerOwner::Filter(index)));
        }
    }
}

/// A queue of bytes.
#[derive(Default)]
pub(super) struct Bytes {
    bytes: Vec<u8>,
    start: usize,
}

impl Bytes {
    pub(super) fn front(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn advance(&mut self, count: usize) {
        self.start += count;
        if self.is_empty() {
            *self = Self::default(); // An idle connection keeps no memory.
        }
    }

    /// Returns the memory to which new bytes are appended.
    pub(super) fn back(&mut self) -> &mut Vec<u8> {
        if self.start > 0 {
            self.bytes.drain(..mem::take(&mut self.start));
        }
        &mut self.bytes
    }
}

/// A method of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Start,
    Decode,
    Encode,
    Close,
    Eof,
    TimerFired,
}

/// The result of a call of a filter.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Called {
    pub(super) consumed: usize,
    pub(super) delivered: usize,
    /// True if it asked to be called again.
    pub(super) again: bool,
}

impl Method {
    pub(super) fn callback(self) -> Callback {
        match self {
            Self::Start => Callback::FilterStart,
            Self::Decode => Callback::FilterDecode,
            Self::Encode => Callback::FilterEncode,
            Self::Close => Callback::FilterClose,
            Self::Eof => Callback::FilterEof,
            Self::TimerFired => Callback::TimerFired,
        }
    }

    fn call(
        self,
        filter: &mut dyn Filter,
        data: &[u8],
        link: &mut FilterLink<'_>,
    ) -> io::Result<usize> {
        match self {
            Self::Start => filter.start(link).map(|()| 0),
            Self::Decode => filter.decode(data, link),
            Self::Encode => filter.encode(data, link),
            Self::Close => filter.close(link).map(|()| 0),
            Self::Eof => filter.eof(link).map(|()| 0),
            Self::TimerFired => filter.timer_fired(link).map(|()| 0),
        }
    }
}

impl Chain {
    pub(super) fn new(origin: Origin) -> Self {
        Self { layers: Vec::new(), plain: Vec::new(), origin, answers: 0 }
    }

    pub(super) fn push(&mut self, filter: Box<dyn Filter>, received: Vec<u8>) {
        self.layers.push(Layer {
            filter,
            stage: Stage::NotBegun,
            decodes: !received.is_empty(),
            input: Bytes { bytes: received, start: 0 },
            output: Bytes::default(),
            blocked: false,
            closed: false,
            ended: false,
            timer: None,
        });
    }

    /// Returns the filter below another; `None` below the lowest, which lies next to the socket.
    pub(super) fn below_mut(&mut self, index: usize) -> Option<&mut Layer> {
        self.layers.get_mut(index.checked_sub(1)?)
    }

    /// Calls a filter, and handles the bytes that it delivers and the events that it reports. A panic unwinds to
    /// the caller.
    pub(super) fn call(
        &mut self,
        context: &mut Context,
        (id, index): (Id, usize),
        method: Method,
        data: &[u8],
        sent: &mut Vec<u8>,
    ) -> io::Result<Called> {
        let gone = || io::Error::from(io::ErrorKind::NotConnected);
        let (layer, above) = self.layers[index..].split_first_mut().ok_or_else(gone)?;
        let delivered = match above.first_mut() {
            Some(above) => above.input.back(),
            None => &mut self.plain,
        };
        let before = delivered.len();
        let room = if method == Method::TimerFired { 0 } else { ROOM };
        let mut link = FilterLink::new(sent, delivered, room);
        let result = method.call(layer.filter.as_mut(), data, &mut link);
        let (overrun, signals) = (link.is_overrun(), link.signals);
        let delivered = delivered.len() - before;
        if let Some(above) = above.first_mut() {
            above.decodes |= delivered > 0;
        }
        if signals.established && layer.stage == Stage::Handshake {
            layer.stage = Stage::Established;
        }
        layer.ended |= signals.ended;
        if let Some(request) = signals.timer {
            layer.set_timer(context, (id, index), request);
        }
        let peer = signals.peer.filter(|_| self.origin != Origin::Made);
        if let (Some(peer), Some(stream)) = (peer, context.sources.stream_mut(id)) {
            stream.peer = peer;
        }
        if overrun {
            let text = "a filter delivered more data than there was room for";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let consumed = result?.min(data.len());
        Ok(Called { consumed, delivered, again: signals.again })
    }

    /// Returns true if the plaintext has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.layers.last().is_some_and(|layer| layer.ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Address, DatagramProtocol, DatagramTransport, Reactor};
    use std::time::Duration;

    struct Plain;

    impl Filter for Plain {
        fn start(&mut self, _link: &mut FilterLink<'_>) -> io::Result<()> {
            Ok(())
        }

        fn decode(&mut self, data: &[u8], _link: &mut FilterLink<'_>) -> io::Result<usize> {
            Ok(data.len())
        }

        fn encode(&mut self, data: &[u8], _link: &mut FilterLink<'_>) -> io::Result<usize> {
            Ok(data.len())
        }

        fn close(&mut self, _link: &mut FilterLink<'_>) -> io::Result<()> {
            Ok(())
        }
    }

    struct Quiet;

    impl DatagramProtocol for Quiet {
        fn datagram_received(&mut self, _: &mut DatagramTransport<'_>, _: &[u8], _: &Address) {}
    }

    #[test]
    fn filter_timer_put_off_often_leaves_one_entry() {
        let mut reactor = Reactor::new().unwrap();
        let id = reactor.listen_udp("127.0.0.1:0", Quiet).unwrap().id();
        let context = reactor.context();
        let mut chain = Chain::new(Origin::Made);
        (0..10).for_each(|_| chain.push(Box::new(Plain), Vec::new()));
        let mut set = Vec::new();
        for round in 0..100 {
            for (index, layer) in chain.layers.iter_mut().enumerate() {
                let delay = Duration::from_secs(60 + round);
                layer.set_timer(context, (id, index), TimerRequest::Set(delay));
                assert!(context.is_active(layer.timer.unwrap()));
            }
            set.push(chain.layers.iter().map(|layer| layer.timer).collect::<Vec<_>>());
        }
        assert!(set.iter().all(|timers| *timers == set[0]), "the timers are the same");
        assert_eq!(context.timer_entries(), 10);
        for (index, layer) in chain.layers.iter_mut().enumerate() {
            layer.set_timer(context, (id, index), TimerRequest::Cancel);
            assert_eq!(layer.timer, None);
        }
        assert_eq!(context.timer_entries(), 0);
    }
}
