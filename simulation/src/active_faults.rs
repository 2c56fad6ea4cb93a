//! The faults in force, and their combined effects.
//!
//! A fault never changes a node's state and then restores it. The state is computed from all faults in force, so
//! the end of one fault cannot end another, or undo what the caller has set.

use crate::conditions::Conditions;
use crate::fault::{Fault, FaultKind};
use crate::node::NodeId;
use std::collections::BTreeMap;
use std::time::Duration;

/// The faults in force, by their number in the world.
#[derive(Debug, Default)]
pub(crate) struct ActiveFaults(BTreeMap<u32, Fault>);

impl ActiveFaults {
    pub(crate) fn begin(&mut self, number: u32, fault: Fault) {
        self.0.insert(number, fault);
    }

    pub(crate) fn end(&mut self, number: u32) {
        self.0.remove(&number);
    }

    fn of(&self, node: NodeId) -> impl Iterator<Item = &Fault> {
        self.0.values().filter(move |fault| fault.node == node)
    }

    /// Returns true if a node is down.
    pub(crate) fn keep_down(&self, node: NodeId) -> bool {
        self.of(node).any(|fault| fault.kind == FaultKind::Crash)
    }

    /// Returns true if nothing gets from one node to another.
    pub(crate) fn separate(&self, from: NodeId, to: NodeId) -> bool {
        self.0.values().any(|fault| match fault.kind {
            FaultKind::Cut => (fault.node, fault.other) == (from, to),
            FaultKind::Partition => fault.node == from || fault.node == to,
            _ => false,
        })
    }

    /// Returns how many millionths a node's clock runs fast.
    pub(crate) fn drift(&self, node: NodeId) -> i32 {
        let drifts = self.of(node).filter(|fault| fault.kind == FaultKind::Drift);
        drifts.map(|fault| ((fault.severity * 2.0 - 1.0) * 500_000.0) as i32).sum()
    }

    /// Returns a node's conditions. Probabilities and delays add up; the narrowest limit applies.
    pub(crate) fn conditions(&self, node: NodeId) -> Conditions {
        let mut conditions = Conditions::default();
        self.of(node).for_each(|fault| apply(&mut conditions, fault));
        conditions
    }
}

fn apply(conditions: &mut Conditions, fault: &Fault) {
    let severity = fault.severity;
    let narrow = |limit: u64, new: u64| if limit == 0 { new } else { limit.min(new) };
    match fault.kind {
        FaultKind::Bandwidth => {
            // The mildest limit is ten million bytes per second.
            let bytes = (1e7 * 1e-4_f64.powf(severity)) as u64;
            conditions.bandwidth = narrow(conditions.bandwidth, bytes.max(1));
        }
        FaultKind::Buffers => {
            let bytes = (65_536.0 * (1.0 - severity)) as u64;
            conditions.buffer = narrow(conditions.buffer as u64, bytes.max(1)) as usize;
        }
        FaultKind::Latency => {
            conditions.latency += Duration::from_secs(1).mul_f64(severity);
            conditions.jitter += Duration::from_secs(1).mul_f64(severity);
        }
        FaultKind::Duplication => conditions.duplication += severity,
        FaultKind::Loss => conditions.loss += 0.5 * severity,
        FaultKind::Reordering => conditions.reordering += severity,
        FaultKind::Reset => conditions.reset += 0.01 * severity,
        FaultKind::ShortIo => conditions.short += severity,
        FaultKind::Spurious => conditions.spurious += severity,
        FaultKind::WouldBlock => conditions.would_block += 0.5 * severity,
        FaultKind::Descriptors => conditions.no_descriptors = true,
        FaultKind::Names => conditions.no_names = true,
        FaultKind::Refusal => conditions.refuses = true,
        FaultKind::Stall => conditions.stalled = true,
        FaultKind::Unanswered => conditions.unanswering = true,
        // These do not change the conditions, or take effect once, when they begin.
        FaultKind::Crash
        | FaultKind::Cut
        | FaultKind::Drift
        | FaultKind::HalfOpen
        | FaultKind::Jump
        | FaultKind::Partition => {}
    }
}
