//! A client and a server, connected with each other.

use crate::kit::harness::Harness;
use crate::kit::recording::{OnData, ProtocolRecord, RecordingFactory, Records, copy_reason};
use crate::{NodeId, World};
use ropewalk::{Context, Factory, Id, Reason};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// A side of a [`TestPair`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The side that connected.
    Client,
    /// The side that listened.
    Server,
}

/// Data that one side has sent and the other has received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptEntry {
    /// The time at which it was received, since the test began.
    pub at: Duration,
    /// The sender.
    pub by: Side,
    /// The data.
    pub bytes: Vec<u8>,
}

/// The data sent between a client and a server, in order.
///
/// Data of one side at one time is one entry, in however many chunks it arrived, as long as the other side sends
/// nothing. Each entry prints as a line: see [`TestPair`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript(Vec<TranscriptEntry>);

/// A client and a server under test, each with its own reactor, connected with each other. Both can use any
/// [`Factory`].
///
/// ```
/// use ropewalk::{Protocol, Transport};
/// use ropewalk_protocols::Echo;
/// use ropewalk_simulation::kit::{Side, TestPair};
///
/// struct Ask;
///
/// impl Protocol for Ask {
///     fn connection_made(&mut self, transport: &mut Transport<'_>) {
///         transport.write(b"hello\n");
///     }
///
///     fn data_received(&mut self, transport: &mut Transport<'_>, _data: &[u8]) {
///         transport.close();
///     }
/// }
///
/// let pair = TestPair::new(|| Echo, || Ask);
/// assert_eq!(pair.transcript().to_string(), "client: hello\\n\nserver: hello\\n\n");
/// assert!(matches!(pair.reason(Side::Client), Some(ropewalk::Reason::Closed)));
/// assert!(matches!(pair.reason(Side::Server), Some(ropewalk::Reason::ClosedByPeer)));
/// ```
///
/// # Panics
///
/// Methods that process events panic if a callback, a timer or a call panics meanwhile: see the
/// [module](crate::kit).
#[derive(Debug)]
#[doc(alias = "IOPump")]
pub struct TestPair {
    harness: Harness,
    transcript: Rc<RefCell<Transcript>>,
    client: Tested,
    server: Tested,
}

#[derive(Debug)]
struct Tested {
    node: NodeId,
    records: Records,
}

impl TestPair {
    /// Connects the client with the server, and processes events until both only wait for timers.
    pub fn new(server: impl Factory, client: impl Factory) -> Self {
        let mut harness = Harness::new();
        let transcript = Rc::default();
        let server =
            Tested::new(&mut harness, server, Side::Server, &transcript, |context, factory| {
                context.listen_tcp("[::]:7000", factory).map(drop)
            });
        let client =
            Tested::new(&mut harness, client, Side::Client, &transcript, |context, factory| {
                context.connect_tcp("server:7000", factory).map(drop)
            });
        Self { harness, transcript, client, server }
    }

    /// Advances the clock, and processes all events of that time.
    pub fn advance(&mut self, span: Duration) {
        self.harness.advance(span);
    }

    /// Returns the time since the test began.
    pub fn now(&self) -> Duration {
        self.harness.world.now()
    }

    /// Processes all pending events. This is only needed after a request that did not use this pair, such as a
    /// call through a [`Handle`](ropewalk::Handle).
    pub fn settle(&mut self) {
        self.harness.settle();
    }

    /// Returns the transcript so far.
    pub fn transcript(&self) -> Transcript {
        self.transcript.borrow().clone()
    }

    /// Returns the reason of that side's `connection_lost`, or `None` before that callback.
    pub fn reason(&self, side: Side) -> Option<Reason> {
        self.record(side)?.borrow().reason.as_ref().map(copy_reason)
    }

