//! What the caller of a world has go wrong: cuts that last until they are taken back, and plans of faults.

use crate::net::{Cut, nanos};
use crate::node::NodeId;
use crate::plan::Plan;
use crate::schedule::{Scheduled, Time};
use crate::trace::What;
use crate::world::World;

/// # Faults
impl World {
    /// Nothing gets from one of `from` to one of `to` any more, until [`heal`](Self::heal). To part them
    /// entirely takes a second one, the other way round.
    pub fn cut(
        &mut self,
        from: impl IntoIterator<Item = NodeId>,
        to: impl IntoIterator<Item = NodeId>,
    ) {
        let (from, to) = (from.into_iter().collect(), to.into_iter().collect());
        self.net().borrow_mut().cuts.push(Cut { from, to });
    }

    /// Takes back every [`cut`](Self::cut). A fault of a [plan](Self::add_faults) lasts until it ends.
    pub fn heal(&mut self) {
        self.net().borrow_mut().cuts.clear();
    }

    /// What is going to go wrong, from now on: the times of the plan count from now.
    ///
    /// Faults may overlap. The end of one ends no other, nor what was set otherwise: probabilities and delays of
    /// several faults add up, and of several limits the narrowest holds. A fault of a node holds for one that is
    /// added later under its number, and a [`Partition`](crate::FaultKind::Partition) parts its node from those that
    /// are added later, too. A fault that ends before it begins ends when it begins.
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

    /// A fault begins or ends.
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
            return; // It has yet to be added, and follows the faults that are in force then.
        }
        net.update_conditions(fault.node);
        if begins {
            net.apply_once(&fault);
        }
        drop(net);
        self.update_node(fault.node);
    }
}
