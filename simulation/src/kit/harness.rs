//! The world of a test: nothing takes time in it, and each thing that is done comes to rest.

use crate::kit::recording::Panic;
use crate::kit::test_end::TestEnd;
use crate::net::{SimulatedListener, SimulatedStream, nanos};
use crate::schedule::Time;
use crate::{Costs, Link, NodeId, World};
use ropewalk::{Address, Context};
use std::panic::resume_unwind;
use std::time::Duration;

/// How many things may happen at one moment. An echo of megabytes needs some hundreds; whoever needs a
/// hundred thousand calls himself again and again.
const MAX_EVENTS_PER_INSTANT: u32 = 100_000;

#[derive(Debug)]
pub(super) struct Harness {
    pub(super) world: World,
    /// The ends that the test holds.
    pub(super) ends: Vec<TestEnd>,
    /// Where a client that is under test can connect again: the node, the address, and who listens.
    pub(super) listener: Option<(NodeId, Address, SimulatedListener)>,
    /// Where it cannot at the moment.
    pub(super) refused: Option<(NodeId, Address)>,
    /// It has not come to rest once, and never will.
    pub(super) never_idle: bool,
    /// What a callback that is watched has panicked with.
    pub(super) panic: Panic,
}

impl Harness {
    pub(super) fn new() -> Self {
        let world = World::new(0).link(Link::INSTANT).costs(Costs::NONE);
        let (listener, refused) = (None, None);
        Self {
            world,
            ends: Vec::new(),
            listener,
            refused,
            never_idle: false,
            panic: Panic::default(),
        }
    }

    /// The test holds one more end. Its number.
    pub(super) fn add_end(&mut self, stream: SimulatedStream) -> usize {
        self.ends.push(TestEnd::new(stream));
        self.ends.len() - 1
    }

    /// All that is to be done at this moment is done.
    pub(super) fn settle(&mut self) {
        let now = self.time();
        let mut left = MAX_EVENTS_PER_INSTANT;
        self.ends.iter_mut().for_each(TestEnd::exchange);
        while self.is_due(now) {
            while self.is_due(now) {
                self.never_idle |= left == 0;
                assert!(left > 0, "it never comes to rest, and the clock stands still meanwhile");
                left -= 1;
                self.world.step_keeping_panic();
            }
            self.ends.iter_mut().for_each(TestEnd::exchange);
        }
        self.propagate_panics();
    }

    /// Time passes, and all that is to be done meanwhile is done at its moment.
    pub(super) fn advance(&mut self, span: Duration) {
        let until = self.time().saturating_add(nanos(span));
        self.settle();
        while let Some(at) = self.world.next_at().filter(|at| *at <= until) {
            self.world.net().borrow_mut().now = at;
            self.settle();
        }
        self.world.net().borrow_mut().now = until;
    }

    /// Asks something of a node's reactor, or has it do something.
    pub(super) fn call<R>(&mut self, node: NodeId, call: impl FnOnce(&mut Context) -> R) -> R {
        let reactor = self.world.reactor(node).expect("the reactor has been stopped");
        let result = call(reactor.context());
        self.settle();
        result
    }

    fn is_due(&mut self, now: Time) -> bool {
        self.world.next_at().is_some_and(|at| at <= now)
    }

    fn time(&self) -> Time {
        self.world.net().borrow().now
    }

    /// A panic that the reactor has caught goes on here.
    fn propagate_panics(&mut self) {
        let message = self.world.take_panic();
        // With what it was, if that is known, so that the test fails as though it had called the code itself.
        if let Some(panic) = self.panic.borrow_mut().take() {
            resume_unwind(panic);
        }
        if let Some(message) = message {
            panic!("{message}");
        }
    }
}
