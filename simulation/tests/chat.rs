//! The chat, whatever goes wrong: nobody gets a line meant for another, what one says arrives in order, who
//! reads slowly harms nobody, and everyone who stays sees the same conversation.

#[path = "../../examples/simulated/simulation/evening.rs"]
mod evening;

use ropewalk_simulation::{Exploration, FaultKind, Plan, World, twice};
use std::time::Duration;

const NODES: u32 = 4;

#[test]
fn the_chat_keeps_its_promises_whatever_goes_wrong() {
    let exploration = Exploration::new(0..40).faults(FaultKind::ALL, 12);
    exploration
        .length(Duration::from_secs(20))
        .run(NODES + 1, |world, plan, length| evening::spend(world, NODES, plan, length).map(drop));
}

#[test]
fn an_evening_without_faults_is_one_in_which_nothing_fails() {
    let mut world = World::new(1);
    let length = Duration::from_secs(20);
    let report = evening::spend(&mut world, NODES, &Plan::none(), length).unwrap();
    assert_eq!((report.failed, report.lost), (0, 0), "{report}");
    assert!(report.said > 100 && report.heard > report.said && report.visits > 12, "{report}");
}

#[test]
fn an_evening_goes_the_same_way_again() {
    for seed in 0..5 {
        let nodes = (0..=NODES).map(Into::into);
        let length = Duration::from_secs(10);
        let plan = Plan::draw(seed, FaultKind::ALL, 10, length, nodes);
        let played = twice(seed, |world| {
            let report = evening::spend(world, NODES, &plan, length).unwrap();
            report.to_string()
        });
        played.unwrap_or_else(|parted| panic!("{parted}"));
    }
}
