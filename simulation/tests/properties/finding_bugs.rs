//! The results in the chapter on finding bugs: each planted mistake is found, and by which check.

#[path = "../../../examples/simulated/finding_bugs/store/mod.rs"]
mod store;

use ropewalk_simulation::FaultKind;
use store::{Bug, FAULTS, NODES, Verdict, exploration, run, run_seed};

#[test]
fn without_a_mistake_no_check_fails() {
    exploration(0..13, FAULTS).run(NODES, |world, plan, length| {
        let Verdict { full, blind } = run(world, plan, length, None);
        full.or(blind).map_or(Ok(()), Err)
    });
}

#[test]
fn the_full_check_finds_each_mistake() {
    for bug in Bug::ALL {
        // A number has to be cut in two, which requires this fault and more seeds. The first that fails is 45.
        let (faults, mut seeds) = match bug {
            Bug::Framing => (&[FaultKind::ShortIo][..], 40..200),
            _ => (FAULTS, 5..50),
        };
        assert!(seeds.any(|seed| run_seed(seed, faults, Some(bug)).full.is_some()), "{bug}");
    }
}

#[test]
fn the_blind_check_misses_an_early_answer() {
    let verdicts = (0..10).map(|seed| run_seed(seed, FAULTS, Some(Bug::EarlyAnswer)));
    assert!(verdicts.into_iter().all(|verdict| verdict.full.is_some() && verdict.blind.is_none()));
}

#[test]
fn a_later_write_hides_a_lost_one() {
    let mut verdicts = (0..50).map(|seed| run_seed(seed, FAULTS, Some(Bug::NoResend)));
    let failed = verdicts.find(|verdict| verdict.full.is_some()).unwrap();
    assert_eq!(failed.blind, None);
}
