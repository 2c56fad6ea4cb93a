//! Reduction of a failing run to the fewest faults and the shortest time.

use crate::plan::Plan;
use std::time::Duration;

/// Finds the fewest faults of a plan, and the shortest time, with which a run still fails. `fails` returns true if
/// a run with this plan and length fails; it must be deterministic. To reduce one failure and not find another, it
/// should check for that one.
///
/// Removes halves, quarters, eighths and so on of the faults as long as the run still fails (Zeller and
/// Hildebrandt's delta debugging, 2002), then bisects the time, but not below the end of the last remaining fault.
/// The result fails, and does not fail without any one of its faults.
///
/// ```
/// use ropewalk_simulation::{FaultKind, Plan, World, shrink};
/// use std::time::Duration;
///
/// let mut world = World::new(1);
/// let node = world.add_node("only", |_| Ok(()));
/// let minute = Duration::from_secs(60);
/// let plan = Plan::draw(1, FaultKind::ALL, 30, minute, [node]);
/// // It fails if there is a loss, and the run lasts for ten seconds.
/// let fails = |plan: &Plan, length: Duration| {
///     plan.iter().any(|planned| planned.fault.kind == FaultKind::Loss)
///         && length >= Duration::from_secs(10)
/// };
/// let (least, length) = shrink(plan, minute, fails);
/// assert_eq!(least.len(), 1);
/// assert!(length < minute && length >= least.end());
/// ```
///
/// # Panics
///
/// If the run does not fail with the complete plan.
pub fn shrink(
    plan: Plan,
    length: Duration,
    mut fails: impl FnMut(&Plan, Duration) -> bool,
) -> (Plan, Duration) {
    assert!(fails(&plan, length), "the run does not fail: there is nothing to shrink");
    let all = (0..plan.len()).collect();
    let places = fewest(all, |places| fails(&plan.only(|place| places.contains(&place)), length));
    let plan = plan.only(|place| places.contains(&place));
    let length = shortest(length, plan.end(), |length| fails(&plan, length));
    (plan, length)
}

/// Returns the fewest of these indices with which the run still fails.
pub(crate) fn fewest(
    mut places: Vec<usize>,
    mut fails: impl FnMut(&[usize]) -> bool,
) -> Vec<usize> {
    let mut pieces = 2;
    while !places.is_empty() {
        let size = places.len().div_ceil(pieces);
        let without = (0..places.len()).step_by(size).find_map(|from| {
            let after = places.len().min(from + size);
            let rest = [&places[..from], &places[after..]].concat();
            fails(&rest).then_some(rest)
        });
        match without {
            Some(rest) => {
                places = rest;
                pieces = pieces.saturating_sub(1).max(2);
            }
            None if size == 1 => break,
            None => pieces = (pieces * 2).min(places.len()),
        }
    }
    places
}

/// Returns the shortest length with which the run still fails, to a twentieth. It is not below `least`, except if
/// `length` is.
pub(crate) fn shortest(
    length: Duration,
    least: Duration,
    mut fails: impl FnMut(Duration) -> bool,
) -> Duration {
    if least >= length {
        return length;
    }
    if fails(least) {
        return least;
    }
    let (mut passes, mut fails_at) = (least, length);
    while fails_at - passes > length / 20 {
        let middle = passes + (fails_at - passes) / 2;
        match fails(middle) {
            true => fails_at = middle,
            false => passes = middle,
        }
    }
    fails_at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::FaultKind;
    use crate::node::NodeId;

    #[test]
    fn two_faults_that_fail_together_are_kept() {
        let minute = Duration::from_secs(60);
        let plan = Plan::draw(5, FaultKind::ALL, 40, minute, [NodeId(0)]);
        let has = |plan: &Plan, kind| plan.iter().any(|planned| planned.fault.kind == kind);
        let fails = |plan: &Plan| has(plan, FaultKind::Loss) && has(plan, FaultKind::Crash);
        assert!(fails(&plan), "this seed draws both");
        let (least, _) = shrink(plan, minute, |plan, _| fails(plan));
        assert_eq!(least.len(), 2);
    }

    #[test]
    fn a_failure_without_faults_keeps_no_fault() {
        let minute = Duration::from_secs(60);
        let plan = Plan::draw(5, FaultKind::ALL, 40, minute, [NodeId(0)]);
        let (least, length) = shrink(plan, minute, |_, _| true);
        assert_eq!(least.len(), 0);
        assert!(length <= minute / 10);
    }

    #[test]
    fn the_time_stays_above_the_faults_ends() {
        let minute = Duration::from_secs(60);
        for seed in 0..20 {
            let plan = Plan::draw(seed, &[FaultKind::Loss], 5, minute, [NodeId(0)]);
            let (least, length) = shrink(plan, minute, |plan, _| !plan.is_empty());
            assert_eq!(least.len(), 1);
            assert!(length >= least.end() && length < least.end() + minute / 10);
        }
    }
}
