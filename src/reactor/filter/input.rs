//! Decoding: received bytes pass through the filters to the protocol.

use crate::reactor::chain::{Chain, Layer, Method, Stage};
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::stream::left;
use crate::source::stream::{Filled, Life, PeerSide, Phase, Received, Stream};
use crate::values::filter::ROOM;
use crate::values::id::Id;
use std::io;
use std::mem;

/// The next step for the received bytes of a filtered connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InputStep {
    /// Nothing until an event or a callback changes the state.
    Wait,
    /// The filter's handshake begins.
    Start(usize),
    /// All filters are established.
    Established,
    /// Plaintext is delivered.
    Deliver,
    /// The end of the plaintext is delivered.
    End,
    Decode(usize),
    /// The filter is notified that the bytes from below have ended.
    Eof(usize),
    /// The socket is read.
    Read,
}

impl Dispatcher {
    /// Serves a filtered connection until the socket would block, reading is paused or the budget is spent.
    #[cold]
    pub(in crate::reactor) fn serve_filtered(
        &mut self,
        id: Id,
        buffer: &mut [u8],
        mut budget: usize,
    ) {
        loop {
            let step = self.next_step(id);
            if step == InputStep::Wait {
                break;
            }
            if budget == 0 {
                self.context.enqueue(id);
                break;
            }
            budget = left(budget, self.take_step(id, step, buffer));
            self.run_pending();
        }
        self.run_filters(id);
        self.run_pending();
    }

    /// Chooses the next step by the state alone. The highest filter that can decode does so first: therefore no more
    /// than one read is queued between two filters.
    fn next_step(&self, id: Id) -> InputStep {
        let stream = self.context.sources.stream(id);
        let (Some(stream), Some(chain)) = (stream, self.owners.filters.get(&id)) else {
            return InputStep::Wait;
        };
        let Some(filtered) = stream.filtered() else {
            return InputStep::Wait;
        };
        if matches!(stream.life, Life::Ended { .. }) {
            return InputStep::Wait;
        }
        if stream.discards_encoded() {
            return if stream.wants_read() { InputStep::Read } else { InputStep::Wait };
        }
        if filtered.phase == Phase::Handshake && filtered.adding == 0 {
            match chain.layers.iter().position(|layer| layer.stage != Stage::Established) {
                None => return InputStep::Established,
                Some(index) if chain.layers[index].stage == Stage::NotBegun => {
                    return InputStep::Start(index);
                }
                Some(_) => {}
            }
        }
        let received = if filtered.made {
            stream.life.received(stream.input.reading)
        } else {
            Received::Unread
        };
        if received == Received::Unread && filtered.phase != Phase::Handshake {
            return InputStep::Wait;
        }
        if !chain.plain.is_empty() {
            held_or(received, InputStep::Deliver)
        } else if !chain.has_ended() {
            next_decoding(chain, stream)
        } else if stream.input.has_ended() {
            InputStep::Wait
        } else {
            held_or(received, InputStep::End)
        }
    }

    /// Takes a step. Returns the number of bytes that it has moved.
    fn take_step(&mut self, id: Id, step: InputStep, buffer: &mut [u8]) -> usize {
        match step {
            InputStep::Wait => {}
            InputStep::Start(index) => {
                if let Some(layer) = self.layer_mut(id, index) {
                    layer.stage = Stage::Handshake;
                }
                self.call_filter(id, index, Method::Start, &[]);
            }
            InputStep::Established => self.end_handshake(id),
            InputStep::Deliver => return self.deliver_plain(id),
            InputStep::End => self.deliver_end(id),
            InputStep::Decode(index) => return self.decode(id, index),
            InputStep::Eof(index) => self.end_input(id, index),
            InputStep::Read => return self.read_filtered(id, buffer),
        }
        0
    }

    fn deliver_plain(&mut self, id: Id) -> usize {
        let plain = self.owners.filters.get_mut(&id).map(|chain| mem::take(&mut chain.plain));
        let plain = plain.unwrap_or_default();
        if let Some(stream) = self.context.sources.stream_mut(id) {
            match stream.is_closing() {
                true => stream.input.received_after_close = true,
                false => self.deliver(id, &plain),
            }
        }
        plain.len()
    }

