//! One direction of a connection: buffered bytes and segments in flight.

use crate::schedule::Time;
use std::collections::VecDeque;

/// One direction. Its bytes are in one queue: first those that have arrived, then those in flight, then the unsent
/// ones.
#[derive(Debug)]
pub(super) struct Direction {
    pub(super) bytes: VecDeque<u8>,
    pub(super) arrived: usize,
    pub(super) in_flight: usize,
    pub(super) segments: VecDeque<InFlight>,
    /// The number of segments sent.
    pub(super) sent: u64,
    /// The arrival of the first segment is in the schedule.
    pub(super) is_moving: bool,
    /// The arrival time of the last segment. No segment overtakes another.
    pub(super) last_at: Time,
    pub(super) fin: Fin,
    /// The writer waits until it can write again.
    pub(super) writer_waits: bool,
    /// The sender waits for the window to open.
    pub(super) sender_waits: bool,
    /// The sender probes the closed window.
    pub(super) is_probing: bool,
    /// How often the first segment was lost, and since when this counts towards the retransmission timeout.
    pub(super) tries: u32,
    pub(super) retransmitting_since: Time,
    /// Since when the window has been closed, as it counts towards the user timeout.
    pub(super) window_closed_since: Option<Time>,
    /// Sizes of the sender's and the receiver's buffer.
    pub(super) send_buffer: usize,
    pub(super) receive_buffer: usize,
    is_unix: bool,
}

/// A segment in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) segment: Segment,
    /// Identifies the segment in the uplink.
    pub(super) number: u64,
    /// The arrival time. It is known once the segment has left its node.
    pub(super) at: Option<Time>,
    /// This transmission is lost at random.
    pub(super) is_lost: bool,
}

/// A segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// The last segment of the handshake.
    Ack,
    Bytes(usize),
    Fin,
    /// There is no listener.
    Refused,
    Reset,
    Syn,
    SynAck,
}

/// State of the FIN of a direction.
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

    /// Takes the next bytes that have arrived.
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

    /// Returns true, once, if the writer waits and has enough free space now.
    pub(super) fn take_writable(&mut self) -> bool {
        let takes = self.writer_waits && self.free_space() >= self.send_buffer.div_ceil(3);
        self.writer_waits &= !takes;
        takes
    }

    pub(super) fn window(&self) -> usize {
        self.receive_buffer.saturating_sub(self.arrived + self.in_flight)
    }

    /// Discards the unsent data. Segments in flight still arrive.
    pub(super) fn drop_unsent(&mut self) {
        self.bytes.truncate(self.arrived + self.in_flight);
        self.fin = Fin::None;
    }

    /// Discards everything behind a lost segment of a sender that no longer exists. Resets still arrive.
    pub(super) fn discard_after_gap(&mut self) {
        self.segments.pop_front();
        self.segments.retain(|segment| segment.segment == Segment::Reset);
        self.bytes.truncate(self.arrived);
        self.in_flight = 0;
        self.fin = Fin::None;
    }

    /// Discards everything that has not arrived.
    pub(super) fn clear(&mut self) {
        self.bytes.truncate(self.arrived);
        self.in_flight = 0;
        self.segments.clear();
        self.fin = Fin::None;
    }
}
