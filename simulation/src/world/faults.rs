//! Faults and cuts of a simulated world.

use crate::net::{Cut, nanos};
use crate::node::NodeId;
use crate::plan::Plan;
use crate::schedule::{Scheduled, Time};
use crate::trace::What;
use crate::world::World;

/// # Faults
impl World {
    /// Cuts the network: nothing gets from a node of `from` to a node of `to` until [`heal`](Self::heal). A second
    /// cut is needed for the other direction.
    pub fn cut(
        &mut self,
        from: impl IntoIterator<Item = NodeId>,
        to: impl IntoIterator<Item = NodeId>,
    ) {
        let (from, to) = (from.into_iter().collect(), to.into_iter().collect());
        self.net().borrow_mut().cuts.push(Cut { from, to });
    }

    /// Removes every [`cut`](Self::cut). A fault of a [plan](Self::add_faults) lasts until its end.
    pub fn heal(&mut self) {
        self.net().borrow_mut().cuts.clear();
    }

    /// Adds planned faults. The times of the plan count from now.
    ///
    /// Faults may overlap. The end of a fault ends no other fault, and changes nothing that was set otherwise:
    /// probabilities and delays of several faults add up, and among several limits the narrowest applies. A fault
    /// also applies to a node that is added later under the fault's number, and a
    /// [`Partition`](crate::FaultKind::Partition) also separates its node from nodes that are added later. A fault with an end before its beginning ends when it begins.
    pub fn add_faults(&mut self, plan: &Plan) {
        for planned in plan.iter() {
            let number = self.faults.len() as u32;
            self.faults.push(planned.fault.clone());
            let mut net = self.net().borrow_mut();
            let (from, until) = (planned.from, planned.until.max(planned.from));
            let (from, until) = (net.now + nanos(from), net.now + nanos(until));
            net.schedule.add(from, Scheduled::Fault(number, true));
            net.schedule.add(until, Scheduled::Fault(number, false));
        }
    }

    /// Begins or ends a fault.
    pub(crate) fn change_fault(&mut self, at: Time, number: u32, begins: bool) {
        let fault = self.faults[number as usize].clone();
        let mut net = self.net().borrow_mut();
        net.finish_work();
        net.now = at;
        let text = fault.to_string();
        if begins {
            net.note_world(What::Fault(&text));
            net.faults.begin(number, fault.clone());
        } else {
            net.note_world(What::FaultEnds(&text));
            net.faults.end(number);
        }
        if fault.node.index() >= self.nodes.len() {
            return; // The node is added later, with the faults in force then.
        }
        net.update_conditions(fault.node);
        if begins {
            net.apply_once(&fault);
        }
        drop(net);
        self.update_node(fault.node);
    }
}
