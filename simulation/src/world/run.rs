//! The loop of a simulated world.

use crate::net::nanos;
use crate::node::{NodeId, PendingSource};
use crate::schedule::{Scheduled, Time};
use crate::world::World;
use std::time::Duration;

/// # Running
impl World {
    /// Runs for so long.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(span, |_| false);
    }

    /// Runs until `done` says so, but not for longer than `limit`. Whether it is done. `done` is asked after
    /// everything that happens.
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

    /// Runs until nothing is going to happen any more by itself, but not for longer than `limit`. Whether
    /// that has come.
    pub fn run_until_quiet(&mut self, limit: Duration) -> bool {
        self.run_until(limit, |world| world.next_at().is_none())
    }

    /// One thing happens. Whether there was anything.
    ///
    /// # Panics
    ///
    /// If a callback does: see [above](Self#a-panic-fails-the-run).
    pub fn step(&mut self) -> bool {
        let happened = self.step_keeping_panic();
        self.propagate_panic();
        happened
    }

    /// [`step`](Self::step), with a panic left to be [taken](Self::take_panic).
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
            what => self.net.borrow_mut().process(at, what),
        }
        self.process_wakeups();
        true
    }

    /// When the next thing happens, with what has come from outside since the last one did.
    pub(crate) fn next_at(&mut self) -> Option<Time> {
        self.process_wakeups();
        self.net.borrow().schedule.next_at()
    }

    /// A node's reactor has a turn.
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
        let goes_on = reactor.run_turn(Some(Duration::ZERO)).unwrap_or(false);
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
            // Its program has asked it to stop, and it has ended in order.
            self.nodes[node.index()].program_on = false;
            drop(self.take_reactor(node));
        }
    }

    /// Somebody has called a reactor through its handle.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_before_a_far_timer_leave_nothing_on_the_agenda() {
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
        world.reactor(node).expect("it is up").context().call_later(Duration::ZERO, tick);
        world.run_for(Duration::from_secs(1));
        assert!(world.callbacks() > 900, "{} callbacks", world.callbacks());
        assert!(world.net.borrow().schedule.len() <= hour + 2);
    }
}
