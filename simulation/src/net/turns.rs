//! Turns of the nodes' reactors, and the time that their work takes.

use crate::net::{Net, nanos};
use crate::node::NodeId;
use crate::schedule::{Scheduled, Time};

/// The unit of the cost of data, in bytes.
const KIBIBYTE: u64 = 1024;

impl Net {
    /// Returns the current time of the working node.
    pub(crate) fn at(&self) -> Time {
        self.now.max(self.since) + self.spent
    }

    /// Begins the work of a node: now, or after its previous work.
    pub(crate) fn begin_work(&mut self, node: NodeId) {
        self.finish_work();
        let host = self.host(node);
        let (busy_until, costs) = (host.busy_until, host.costs);
        self.working_node = Some(node);
        self.since = self.now.max(busy_until);
        self.costs = costs.unwrap_or(self.usual_costs);
    }

    /// Ends the work of the current node, which was busy until then, in a turn or by a request of the caller.
    pub(crate) fn finish_work(&mut self) {
        if let Some(node) = self.working_node.take() {
            let (busy_until, spent) = (self.since + self.spent, self.spent);
            let host = self.host_mut(node);
            host.busy_until = busy_until;
            host.worked += spent;
        }
        (self.since, self.spent) = (0, 0);
    }

    /// Charges a system call.
    pub(crate) fn charge_call(&mut self) {
        self.spent += nanos(self.costs.call);
    }

    /// Charges a system call that writes.
    pub(crate) fn charge_write(&mut self) {
        self.spent += nanos(self.costs.write);
    }

    /// Charges copied bytes. The remaining fraction of a nanosecond is charged with the node's next bytes.
    pub(crate) fn charge_data(&mut self, node: NodeId, bytes: usize) {
        let price = nanos(self.costs.kibibyte);
        let host = self.host_mut(node);
        let cost = price.saturating_mul(bytes as Time).saturating_add(host.not_charged);
        host.not_charged = cost % KIBIBYTE;
        self.spent += cost / KIBIBYTE;
    }

    /// Plans a turn of a node's reactor, now or after its previous one.
    pub(crate) fn schedule_turn(&mut self, node: NodeId) {
        self.schedule_turn_at(node, self.now);
    }

    pub(crate) fn schedule_turn_at(&mut self, node: NodeId, at: Time) {
        let host = &mut self.hosts[node.index()];
        let at = at.max(host.busy_until);
        if host.is_up && !host.in_turn && host.next_turn.is_none_or(|planned| at < planned) {
            host.next_turn = Some(at);
            self.add_turn(node, at);
        }
    }

    /// Adds a turn to the schedule, if an earlier one does not add it later.
    pub(crate) fn add_turn(&mut self, node: NodeId, at: Time) {
        let host = &mut self.hosts[node.index()];
        if host.turns.last().is_none_or(|next| at < *next) {
            host.turns.push(at);
            self.schedule.add(at, Scheduled::Turn(node.0));
        }
    }

    /// Handles a scheduled turn. Returns true if the reactor should run it.
    pub(crate) fn take_turn(&mut self, node: NodeId, at: Time) -> bool {
        self.finish_work();
        self.now = at;
        let host = self.host_mut(node);
        host.turns.pop();
        match host.next_turn {
            Some(next) if next == at => host.next_turn = None,
            Some(later) => {
                self.add_turn(node, later);
                return false;
            }
            None => return false, // The turn was already run, or the node has crashed.
        }
        !host.conditions.stalled // A turn is planned when the stall ends.
    }
}
