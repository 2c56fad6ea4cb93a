//! Network and system conditions of a node, and the costs of its work.

use std::time::Duration;

/// The conditions of a node, computed from the faults in force. Those of the two ends of a connection add up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    /// Additional latency, and the maximum of its random part.
    pub(crate) latency: Duration,
    pub(crate) jitter: Duration,
    /// Probabilities that a segment or datagram is lost, and that a datagram is duplicated or delayed.
    pub(crate) loss: f64,
    pub(crate) duplication: f64,
    pub(crate) reordering: f64,
    /// Bytes per second that leave the node. 0: no limit.
    pub(crate) bandwidth: u64,
    /// Size of each buffer of its sockets. 0: the default.
    pub(crate) buffer: usize,
    /// Probabilities that a read or write is cut short, that it returns `WouldBlock`, and that a socket is
    /// reported ready although it is not.
    pub(crate) short: f64,
    pub(crate) would_block: f64,
    pub(crate) spurious: f64,
    /// Probability that a reset arrives in place of a segment.
    pub(crate) reset: f64,
    /// Connection attempts are refused, or not answered.
    pub(crate) refuses: bool,
    pub(crate) unanswering: bool,
    /// No file descriptors are left.
    pub(crate) no_descriptors: bool,
    /// Name lookups fail.
    pub(crate) no_names: bool,
    /// The reactor does not run.
    pub(crate) stalled: bool,
}

/// The properties of the network between two nodes, or between all, without faults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// The minimum latency of a byte.
    pub latency: Duration,
    /// The maximum of the random latency added to it.
    pub jitter: Duration,
    /// The probability that a segment or datagram is lost, from 0 to 1. A lost segment is retransmitted, first
    /// after 200 ms.
    pub loss: f64,
}

impl Link {
    /// A local network: a latency of 100 to 150 µs and no loss.
    pub const LOCAL: Self =
        Self { latency: Duration::from_micros(100), jitter: Duration::from_micros(50), loss: 0.0 };

    /// No latency and no loss.
    pub const INSTANT: Self = Self { latency: Duration::ZERO, jitter: Duration::ZERO, loss: 0.0 };
}

impl Default for Link {
    fn default() -> Self {
        Self::LOCAL
    }
}

/// How long the system and the program take for their work. A node's time advances while it works, and later
/// events have to wait: this is how queues build up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// One turn of the reactor.
    pub turn: Duration,
    /// One system call that writes nothing.
    pub call: Duration,
    /// One system call that writes or sends. It passes its data through the layers of the network, on loopback up
    /// to the receiving socket, and costs more than a read, which finds the data ready.
    pub write: Duration,
    /// One callback.
    pub callback: Duration,
    /// 1,024 bytes read or written, of a stream or in datagrams. Fewer bytes cost proportionally less.
    pub kibibyte: Duration,
}

impl Costs {
    /// All work takes no time.
    pub const NONE: Self = Self {
        turn: Duration::ZERO,
        call: Duration::ZERO,
        write: Duration::ZERO,
        callback: Duration::ZERO,
        kibibyte: Duration::ZERO,
    };
}

/// Approximately the costs on a virtual machine of 2026 over loopback, including the kernel's work: a turn 1.2 µs,
/// a call 0.8 µs, a write 3.4 µs, a callback 100 ns, a KiB 0.6 µs. The program `planning` measures the error of
/// these values (`--calibrate`).
impl Default for Costs {
    fn default() -> Self {
        Self {
            turn: Duration::from_nanos(1200),
            call: Duration::from_nanos(800),
            write: Duration::from_nanos(3400),
            callback: Duration::from_nanos(100),
            kibibyte: Duration::from_nanos(600),
        }
    }
}
