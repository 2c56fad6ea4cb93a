//! The trace: records as text, and their hash.

use crate::node::NodeId;
use crate::schedule::Time;
use ropewalk::{Address, Id};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::mem;
use std::time::Duration;

/// A record of an event in a world.
///
/// It prints as a line: the time since the world began, in seconds; the node; the id of the socket; and the event.
#[derive(Debug)]
pub struct Record<'a> {
    /// The time since the world began.
    pub time: Duration,
    /// The node, if the event belongs to one.
    pub node: Option<NodeId>,
    /// The name of the node.
    pub name: &'a str,
    /// The socket, if the event belongs to one that is registered with a reactor.
    pub id: Option<Id>,
    /// The event.
    pub what: What<'a>,
}

/// An event.
#[derive(Clone, Copy, Debug, Hash)]
#[non_exhaustive]
pub enum What<'a> {
    /// A connection from this peer was accepted.
    Accepts(&'a Address),
    /// A datagram socket was bound.
    Binds(&'a Address),
    /// A callback was called and has returned: the name of the type or function, and of the callback.
    Called(&'static str, &'static str),
    /// A socket was closed.
    Closes,
    /// An attempt to connect began.
    Connects(&'a Address),
    /// An attempt to connect succeeded.
    Connected(&'a Address),
    /// The node crashed.
    Crashes,
    /// A connection broke.
    Breaks(io::ErrorKind),
    /// A fault began: see [`Fault`](crate::Fault).
    Fault(&'a str),
    /// A fault ended.
    FaultEnds(&'a str),
    /// The node's process was killed.
    Killed,
    /// A datagram was lost, and why.
    Loses(&'static str),
    /// Listening began.
    Listens(&'a Address),
    /// A callback panicked: the name of the type or function, of the callback or `drop`, and the message.
    Panics(&'static str, &'static str, &'a str),
    /// A read returned this many bytes. 0 is the end of stream.
    Reads(usize),
    /// A datagram of this many bytes was received from this sender.
    Receives(usize, &'a Address),
    /// The system refused a request.
    Refuses(io::ErrorKind),
    /// A datagram was sent to this receiver.
    Sends(&'a [u8], &'a Address),
    /// The node ended its side of a connection.
    ShutsDown,
    /// The node started or restarted.
    Starts,
    /// A write took these bytes.
    Writes(&'a [u8]),
    // The hash of a trace depends on the order of the variants: new ones follow here.
    /// A process of the node has exited, in this way.
    Exits(&'a str),
    /// The node has started a process of this program.
    Spawns(&'a str),
}

impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.time.as_secs(), self.time.subsec_nanos());
        let id = self.id.map(|id| id.to_string()).unwrap_or_default();
        write!(f, "{seconds:>5}.{nanos:09} {:<10} {id:<8} {}", self.name, self.what)
    }
}

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepts(peer) => write!(f, "accepts {peer}"),
            Self::Binds(address) => write!(f, "binds {address}"),
            Self::Breaks(kind) => write!(f, "breaks: {kind}"),
            Self::Called(who, callback) => write!(f, "{callback} of {}", short(who)),
            Self::Closes => f.write_str("closes"),
            Self::Connects(address) => write!(f, "connects to {address}"),
            Self::Connected(address) => write!(f, "connected with {address}"),
            Self::Crashes => f.write_str("CRASHES"),
            Self::Exits(how) => write!(f, "a process {how}"),
            Self::Fault(fault) => write!(f, "FAULT {fault}"),
            Self::FaultEnds(fault) => write!(f, "ends: {fault}"),
            Self::Killed => f.write_str("IS KILLED"),
            Self::Listens(address) => write!(f, "listens on {address}"),
            Self::Loses(why) => write!(f, "a datagram is lost: {why}"),
            Self::Panics(who, callback, message) => {
                write!(f, "PANICS in {callback} of {}: {message}", short(who))
            }
            Self::Reads(0) => f.write_str("reads the end"),
            Self::Reads(count) => write!(f, "reads {count}"),
            Self::Receives(count, from) => write!(f, "receives {count} from {from}"),
            Self::Refuses(kind) => write!(f, "is refused: {kind}"),
            Self::Sends(data, to) => write!(f, "sends {} to {to}", Excerpt(data)),
            Self::ShutsDown => f.write_str("ends its side"),
            Self::Spawns(program) => write!(f, "starts the process {program}"),
            Self::Starts => f.write_str("starts"),
            Self::Writes(data) => write!(f, "writes {}", Excerpt(data)),
        }
    }
}

/// Returns the name of a type or function without its modules.
fn short(name: &str) -> String {
    short_parts(name).collect()
}

/// Returns the parts of such a name, each with its trailing punctuation.
fn short_parts(name: &str) -> impl Iterator<Item = &str> {
    let punctuation = ['<', '>', ',', ' ', '{', '}', '(', ')', '&', '[', ']'];
    name.split_inclusive(punctuation).map(|part| part.rsplit(':').next().unwrap_or_default())
}

/// Hashes a record as it is printed: moving a type to another module or crate changes no hash.
fn hash_what(what: &What<'_>, hasher: &mut impl Hasher) {
    let (name, rest) = match what {
        What::Called(name, callback) => (*name, (*callback, "")),
        What::Panics(name, callback, message) => (*name, (*callback, *message)),
        what => return what.hash(hasher),
    };
    mem::discriminant(what).hash(hasher);
    short_parts(name).for_each(|part| hasher.write(part.as_bytes()));
    rest.hash(hasher);
}

/// The number of bytes, and the first of them.
struct Excerpt<'a>(&'a [u8]);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begin = &self.0[..self.0.len().min(40)];
        let more = if begin.len() < self.0.len() { "…" } else { "" };
        write!(f, "{} \"{}{more}\"", self.0.len(), begin.escape_ascii())
    }
}

/// The hash of all records in order. Two runs with the same hash are identical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceHash(u128);

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A callback for each record.
pub(crate) type Watcher = Box<dyn FnMut(&Record<'_>)>;

/// Records the events of a world.
pub(crate) struct Trace {
    hasher: SipHasher13,
    records: u64,
    callbacks: u64,
    watcher: Option<Watcher>,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Self { hasher: SipHasher13::new(), records: 0, callbacks: 0, watcher: None }
    }

    pub(crate) fn set_watcher(&mut self, watcher: Watcher) {
        self.watcher = Some(watcher);
    }

    pub(crate) fn hash(&self) -> TraceHash {
        TraceHash(self.hasher.finish128().as_u128())
    }

    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    pub(crate) fn callbacks(&self) -> u64 {
        self.callbacks
    }

    pub(crate) fn note(
        &mut self,
        time: Time,
        node: Option<(NodeId, &str)>,
        id: Option<Id>,
        what: What<'_>,
    ) {
        self.records += 1;
        self.callbacks += u64::from(matches!(what, What::Called(..)));
        self.hasher.write_u64(time);
        self.hasher.write_u32(node.map_or(u32::MAX, |(node, _)| node.0));
        id.hash(&mut self.hasher);
        hash_what(&what, &mut self.hasher);
        if let Some(watcher) = &mut self.watcher {
            let (node, name) = node.unzip();
            let name = name.unwrap_or("-");
            watcher(&Record { time: Duration::from_nanos(time), node, name, id, what });
        }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("records", &self.records).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_printed_without_modules() {
        assert_eq!(short("a::b::Echo"), "Echo");
        assert_eq!(short("a::Lines<b::c::Chatter>"), "Lines<Chatter>");
        assert_eq!(short("a::main::{{closure}}"), "{{closure}}");
    }

    #[test]
    fn moving_a_type_changes_no_hash() {
        let hash = |name| {
            let mut trace = Trace::new();
            trace.note(1, None, None, What::Called(name, "data_received"));
            trace.hash()
        };
        assert_eq!(hash("a::Lines<b::Echo>"), hash("c::d::Lines<e::Echo>"));
        assert_ne!(hash("a::Lines<b::Echo>"), hash("a::Lines<b::Discard>"));
    }

    #[test]
    fn the_hash_depends_on_the_order() {
        let hash = |counts: [usize; 2]| {
            let mut trace = Trace::new();
            for count in counts {
                trace.note(1, None, None, What::Reads(count));
            }
            trace.hash()
        };
        assert_eq!(hash([1, 2]), hash([1, 2]));
        assert_ne!(hash([1, 2]), hash([2, 1]));
    }
}
