//! What the chapter on finding bugs says of the store: that each planted mistake is found, and by which check.

#[path = "../../examples/support/store/mod.rs"]
mod store;

use ropewalk_simulation::{Exploration, FaultKind, World};
use store::{Bug, FAULTS, LENGTH, NODES, Verdict, play};

fn verdict(bug: Bug, faults: &[FaultKind], seed: u64) -> Verdict {
    let exploration = Exploration::new(0..0).faults(faults, 12).length(LENGTH);
    play(&mut World::new(seed), &exploration.plan(seed, NODES), LENGTH, Some(bug))
}

#[test]
fn without_a_mistake_no_check_fails() {
    Exploration::new(0..25).faults(FAULTS, 12).length(LENGTH).run(NODES, |world, plan, length| {
        let Verdict { full, blind } = play(world, plan, length, None);
        full.or(blind).map_or(Ok(()), Err)
    });
}

#[test]
fn the_full_check_finds_each_mistake() {
    for bug in Bug::ALL {
        // A number has to be cut in two, which takes this fault and more seeds.
        let (faults, mut seeds) = match bug {
            Bug::Framing => (&[FaultKind::ShortIo][..], 0..200),
            _ => (FAULTS, 0..50),
        };
        assert!(seeds.any(|seed| verdict(bug, faults, seed).full.is_some()), "{bug}");
    }
}

#[test]
fn a_check_of_the_last_values_is_blind_to_an_early_answer() {
    let verdicts = (0..10).map(|seed| verdict(Bug::EarlyAnswer, FAULTS, seed));
    assert!(verdicts.into_iter().all(|verdict| verdict.full.is_some() && verdict.blind.is_none()));
}

#[test]
fn a_later_write_hides_one_that_was_lost() {
    let mut verdicts = (0..50).map(|seed| verdict(Bug::NoResend, FAULTS, seed));
    let failed = verdicts.find(|verdict| verdict.full.is_some()).unwrap();
    assert_eq!(failed.blind, None);
}
