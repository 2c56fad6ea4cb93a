//! A client and a server, back to back.

use crate::kit::harness::Harness;
use crate::kit::recording::{OnData, ProtocolRecord, RecordingFactory, Records, copy_reason};
use crate::{NodeId, World};
use ropewalk::{Context, Factory, Id, Reason};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// One of the two of a [`TestPair`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The one that connected.
    Client,
    /// The one that listened.
    Server,
}

/// What one side said, and the other has received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptEntry {
    /// When it was received, since the test began.
    pub at: Duration,
    /// Who said it.
    pub by: Side,
    /// What.
    pub bytes: Vec<u8>,
}

/// All that was said between a client and a server, in order.
///
/// What one side says at one moment, while the other one is silent, is one entry, in however many pieces
/// it came. It prints as a line for each: see [`TestPair`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript(Vec<TranscriptEntry>);

/// A client and a server under test, each with a reactor of its own, connected with each other. Whoever
/// listens and connects in a program is any [`Factory`] here.
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
/// All that lets something happen panics if a callback, a timer or a call does so meanwhile: see the
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
    /// Has the client connect with the server, and lets them talk as long as nobody waits for a timer.
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

    /// Lets time pass: what is due meanwhile happens at its moment.
    pub fn advance(&mut self, span: Duration) {
        self.harness.advance(span);
    }

    /// How much time has passed.
    pub fn now(&self) -> Duration {
        self.harness.world.now()
    }

    /// Lets everything be done that is to be done now. It only needs to be asked for after something that
    /// did not go through this pair: a [`Handle`](ropewalk::Handle)'s call, say.
    pub fn settle(&mut self) {
        self.harness.settle();
    }

    /// What was said so far.
    pub fn transcript(&self) -> Transcript {
        self.transcript.borrow().clone()
    }

    /// Why the connection ended, as that side's protocol was told; `None` as long as it has not been.
    pub fn reason(&self, side: Side) -> Option<Reason> {
        self.record(side)?.borrow().reason.as_ref().map(copy_reason)
    }

    /// The names of the callbacks that were made on that side so far, in order, beginning with the factory's
    /// `build`.
    pub fn callbacks(&self, side: Side) -> Vec<&'static str> {
        self.record(side).map(|record| record.borrow().callbacks.clone()).unwrap_or_default()
    }

    /// The name of the connection in that side's reactor; `None` if no connection was made there.
    pub fn id(&self, side: Side) -> Option<Id> {
        self.record(side)?.borrow().id
    }

    /// Asks something of that side's reactor, or has it do something.
    ///
    /// ```
    /// # use ropewalk_protocols::Echo;
    /// # use ropewalk_simulation::kit::{Side, TestPair};
    /// # use ropewalk_protocols::Discard;
    /// let mut pair = TestPair::new(|| Echo, || Discard);
    /// let id = pair.id(Side::Client).unwrap();
    /// pair.call(Side::Client, |context| context.write(id, b"hello"));
    /// assert_eq!(pair.transcript().text_of(Side::Server), "hello");
    /// ```
    ///
    /// # Panics
    ///
    /// If that reactor has been [stopped](Context::stop); or if a callback panics.
    pub fn call<R>(&mut self, side: Side, call: impl FnOnce(&mut Context) -> R) -> R {
        let node = self.tested(side).node;
        self.harness.call(node, call)
    }

    /// The world in which they are: to give them latency, say, or faults. Its nodes are called `server` and
    /// `client`, and are the nodes 0 and 1.
    pub fn with_world<R>(&mut self, call: impl FnOnce(&mut World) -> R) -> R {
        let result = call(&mut self.harness.world);
        self.harness.settle();
        result
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
        harness.call(node, |context| begin(context, factory)).expect("a world that was just made");
        Self { node, records }
    }
}

impl Transcript {
    /// What was said, and when, and by whom.
    pub fn iter(&self) -> impl Iterator<Item = &TranscriptEntry> {
        self.0.iter()
    }

    /// All that one side said.
    pub fn bytes_of(&self, side: Side) -> Vec<u8> {
        self.0
            .iter()
            .filter(|entry| entry.by == side)
            .flat_map(|entry| entry.bytes.clone())
            .collect()
    }

    /// All that one side said, as text. What is not UTF-8 is replaced.
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

/// `client: hello\r\n`, with what is not to be printed escaped.
impl fmt::Display for TranscriptEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            Side::Client => "client",
            Side::Server => "server",
        };
        write!(f, "{by}: {}", self.bytes.escape_ascii())
    }
}
