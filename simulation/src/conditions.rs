//! What the network and the system do to a node, for as long as it lasts.

use std::time::Duration;

/// The conditions under which a node works. Those of the two ends of a way add up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    /// So much longer everything takes, and so much longer again at most.
    pub(crate) latency: Duration,
    pub(crate) jitter: Duration,
    /// How likely a segment or a datagram is lost, a datagram doubled or held up.
    pub(crate) loss: f64,
    pub(crate) duplication: f64,
    pub(crate) reordering: f64,
    /// How many bytes a second leave it; 0 is without limit.
    pub(crate) bandwidth: u64,
    /// How much its sockets hold in each direction; 0 is what is usual.
    pub(crate) buffer: usize,
    /// How likely a read or a write is cut short, is told that nothing can be done, or that a socket is
    /// told to be ready for nothing.
    pub(crate) short: f64,
    pub(crate) would_block: f64,
    pub(crate) spurious: f64,
    /// How likely what arrives is a reset instead.
    pub(crate) reset: f64,
    /// Whether those who connect are refused, or not answered.
    pub(crate) refuses: bool,
    pub(crate) unanswering: bool,
    /// Whether it has no descriptors left.
    pub(crate) no_descriptors: bool,
    /// Whether it finds no names.
    pub(crate) no_names: bool,
    /// Whether it does nothing.
    pub(crate) stalled: bool,
}

/// What lies between two nodes, or between all, when nothing is the matter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// How long a byte is on its way at least.
    pub latency: Duration,
    /// How much longer at most.
    pub jitter: Duration,
    /// How likely a segment or a datagram is lost, from 0 to 1. What is lost of a connection is sent again,
    /// after 200 ms at first.
    pub loss: f64,
}

impl Link {
    /// A local network: 100 µs, 50 more at most, and nothing is lost.
    pub const LOCAL: Self =
        Self { latency: Duration::from_micros(100), jitter: Duration::from_micros(50), loss: 0.0 };

    /// No time at all, and nothing is lost.
    pub const INSTANT: Self = Self { latency: Duration::ZERO, jitter: Duration::ZERO, loss: 0.0 };
}

impl Default for Link {
    fn default() -> Self {
        Self::LOCAL
    }
}

/// How long the system and the program take for what they do: the time of a node goes on while it works,
/// and what comes meanwhile has to wait. That is what makes queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// A turn of the reactor.
    pub turn: Duration,
    /// A system call that writes nothing.
    pub call: Duration,
    /// A system call that writes or sends. It takes its data through the network's layers, on loopback as far
    /// as the other socket, and costs more than a read, which finds it there.
    pub write: Duration,
    /// A callback.
    pub callback: Duration,
    /// 1,024 bytes that are read or written, of a stream or in datagrams. A byte costs its share.
    pub kibibyte: Duration,
}

impl Costs {
    /// Nothing takes any time.
    pub const NONE: Self = Self {
        turn: Duration::ZERO,
        call: Duration::ZERO,
        write: Duration::ZERO,
        callback: Duration::ZERO,
        kibibyte: Duration::ZERO,
    };
}

/// About what the reactor costs on a virtual machine of 2026 over loopback, with what the kernel does for it: a turn
/// 1.2 µs, a call 0.8 µs, a write 3.4 µs, a callback 100 ns, a KiB 0.6 µs. The program `planning` measures how far
/// that is off (`--calibrate`).
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
