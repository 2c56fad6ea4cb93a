//! Protocols that run a script, and what they have received.

#[path = "../../../tests/support/pattern.rs"]
mod pattern;

pub(crate) use pattern::pattern;
use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reactor, Reason, Transport};
use ropewalk_simulation::{Fault, FaultKind, NodeId, Plan, World};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// An event of a protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event<'a> {
    Made,
    Data(&'a [u8]),
    Eof,
    Paused,
    Resumed,
    Lost,
}

/// The records of all protocols with one script.
#[derive(Clone, Default)]
pub(crate) struct Record(Rc<RecordData>);

#[derive(Default)]
pub(crate) struct RecordData {
    pub(crate) made: Cell<usize>,
    pub(crate) data: RefCell<Vec<u8>>,
    pub(crate) ends: Cell<usize>,
    /// The reasons of lost connections, by name.
    pub(crate) lost: RefCell<Vec<String>>,
    /// The errors of failed attempts.
    pub(crate) failed: RefCell<Vec<Error>>,
    /// The time of the last event.
    pub(crate) at: Cell<Option<Instant>>,
    /// The latest connection.
    pub(crate) id: Cell<Option<Id>>,
    /// The number of existing protocols.
    pub(crate) alive: Cell<usize>,
}

impl std::ops::Deref for Record {
    type Target = RecordData;

    fn deref(&self) -> &RecordData {
        &self.0
    }
}

impl Record {
    /// Returns the reasons of lost connections, by name.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.lost.borrow().clone()
    }

    pub(crate) fn received(&self) -> usize {
        self.data.borrow().len()
    }
}

type ScriptFn = Rc<dyn Fn(&mut Transport<'_>, Event<'_>)>;

/// A factory of scripted protocols.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) record: Record,
    function: ScriptFn,
}

impl Script {
    pub(crate) fn new(function: impl Fn(&mut Transport<'_>, Event<'_>) + 'static) -> Self {
        Self { record: Record::default(), function: Rc::new(function) }
    }

    /// Returns a script that only closes when the peer has ended.
    pub(crate) fn silent() -> Self {
        Self::new(close_at_end)
    }

    /// Returns a script that reads nothing.
    pub(crate) fn pausing() -> Self {
        Self::new(|transport, event| {
            if let Event::Made = event {
                transport.pause();
            }
        })
    }

    /// Returns a script that sends all data back.
    pub(crate) fn echo() -> Self {
        Self::new(|transport, event| match event {
            Event::Data(data) => transport.write(data),
            event => close_at_end(transport, event),
        })
    }

    /// Returns a script that sends `text` first.
    pub(crate) fn sending(text: impl Into<Vec<u8>>) -> Self {
        let text = text.into();
        Self::new(move |transport, event| match event {
            Event::Made => transport.write(&text),
            event => close_at_end(transport, event),
        })
    }
}

/// Pauses reading, and resumes it after `delay`.
pub(crate) fn pause_for(transport: &mut Transport<'_>, delay: Duration) {
    transport.pause();
    let id = transport.id();
    transport.context().call_later(delay, move |context| context.transport(id).resume());
}

pub(crate) fn close_at_end(transport: &mut Transport<'_>, event: Event<'_>) {
    if let Event::Eof = event {
        transport.close();
    }
}

impl Factory for Script {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        self.record.alive.set(self.record.alive.get() + 1);
        Some(Box::new(ScriptedProtocol(self.clone())))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
        self.record.at.set(Some(context.now()));
        self.record.failed.borrow_mut().push(error);
    }
}

struct ScriptedProtocol(Script);

impl ScriptedProtocol {
    fn run(&self, transport: &mut Transport<'_>, event: Event<'_>) {
        let now = transport.context().now();
        self.0.record.at.set(Some(now));
        (self.0.function)(transport, event);
    }
}