    fn deliver_end(&mut self, id: Id) {
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return;
        };
        stream.end_peer_side();
        if let Some(reason) = stream.take_break() {
            self.context.end(id, reason);
        } else if !stream.is_closing() {
            self.notify_eof(id);
        }
    }

    fn decode(&mut self, id: Id, index: usize) -> usize {
        let Some(layer) = self.layer_mut(id, index) else {
            return 0;
        };
        layer.decodes = false;
        layer.blocked = false;
        let mut input = mem::take(&mut layer.input);
        let Some(called) = self.call_filter(id, index, Method::Decode, input.front()) else {
            return 0;
        };
        input.advance(called.consumed);
        let progress = called.consumed + called.delivered > 0;
        let stuck = !progress && input.len() >= ROOM;
        if let Some(layer) = self.layer_mut(id, index) {
            layer.decodes = progress && (!input.is_empty() || called.again);
            if !layer.ended {
                layer.input = input;
            }
        }
        if stuck {
            let text = "a filter consumed no byte of 64 KiB of input";
            self.fail_filter(id, index, io::Error::new(io::ErrorKind::InvalidData, text));
        }
        self.note_between(id);
        called.consumed.max(called.delivered)
    }

    /// Notifies a filter of its timer. Then it decodes and encodes.
    pub(in crate::reactor) fn fire_filter_timer(&mut self, id: Id, index: usize) {
        if let Some(layer) = self.layer_mut(id, index) {
            layer.timer = None;
        }
        if self.call_filter(id, index, Method::TimerFired, &[]).is_none() {
            return;
        }
        if let Some(layer) = self.layer_mut(id, index) {
            layer.decodes = true;
            layer.blocked = false;
        }
        self.context.enqueue(id);
    }

    /// Notifies a filter that the bytes from below have ended. A handshake cannot be completed then.
    fn end_input(&mut self, id: Id, index: usize) {
        let Some(layer) = self.layer_mut(id, index) else {
            return;
        };
        layer.ended = true;
        let established = layer.stage == Stage::Established;
        if self.call_filter(id, index, Method::Eof, &[]).is_some() && !established {
            let text = "the peer closed the connection during the handshake";
            self.fail_filter(id, index, io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
    }

    /// Reads once from the socket.
    fn read_filtered(&mut self, id: Id, buffer: &mut [u8]) -> usize {
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return 0;
        };
        let most = buffer.len().min(ROOM);
        let filled = read(stream, &mut buffer[..most]);
        let discards = stream.discards_encoded();
        let is_broken = matches!(stream.life, Life::Broken(_));
        if matches!(filled, Filled::Eof) {
            if !discards {
                stream.input.peer_side = PeerSide::Open; // The filters report the end of the plaintext.
            }
            if let Some(filtered) = stream.filtered_mut() {
                filtered.socket_ended = true;
            }
        }
        self.context.note_read(id, &filled);
        match filled {
            Filled::Data(count) | Filled::Discarded(count) => {
                if let Some(layer) = self.layer_mut(id, 0).filter(|_| !discards) {
                    layer.input.back().extend_from_slice(&buffer[..count]);
                    layer.decodes = true;
                }
                count
            }
            Filled::Eof => {
                if is_broken {
                    self.end_reading(id, Filled::WouldBlock);
                }
                0
            }
            filled => {
                self.end_reading(id, filled);
                0
            }
        }
    }
}

/// Returns a step that a protocol with paused reading delays.
fn held_or(received: Received, step: InputStep) -> InputStep {
    if received == Received::Unread { InputStep::Wait } else { step }
}

/// Returns the step that leads to more plaintext.
fn next_decoding(chain: &Chain, stream: &Stream) -> InputStep {
    let runs = |layer: &Layer| layer.stage != Stage::NotBegun && !layer.ended;
    let decodes = |layer: &Layer| layer.decodes && runs(layer);
    if let Some(index) = chain.layers.iter().rposition(decodes) {
        return InputStep::Decode(index);
    }
    let mut below_ended = stream.socket_has_ended();
    for (index, layer) in chain.layers.iter().enumerate() {
        if below_ended && runs(layer) && !layer.keeps_input() {
            return InputStep::Eof(index);
        }
        below_ended = layer.ended;
    }
    let open = chain.layers.first().is_some_and(|layer| !layer.ended);
    let reads = open && stream.is_readable() && !stream.socket_has_ended();
    if reads { InputStep::Read } else { InputStep::Wait }
}

/// Reads once. Descriptors that arrive with the bytes are closed.
fn read(stream: &mut Stream, buffer: &mut [u8]) -> Filled {
    #[cfg(unix)]
    if stream.is_unix() {
        return stream.fill_unix(buffer).0;
    }
    stream.fill(buffer)
}
