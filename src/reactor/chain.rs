//! The filters of one connection, and the bytes between them.

use crate::api::context::Context;
use crate::values::filter::{Filter, FilterLink};
use crate::values::id::Id;
use std::io;
use std::mem;

/// The filters of one connection.
pub(super) struct Chain {
    /// The lowest, next to the socket, first.
    pub(super) layers: Vec<Layer>,
    /// Decoded and not delivered.
    pub(super) plain: Vec<u8>,
    /// Where the outcome of the first handshake goes.
    pub(super) origin: Origin,
    /// How many bytes were sent in answer to received ones since the socket took all.
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

/// One filter, and the bytes on both sides of it.
pub(super) struct Layer {
    pub(super) filter: Box<dyn Filter>,
    pub(super) stage: Stage,
    /// Received from below, and not decoded.
    pub(super) input: Bytes,
    /// Written from above, and not encoded. The highest filter has the plaintext of the connection in its place.
    pub(super) output: Bytes,
    /// There is something to decode that has not been offered yet.
    pub(super) decodes: bool,
    /// It takes no more plaintext before it has been called to decode.
    pub(super) blocked: bool,
    /// It has said goodbye.
    pub(super) closed: bool,
    /// Its decoded bytes have ended.
    pub(super) ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The filters below are not established.
    Waiting,
    Handshake,
    Established,
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

    /// For new bytes at the back.
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
}

/// What a call to a filter has done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Called {
    pub(super) consumed: usize,
    pub(super) delivered: usize,
    /// It asked to be called again.
    pub(super) again: bool,
}

impl Method {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Decode => "decode",
            Self::Encode => "encode",
            Self::Close => "close",
            Self::Eof => "eof",
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
            stage: Stage::Waiting,
            decodes: !received.is_empty(),
            input: Bytes { bytes: received, start: 0 },
            output: Bytes::default(),
            blocked: false,
            closed: false,
            ended: false,
        });
    }

    /// Returns the filter below another; `None` below the lowest, which lies next to the socket.
    pub(super) fn below_mut(&mut self, index: usize) -> Option<&mut Layer> {
        self.layers.get_mut(index.checked_sub(1)?)
    }

    /// Calls a filter, and takes what it delivers and reports. A panic unwinds to the caller.
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
        let mut link = FilterLink::new(sent, delivered);
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
        let peer = signals.peer.filter(|_| self.origin != Origin::Made);
        if let (Some(peer), Some(stream)) = (peer, context.sources.stream_mut(id)) {
            stream.peer = peer;
        }
        if overrun {
            let text = "a filter delivered more than there was room for";
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
