//! Actors who do what a script says, and what they have heard.

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

/// What an actor hears.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cue<'a> {
    Made,
    Data(&'a [u8]),
    Eof,
    Paused,
    Resumed,
    Lost,
}

/// What actors with one script have heard, all together.
#[derive(Clone, Default)]
pub(crate) struct Heard(Rc<Notes>);

#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) made: Cell<usize>,
    pub(crate) data: RefCell<Vec<u8>>,
    pub(crate) ends: Cell<usize>,
    /// The reasons for which connections were lost, by their names.
    pub(crate) lost: RefCell<Vec<String>>,
    /// Why attempts to connect have failed.
    pub(crate) failed: RefCell<Vec<Error>>,
    /// When the last of all that was.
    pub(crate) at: Cell<Option<Instant>>,
    /// The latest connection.
    pub(crate) id: Cell<Option<Id>>,
    /// How many actors there are.
    pub(crate) alive: Cell<usize>,
}

impl std::ops::Deref for Heard {
    type Target = Notes;

    fn deref(&self) -> &Notes {
        &self.0
    }
}

impl Heard {
    /// The kinds of reasons for which connections were lost.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.lost.borrow().clone()
    }

    pub(crate) fn received(&self) -> usize {
        self.data.borrow().len()
    }
}

type Script = Rc<dyn Fn(&mut Transport<'_>, Cue<'_>)>;

/// Makes actors.
#[derive(Clone)]
pub(crate) struct Cast {
    pub(crate) heard: Heard,
    script: Script,
}

impl Cast {
    pub(crate) fn new(script: impl Fn(&mut Transport<'_>, Cue<'_>) + 'static) -> Self {
        Self { heard: Heard::default(), script: Rc::new(script) }
    }

    /// They only listen, and close when their peer has.
    pub(crate) fn quiet() -> Self {
        Self::new(close_at_end)
    }

    /// They send everything back.
    pub(crate) fn echo() -> Self {
        Self::new(|transport, cue| match cue {
            Cue::Data(data) => transport.write(data),
            cue => close_at_end(transport, cue),
        })
    }

    /// They say this, and then listen.
    pub(crate) fn says(text: impl Into<Vec<u8>>) -> Self {
        let text = text.into();
        Self::new(move |transport, cue| match cue {
            Cue::Made => transport.write(&text),
            cue => close_at_end(transport, cue),
        })
    }
}

pub(crate) fn close_at_end(transport: &mut Transport<'_>, cue: Cue<'_>) {
    if let Cue::Eof = cue {
        transport.close();
    }
}

impl Factory for Cast {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        self.heard.alive.set(self.heard.alive.get() + 1);
        Some(Box::new(Actor(self.clone())))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
        self.heard.at.set(Some(context.now()));
        self.heard.failed.borrow_mut().push(error);
    }
}

struct Actor(Cast);

impl Actor {
    fn play(&self, transport: &mut Transport<'_>, cue: Cue<'_>) {
        let now = transport.context().now();
        self.0.heard.at.set(Some(now));
        (self.0.script)(transport, cue);
    }
}

impl Protocol for Actor {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.0.heard.made.set(self.0.heard.made.get() + 1);
        self.0.heard.id.set(Some(transport.id()));
        self.play(transport, Cue::Made);
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.0.heard.data.borrow_mut().extend_from_slice(data);
        self.play(transport, Cue::Data(data));
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        self.0.heard.ends.set(self.0.heard.ends.get() + 1);
        self.play(transport, Cue::Eof);
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        self.play(transport, Cue::Paused);
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        self.play(transport, Cue::Resumed);
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        let name = format!("{reason:?}");
        let kind = name.split('(').next().unwrap_or_default().to_owned();
        self.0.heard.lost.borrow_mut().push(kind);
        self.play(transport, Cue::Lost);
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.0.heard.alive.set(self.0.heard.alive.get() - 1);
    }
}

/// Bytes that tell where a gap would be.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place % 251) as u8 ^ (place / 251) as u8).collect()
}

/// A node that listens on port 7000 with these actors.
pub(crate) fn listens(world: &mut World, cast: &Cast) -> NodeId {
    let cast = cast.clone();
    world.add_node("server", move |reactor| {
        reactor.listen_tcp("0.0.0.0:7000", cast.clone()).map(drop)
    })
}

/// A node that does this at once.
pub(crate) fn does(world: &mut World, name: &str, what: impl Fn(&mut Context) + 'static) -> NodeId {
    world.add_node(name, move |reactor: &mut Reactor| {
        what(reactor.context());
        Ok(())
    })
}

/// A node that connects to the server, and plays this.
pub(crate) fn connects(world: &mut World, cast: &Cast) -> NodeId {
    let cast = cast.clone();
    does(world, "client", move |context| _ = context.connect_tcp("server:7000", cast.clone()))
}

/// The fault is there from now on for so long.
pub(crate) fn has(world: &mut World, kind: FaultKind, node: NodeId, span: Duration) {
    let mut plan = Plan::none();
    plan.add(Duration::ZERO, span, Fault { kind, node, other: node, severity: 1.0 });
    world.add_faults(&plan);
}

/// How many turns a node's reactor has had.
pub(crate) fn turns(world: &mut World, node: NodeId) -> u64 {
    world.reactor(node).map_or(0, |reactor| reactor.context().statistics().turns)
}

/// All connections are over, for the nodes and for the network.
pub(crate) fn nobody_is_left(world: &mut World) {
    let nodes: Vec<NodeId> = world.nodes().collect();
    for node in nodes {
        assert_eq!(world.reactor(node).unwrap().context().connections().count(), 0);
    }
    assert_eq!(world.connections(), 0);
}

/// Says so much, then does something.
pub(crate) fn says_and(text: usize, then: fn(&mut Transport<'_>)) -> Cast {
    Cast::new(move |transport, cue| match cue {
        Cue::Made => {
            transport.write(&pattern(text));
            then(transport);
        }
        cue => close_at_end(transport, cue),
    })
}

/// The slot of an id, which is printed as `#slot.serial`.
pub(crate) fn slot(id: Id) -> usize {
    let text = id.to_string();
    let slot = text.trim_start_matches('#').split('.').next().map(str::parse);
    slot.and_then(Result::ok).expect("an id has a slot")
}

/// Who talks to an echo all the time, and the longest that it has had to wait for an answer.
pub(crate) fn pings() -> (Cast, Rc<Cell<Duration>>) {
    let slowest = Rc::new(Cell::new(Duration::ZERO));
    let (theirs, since) = (slowest.clone(), Cell::new(None));
    let pings = Cast::new(move |transport, cue| {
        if let Cue::Made | Cue::Data(_) = cue {
            let now = transport.context().now();
            if let Some(since) = since.replace(Some(now)) {
                theirs.set(theirs.get().max(now - since));
            }
            transport.write(b"!");
        }
    });
    (pings, slowest)
}
