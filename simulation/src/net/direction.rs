//! One direction of a connection: what lies on it, and what is on its way.

use crate::schedule::Time;
use std::collections::VecDeque;

/// One direction. The bytes that are on it lie in one queue: first those that have arrived, then those on
/// their way, then those that are still to be sent.
#[derive(Debug)]
pub(super) struct Direction {
    pub(super) bytes: VecDeque<u8>,
    pub(super) arrived: usize,
    pub(super) in_flight: usize,
    pub(super) segments: VecDeque<InFlight>,
    /// How many have been in flight.
    pub(super) sent: u64,
    /// Whether the arrival of what is first in flight is on the agenda.
    pub(super) is_moving: bool,
    /// When the last arrives; nothing overtakes.
    pub(super) last_at: Time,
    pub(super) fin: Fin,
    /// Whether the writer waits for room.
    pub(super) writer_waits: bool,
    /// Whether the sender waits for the reader.
    pub(super) sender_waits: bool,
    /// Whether it asks for room from time to time.
    pub(super) is_probing: bool,
    /// How often what is first has been lost, and since when that counts against the sender's patience.
    pub(super) tries: u32,
    pub(super) retransmitting_since: Time,
    /// Since when the receiver has had no room, as far as that counts.
    pub(super) window_closed_since: Option<Time>,
    /// How much the sender holds, and how much the receiver.
    pub(super) send_buffer: usize,
    pub(super) receive_buffer: usize,
    is_unix: bool,
}

/// What is on its way, and where it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) segment: Segment,
    /// The line knows it by this.
    pub(super) number: u64,
    /// When it arrives; that is known when it has left its node.
    pub(super) at: Option<Time>,
    /// Whether chance has it lost this time.
    pub(super) is_lost: bool,
}

/// What is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// What makes a connection of an attempt.
    Ack,
    Bytes(usize),
    Fin,
    /// No socket listens there.
    Refused,
    Reset,
    Syn,
    SynAck,
}

/// How far the end of a way has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fin {
    None,
    Wanted,
    Sent,
}

impl Direction {
    pub(super) fn new(send_buffer: usize, receive_buffer: usize) -> Self {
        Self {
            bytes: VecDeque::new(),
            arrived: 0,
            in_flight: 0,
            segments: VecDeque::new(),
            sent: 0,
            is_moving: false,
            last_at: 0,
            fin: Fin::None,
            writer_waits: false,
            sender_waits: false,
            is_probing: false,
            tries: 0,
            retransmitting_since: 0,
            window_closed_since: None,
            send_buffer,
            receive_buffer,
            is_unix: false,
        }
    }

    /// A Unix socket has no receive buffer of its own: data counts in the sender's buffer until it is read.
    pub(super) fn unix(send_buffer: usize) -> Self {
        Self { is_unix: true, ..Self::new(send_buffer, usize::MAX) }
    }

    /// Reads the next bytes that have arrived.
    pub(super) fn take(&mut self, buffer: &mut [u8]) {
        let count = buffer.len();
        let (front, back) = self.bytes.as_slices();
        let first = front.len().min(count);
        buffer[..first].copy_from_slice(&front[..first]);
        buffer[first..].copy_from_slice(&back[..count - first]);
        self.bytes.drain(..count);
        self.arrived -= count;
        if self.bytes.is_empty() && self.bytes.capacity() > 4096 {
            self.bytes.shrink_to(4096);
        }
    }

    pub(super) fn unsent(&self) -> usize {
        self.bytes.len() - self.arrived - self.in_flight
    }

    pub(super) fn free_space(&self) -> usize {
        let received = if self.is_unix { 0 } else { self.arrived };
        self.send_buffer.saturating_sub(self.bytes.len() - received)
    }

    /// Whether the writer waits for room and has enough of it now.
    pub(super) fn take_writable(&mut self) -> bool {
        let takes = self.writer_waits && self.free_space() >= self.send_buffer.div_ceil(3);
        self.writer_waits &= !takes;
        takes
    }

    pub(super) fn window(&self) -> usize {
        self.receive_buffer.saturating_sub(self.arrived + self.in_flight)
    }

    /// What the sender still holds is dropped; what has left goes on.
    pub(super) fn drop_unsent(&mut self) {
        self.bytes.truncate(self.arrived + self.in_flight);
        self.fin = Fin::None;
    }

    /// What is first in flight is lost, and the sender is gone: nothing is read beyond the gap, but resets arrive.
    pub(super) fn discard_after_gap(&mut self) {
        self.segments.pop_front();
        self.segments.retain(|segment| segment.segment == Segment::Reset);
        self.bytes.truncate(self.arrived);
        self.in_flight = 0;
        self.fin = Fin::None;
    }

    /// Nothing more comes of it but what has arrived.
    pub(super) fn clear(&mut self) {
        self.bytes.truncate(self.arrived);
        self.in_flight = 0;
        self.segments.clear();
        self.fin = Fin::None;
    }
}
