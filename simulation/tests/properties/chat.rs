//! The chat under all faults: no member receives a line for another room, lines arrive in order, a slow reader does not
//! disturb others, and all members of a room receive the same lines.

#[path = "../../../examples/simulated/simulation/workload/mod.rs"]
mod workload;

use ropewalk_simulation::{Exploration, FaultKind, Plan, World, seeds, twice};
use std::time::Duration;

const NODES: u32 = 4;

#[test]
fn chat_keeps_its_rules_under_all_faults() {
    let exploration = Exploration::new(0..15).faults(FaultKind::ALL, 12);
    exploration
        .length(Duration::from_secs(20))
        .run(NODES + 1, |world, plan, length| workload::run(world, NODES, plan, length).map(drop));
}

#[test]
fn chat_without_faults_has_no_failures() {
    let mut world = World::new(1);
    let length = Duration::from_secs(20);
    let report = workload::run(&mut world, NODES, &Plan::none(), length).unwrap();
    assert_eq!((report.failed, report.lost), (0, 0), "{report}");
    assert!(
        report.sent > 100 && report.received > report.sent && report.connections > 12,
        "{report}"
    );
}

#[test]
fn chat_run_is_reproducible() {
    for seed in seeds(0..2).take(50) {
        let nodes = (0..=NODES).map(Into::into);
        let length = Duration::from_secs(10);
        let plan = Plan::draw(seed, FaultKind::ALL, 10, length, nodes);
        let played = twice(seed, |world| {
            let report = workload::run(world, NODES, &plan, length).unwrap();
            report.to_string()
        });
        played.unwrap_or_else(|parted| panic!("{parted}"));
    }
}
