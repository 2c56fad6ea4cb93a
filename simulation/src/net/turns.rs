//! The work of nodes: what it costs, and when they have their turns.

use crate::net::{Net, nanos};
use crate::node::NodeId;
use crate::schedule::{Scheduled, Time};

/// How many bytes the price of data is for.
const KIBIBYTE: u64 = 1024;

impl Net {
    /// Now, for the node that works.
    pub(crate) fn at(&self) -> Time {
        self.now.max(self.since) + self.spent
    }

    /// A node begins to work: now, or when it has done what it was at before.
    pub(crate) fn begin_work(&mut self, node: NodeId) {
        self.finish_work();
        let host = self.host(node);
        let (busy_until, costs) = (host.busy_until, host.costs);
        self.working_node = Some(node);
        self.since = self.now.max(busy_until);
        self.costs = costs.unwrap_or(self.usual_costs);
    }

    /// No node works any more. The one that did, in a turn or because the caller asked it something, was busy
    /// until then.
    pub(crate) fn finish_work(&mut self) {
        if let Some(node) = self.working_node.take() {
            let (busy_until, spent) = (self.since + self.spent, self.spent);
            let host = self.host_mut(node);
            host.busy_until = busy_until;
            host.worked += spent;
        }
        (self.since, self.spent) = (0, 0);
    }

    /// A system call takes its time.
    pub(crate) fn charge_call(&mut self) {
        self.spent += nanos(self.costs.call);
    }

    /// One that writes takes another.
    pub(crate) fn charge_write(&mut self) {
        self.spent += nanos(self.costs.write);
    }

    /// So many bytes are copied, which takes its time. The fraction of a nanosecond that is left is
    /// charged with what the node copies next.
    pub(crate) fn charge_data(&mut self, node: NodeId, bytes: usize) {
        let price = nanos(self.costs.kibibyte);
        let host = self.host_mut(node);
        let cost = price.saturating_mul(bytes as Time).saturating_add(host.not_charged);
        host.not_charged = cost % KIBIBYTE;
        self.spent += cost / KIBIBYTE;
    }

    /// Sees to it that a node's reactor has a turn, now or when it has finished its last one.
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

    /// A turn is on the agenda; or one before it, which enters it.
    pub(crate) fn add_turn(&mut self, node: NodeId, at: Time) {
        let host = &mut self.hosts[node.index()];
        if host.turns.last().is_none_or(|next| at < *next) {
            host.turns.push(at);
            self.schedule.add(at, Scheduled::Turn(node.0));
        }
    }

    /// The time of a turn has come that is on the agenda. Whether the node has it.
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
            None => return false, // It has had that turn already, or has crashed since.
        }
        !host.conditions.stalled // It is called up when that is over.
    }
}