impl Protocol for ScriptedProtocol {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.0.record.made.set(self.0.record.made.get() + 1);
        self.0.record.id.set(Some(transport.id()));
        self.run(transport, Event::Made);
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.0.record.data.borrow_mut().extend_from_slice(data);
        self.run(transport, Event::Data(data));
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        self.0.record.ends.set(self.0.record.ends.get() + 1);
        self.run(transport, Event::Eof);
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        self.run(transport, Event::Paused);
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        self.run(transport, Event::Resumed);
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        let name = format!("{reason:?}");
        let kind = name.split('(').next().unwrap_or_default().to_owned();
        self.0.record.lost.borrow_mut().push(kind);
        self.run(transport, Event::Lost);
    }
}

impl Drop for ScriptedProtocol {
    fn drop(&mut self) {
        self.0.record.alive.set(self.0.record.alive.get() - 1);
    }
}

/// Adds a node that listens on port 7000 with this script.
pub(crate) fn add_server(world: &mut World, script: &Script) -> NodeId {
    let script = script.clone();
    world.add_node("server", move |reactor| {
        reactor.listen_tcp("0.0.0.0:7000", script.clone()).map(drop)
    })
}

/// Adds a node that calls `what` when it starts.
pub(crate) fn run_on_node(
    world: &mut World,
    name: &str,
    what: impl Fn(&mut Context) + 'static,
) -> NodeId {
    world.add_node(name, move |reactor: &mut Reactor| {
        what(reactor.context());
        Ok(())
    })
}

/// Adds a node that connects to the server with this script.
pub(crate) fn add_client(world: &mut World, script: &Script) -> NodeId {
    let script = script.clone();
    run_on_node(world, "client", move |context| {
        _ = context.connect_tcp("server:7000", script.clone())
    })
}

/// Adds a fault that lasts from now on for `span`.
pub(crate) fn add_fault(world: &mut World, kind: FaultKind, node: NodeId, span: Duration) {
    let mut plan = Plan::none();
    plan.add(Duration::ZERO, span, Fault { kind, node, other: node, severity: 1.0 });
    world.add_faults(&plan);
}

/// Returns the number of turns of a node's reactor.
pub(crate) fn turns(world: &mut World, node: NodeId) -> u64 {
    world.reactor(node).map_or(0, |reactor| reactor.context().statistics().turns)
}

/// Asserts that no connection is left, on the nodes and in the network.
pub(crate) fn assert_nothing_left(world: &mut World) {
    let nodes: Vec<NodeId> = world.nodes().collect();
    for node in nodes {
        assert_eq!(world.reactor(node).unwrap().context().connections().count(), 0);
    }
    assert_eq!(world.connections(), 0);
}

/// Returns a script that sends data, and then calls `then`.
pub(crate) fn sending_and(text: usize, then: fn(&mut Transport<'_>)) -> Script {
    Script::new(move |transport, event| match event {
        Event::Made => {
            transport.write(&pattern(text));
            then(transport);
        }
        event => close_at_end(transport, event),
    })
}

/// Returns the slot of an id, which prints as `#slot.serial`.
pub(crate) fn slot(id: Id) -> usize {
    let text = id.to_string();
    let slot = text.trim_start_matches('#').split('.').next().map(str::parse);
    slot.and_then(Result::ok).expect("an id has a slot")
}

/// Returns a script that always waits for an echo, and the longest time it has waited.
pub(crate) fn pinging() -> (Script, Rc<Cell<Duration>>) {
    let slowest = Rc::new(Cell::new(Duration::ZERO));
    let (shared, since) = (slowest.clone(), Cell::new(None));
    let pinging = Script::new(move |transport, event| {
        if let Event::Made | Event::Data(_) = event {
            let now = transport.context().now();
            if let Some(since) = since.replace(Some(now)) {
                shared.set(shared.get().max(now - since));
            }
            transport.write(b"!");
        }
    });
    (pinging, slowest)
}
