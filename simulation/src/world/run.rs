//! The event loop of a simulated world.

use crate::net::nanos;
use crate::node::{NodeId, PendingSource};
use crate::schedule::{Scheduled, Time};
use crate::world::World;
use ropewalk::{Error, Reactor, Step};
use std::time::Duration;

/// # Running
impl World {
    /// Runs for this time.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(span, |_| false);
    }

    /// Runs until `done` returns true, at most for `limit`. `done` is called after each event. Returns its last
    /// result.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let until = self.net.borrow().now.saturating_add(nanos(limit));
        while !done(self) {
            if self.next_at().is_none_or(|at| at > until) {
                self.net.borrow_mut().now = until;
                return done(self);
            }
            self.step();
        }
        true
    }

    /// Runs until no event is scheduled, at most for `limit`. Returns true if no event is left.
    pub fn run_until_quiet(&mut self, limit: Duration) -> bool {
        self.run_until(limit, |world| world.next_at().is_none())
    }

    /// Processes one event. Returns true if there was one.
    ///
    /// # Panics
    ///
    /// If a callback panics: see [above](Self#a-panic-fails-the-run).
    pub fn step(&mut self) -> bool {
        let happened = self.step_keeping_panic();
        self.propagate_panic();
        happened
    }

    /// [`step`](Self::step), but a panic is left to be [taken](Self::take_panic).
    pub(crate) fn step_keeping_panic(&mut self) -> bool {
        let next = self.net.borrow_mut().schedule.pop();
        let Some((at, what)) = next else {
            return false;
        };
        match what {
            Scheduled::Turn(node) => self.turn(NodeId(node), at),
            Scheduled::Start(node) => {
                self.net.borrow_mut().now = at;
                self.try_again(NodeId(node), at);
            }
            Scheduled::Fault(number, begins) => self.change_fault(at, number, begins),
            Scheduled::Job(number) => self.run_job(at, number),
            what => self.net.borrow_mut().process(at, what),
        }
        self.process_wakeups();
        true
    }

    /// Returns the time of the next event, after wakeups from other threads were processed.
    pub(crate) fn next_at(&mut self) -> Option<Time> {
        self.process_wakeups();
        self.net.borrow().schedule.next_at()
    }

    /// Sets whether nodes make each turn in [steps](Reactor::step). The run is the same. Default: false.
    pub fn turn_by_steps(&mut self, by_steps: bool) {
        self.by_steps = by_steps;
    }

    /// Runs a turn of a node's reactor.
    fn turn(&mut self, node: NodeId, at: u64) {
        if !self.net.borrow_mut().take_turn(node, at) {
            return;
        }
        let Some(reactor) = &mut self.nodes[node.index()].reactor else {
            return;
        };
        {
            let mut net = self.net.borrow_mut();
            net.begin_work(node);
            net.spent += nanos(net.costs.turn);
            net.host_mut(node).in_turn = true;
        }
        let goes_on = match self.by_steps {
            true => step_through(reactor),
            false => reactor.run_turn(Some(Duration::ZERO)),
        };
        let goes_on = goes_on.unwrap_or(false);
        let timeout = reactor.timeout();
        let mut net = self.net.borrow_mut();
        net.finish_work();
        let host = net.host_mut(node);
        host.in_turn = false;
        let busy_until = host.busy_until;
        let next = match timeout {
            _ if !host.pending.is_empty() => Some(busy_until),
            Some(span) => {
                let span = host.clock.world_span(nanos(span));
                Some(busy_until.saturating_add(span))
            }
            None => None,
        };
        if let Some(at) = next {
            net.schedule_turn_at(node, at);
        }
        drop(net);
        if !goes_on {
            // The program has stopped its reactor.
            self.nodes[node.index()].program_on = false;
            drop(self.take_reactor(node));
        }
    }

    /// Processes wakeups through reactors' handles.
    fn process_wakeups(&mut self) {
        if let Some(woken) = self.wakeups.take() {
            let mut net = self.net.borrow_mut();
            net.finish_work();
            for node in woken {
                net.notify(node, PendingSource::Woken);
            }
        }
    }
}

/// Makes a turn in steps. A reactor that is stopping makes it as a whole.
fn step_through(reactor: &mut Reactor) -> Result<bool, Error> {
    if reactor.context().is_stopping() {
        return reactor.run_turn(Some(Duration::ZERO));
    }
    while reactor.step(Some(Duration::ZERO))? != Step::TurnEnded {}
    match reactor.context().is_stopping() {
        true => reactor.run_turn(Some(Duration::ZERO)), // Requested in this turn, and begun at the end of it.
        false => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_before_a_distant_timer_schedule_nothing_else() {
        fn tick(context: &mut ropewalk::Context) {
            context.call_later(Duration::from_millis(1), tick);
        }
        let mut world = World::new(1);
        let node = world.add_node("node", |reactor| {
            reactor.context().call_later(Duration::from_secs(3600), |_| ());
            Ok(())
        });
        let hour = world.net.borrow().schedule.len();
        for _ in 0..1000 {
            world.reactor(node);
            world.run_for(Duration::from_millis(1));
        }
        assert!(world.net.borrow().schedule.len() <= hour + 2);
        world.reactor(node).expect("the node is up").context().call_later(Duration::ZERO, tick);
        world.run_for(Duration::from_secs(1));
        assert!(world.callbacks() > 900, "{} callbacks", world.callbacks());
        assert!(world.net.borrow().schedule.len() <= hour + 2);
    }
}