    /// Returns the names of that side's callbacks so far, beginning with the factory's `build`.
    pub fn callbacks(&self, side: Side) -> Vec<&'static str> {
        self.record(side).map(|record| record.borrow().callbacks.clone()).unwrap_or_default()
    }

    /// Returns the id of the connection in that side's reactor, or `None` if no connection was made there.
    pub fn id(&self, side: Side) -> Option<Id> {
        self.record(side)?.borrow().id
    }

    /// Calls a function with the context of that side's reactor.
    ///
    /// ```
    /// # use ropewalk_protocols::Echo;
    /// # use ropewalk_simulation::kit::{Side, TestPair};
    /// # use ropewalk_protocols::Discard;
    /// let mut pair = TestPair::new(|| Echo, || Discard);
    /// let id = pair.id(Side::Client).unwrap();
    /// pair.call(Side::Client, |context| context.transport(id).write(b"hello"));
    /// assert_eq!(pair.transcript().text_of(Side::Server), "hello");
    /// ```
    ///
    /// # Panics
    ///
    /// If that reactor has [stopped](Context::stop), or if a callback panics.
    pub fn call<R>(&mut self, side: Side, call: impl FnOnce(&mut Context) -> R) -> R {
        let node = self.tested(side).node;
        self.harness.call(node, call)
    }

    /// Calls a function with the world of the pair, for example to add latency or faults. Its nodes are `server`,
    /// node 0, and `client`, node 1.
    pub fn with_world<R>(&mut self, call: impl FnOnce(&mut World) -> R) -> R {
        self.harness.with_world(call)
    }

    fn tested(&self, side: Side) -> &Tested {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    fn record(&self, side: Side) -> Option<Rc<RefCell<ProtocolRecord>>> {
        self.tested(side).records.borrow().first().cloned()
    }
}

impl Tested {
    fn new<F: Factory>(
        harness: &mut Harness,
        factory: F,
        side: Side,
        transcript: &Rc<RefCell<Transcript>>,
        begin: impl FnOnce(&mut Context, RecordingFactory<F>) -> Result<(), ropewalk::Error>,
    ) -> Self {
        let (name, speaker) = match side {
            Side::Client => ("client", Side::Server),
            Side::Server => ("server", Side::Client),
        };
        let node = harness.world.add_node(name, |_| Ok(()));
        let (transcript, start) = (transcript.clone(), harness.call(node, |context| context.now()));
        let on_data: OnData = Rc::new(move |now, bytes| {
            transcript.borrow_mut().add(now.duration_since(start), speaker, bytes);
        });
        let (factory, records) = RecordingFactory::new(factory, &harness.panic, Some(on_data));
        harness
            .call(node, |context| begin(context, factory))
            .expect("the port is free in a new world");
        Self { node, records }
    }
}

impl Transcript {
    /// Returns the entries.
    pub fn iter(&self) -> impl Iterator<Item = &TranscriptEntry> {
        self.0.iter()
    }

    /// Returns all data that one side sent.
    pub fn bytes_of(&self, side: Side) -> Vec<u8> {
        self.0
            .iter()
            .filter(|entry| entry.by == side)
            .flat_map(|entry| entry.bytes.clone())
            .collect()
    }

    /// Returns all data that one side sent, as text. Invalid UTF-8 is replaced.
    pub fn text_of(&self, side: Side) -> String {
        String::from_utf8_lossy(&self.bytes_of(side)).into_owned()
    }

    fn add(&mut self, at: Duration, by: Side, bytes: &[u8]) {
        match self.0.last_mut() {
            Some(last) if last.by == by && last.at == at => last.bytes.extend(bytes),
            _ => self.0.push(TranscriptEntry { at, by, bytes: bytes.to_vec() }),
        }
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|entry| writeln!(f, "{entry}"))
    }
}

/// Prints `client: hello\r\n`, with unprintable bytes escaped.
impl fmt::Display for TranscriptEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            Side::Client => "client",
            Side::Server => "server",
        };
        write!(f, "{by}: {}", self.bytes.escape_ascii())
    }
}
