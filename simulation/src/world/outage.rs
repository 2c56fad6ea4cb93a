//! Starts, crashes and kills of nodes.

use crate::backend::NodeBackend;
use crate::net::nanos;
use crate::node::NodeId;
use crate::schedule::{Scheduled, Time};
use crate::trace::What;
use crate::world::World;
use ropewalk::Reactor;
use std::sync::Arc;
use std::time::Duration;

/// The delay after which a node that could not start tries again, as under a supervisor.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// # Outages
///
/// A node runs if it was started, was not crashed or killed since, has not ended by itself, and no
/// [`Crash`](crate::FaultKind::Crash) of a plan is in force. So a node that is started during such a fault starts
/// when the fault ends, and the end of the fault starts only nodes that should run.
impl World {
    /// Starts a node that is not running.
    pub fn start(&mut self, node: NodeId) {
        let this = &mut self.nodes[node.index()];
        (this.machine_on, this.program_on, this.retry_at) = (true, true, None);
        self.update_node(node);
    }

    /// Crashes a node, as a power failure does: its memory is lost, its protocols receive no callbacks, and no
    /// peer is notified. [`start`](Self::start) restarts it.
    pub fn crash(&mut self, node: NodeId) {
        let this = &mut self.nodes[node.index()];
        (this.machine_on, this.program_on) = (false, false);
        self.net().borrow_mut().finish_work();
        self.update_node(node);
        self.propagate_panic();
    }

    /// Kills the process of a node, as by SIGKILL. As after a [crash](Self::crash), its memory is lost and its
    /// protocols receive no callbacks. But its system still runs, and closes the sockets as close(2) does: written
    /// data is sent, and then the end of stream; a connection with unread data, or that was not accepted yet, is
    /// reset, and so is a connection if its peer writes later. New connections are refused. [`start`](Self::start) restarts
    /// the program.
    pub fn kill(&mut self, node: NodeId) {
        self.nodes[node.index()].program_on = false;
        let Some(reactor) = self.take_reactor(node) else {
            return;
        };
        {
            let mut net = self.net().borrow_mut();
            net.begin_work(node);
            net.note(node, None, What::Killed);
            net.host_mut(node).pending.clear();
        }
        reactor.abandon();
        self.propagate_panic();
    }

    /// Updates a node to the state that was requested, as far as the faults in force allow.
    pub(crate) fn update_node(&mut self, node: NodeId) {
        let this = &self.nodes[node.index()];
        let (is_idle, program_on) = (this.reactor.is_none(), this.program_on);
        let waits = this.retry_at.is_some();
        let (is_up, machine_on) = {
            let net = self.net().borrow();
            (net.host(node).is_up, this.machine_on && !net.faults.keep_down(node))
        };
        match (is_up, machine_on) {
            (true, false) => self.cut_power(node),
            (false, true) => self.net().borrow_mut().host_mut(node).is_up = true,
            _ => {}
        }
        if machine_on && program_on && is_idle && !waits {
            self.run_program(node);
        }
    }

    fn cut_power(&mut self, node: NodeId) {
        self.nodes[node.index()].retry_at = None;
        self.net().borrow_mut().crash(node);
        if let Some(reactor) = self.take_reactor(node) {
            reactor.abandon();
        }
    }

    /// Tries to start a program again, if it was not started meanwhile.
    pub(crate) fn try_again(&mut self, node: NodeId, at: Time) {
        let this = &mut self.nodes[node.index()];
        if this.retry_at == Some(at) {
            this.retry_at = None;
            self.update_node(node);
        }
    }

    /// Returns a reactor for a node. Its journal counts the time from the begin of the world.
    fn new_reactor(&mut self, node: NodeId) -> Reactor {
        let (net, wakeups) = (self.net().clone(), Arc::clone(&self.wakeups));
        let begin = net.borrow().epoch;
        let mut reactor = (self.make_reactor)(node, NodeBackend { net, node, wakeups });
        reactor.set_journal_epoch(begin);
        if let Some(journals) = &self.journals {
            reactor.add_observer(journals.observer(self.name(node)));
        }
        reactor
    }

    fn run_program(&mut self, node: NodeId) {
        {
            let mut net = self.net().borrow_mut();
            net.finish_work();
            let now = net.now;
            let host = net.host_mut(node);
            (host.next_turn, host.busy_until) = (None, now);
            net.begin_work(node);
            net.note(node, None, What::Starts);
        }
        let mut reactor = self.new_reactor(node);
        let this = &mut self.nodes[node.index()];
        match (this.program)(&mut reactor) {
            Ok(()) => {
                this.reactor = Some(reactor);
                self.net().borrow_mut().schedule_turn(node);
            }
            Err(error) => {
                log::debug!("{} failed to start: {error}", self.name(node));
                let mut net = self.net().borrow_mut();
                let at = net.now + nanos(RETRY_AFTER);
                net.schedule.add(at, Scheduled::Start(node.0));
                drop(net);
                self.nodes[node.index()].retry_at = Some(at);
            }
        }
    }
}
