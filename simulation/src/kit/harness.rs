//! A world without latency, in which each request of a test runs until no work is left.

use crate::kit::recording::Panic;
use crate::kit::test_end::TestEnd;
use crate::net::{SimulatedListener, SimulatedStream, nanos};
use crate::schedule::Time;
use crate::{Costs, Link, NodeId, World};
use ropewalk::{Address, Context};
use std::panic::resume_unwind;
use std::time::Duration;

/// The maximum number of events in one instant. An echo of megabytes needs some hundreds; only an endless chain of
/// events reaches this number.
const MAX_EVENTS_PER_INSTANT: u32 = 100_000;

#[derive(Debug)]
pub(super) struct Harness {
    pub(super) world: World,
    /// The ends that the test holds.
    pub(super) ends: Vec<TestEnd>,
    /// Where a client under test can connect again: the node, the address, and the listener.
    pub(super) listener: Option<(NodeId, Address, SimulatedListener)>,
    /// Where connections are refused.
    pub(super) refused: Option<(NodeId, Address)>,
    /// The events of one instant have not come to an end.
    pub(super) never_idle: bool,
    /// The payload of the first panic of a recorded callback.
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

    /// Adds an end that the test holds. Returns its index.
    pub(super) fn add_end(&mut self, stream: SimulatedStream) -> usize {
        self.ends.push(TestEnd::new(stream));
        self.ends.len() - 1
    }

    /// Processes all events of this instant.
    pub(super) fn settle(&mut self) {
        let now = self.time();
        let mut left = MAX_EVENTS_PER_INSTANT;
        self.ends.iter_mut().for_each(TestEnd::exchange);
        while self.is_due(now) {
            while self.is_due(now) {
                self.never_idle |= left == 0;
                assert!(left > 0, "events never end, and the clock does not move");
                left -= 1;
                self.world.step_keeping_panic();
            }
            self.ends.iter_mut().for_each(TestEnd::exchange);
        }
        self.propagate_panics();
    }

    /// Advances the clock, and processes all events of that time.
    pub(super) fn advance(&mut self, span: Duration) {
        let until = self.time().saturating_add(nanos(span));
        self.settle();
        while let Some(at) = self.world.next_at().filter(|at| *at <= until) {
            self.world.net().borrow_mut().now = at;
            self.settle();
        }
        self.world.net().borrow_mut().now = until;
    }

    /// Calls a function with the context of a node's reactor.
    pub(super) fn call<R>(&mut self, node: NodeId, call: impl FnOnce(&mut Context) -> R) -> R {
        let reactor = self.world.reactor(node).expect("the reactor has stopped");
        let result = call(reactor.context());
        self.settle();
        result
    }

    /// Calls a function with the world.
    pub(super) fn with_world<R>(&mut self, call: impl FnOnce(&mut World) -> R) -> R {
        let result = call(&mut self.world);
        self.settle();
        result
    }

    fn is_due(&mut self, now: Time) -> bool {
        self.world.next_at().is_some_and(|at| at <= now)
    }

    fn time(&self) -> Time {
        self.world.net().borrow().now
    }

    /// Raises a panic again that the reactor has caught.
    fn propagate_panics(&mut self) {
        let message = self.world.take_panic();
        // The original payload, if it is known, makes the test fail as if it had called the code itself.
        if let Some(panic) = self.panic.borrow_mut().take() {
            resume_unwind(panic);
        }
        if let Some(message) = message {
            panic!("{message}");
        }
    }
}
