//! Reports of failed runs: reproduction, and the fewest faults that fail.

use crate::plan::Plan;
use crate::selection::Selection;
use crate::shrink::{fewest, shortest};
use crate::trace::TraceHash;
use std::fmt::Write as _;
use std::time::Duration;

/// The result of a run.
pub(crate) struct Outcome {
    pub(crate) result: Result<(), String>,
    pub(crate) trace: TraceHash,
}

/// A failed run.
pub(crate) struct Failure<'a> {
    pub(crate) seed: u64,
    /// The number of seeds tried, including this one.
    pub(crate) tried: u64,
    pub(crate) why: String,
    pub(crate) trace: TraceHash,
    /// All faults of the seed, and the indices of those that were used.
    pub(crate) plan: Plan,
    pub(crate) places: Vec<usize>,
    pub(crate) length: Duration,
    /// Repeats the run, with other faults or another length.
    pub(crate) play: &'a dyn Fn(&Plan, Duration) -> Outcome,
}

impl Failure<'_> {
    /// Returns the report.
    pub(crate) fn report(&self) -> String {
        let Self { seed, tried, why, length, .. } = self;
        let begin = format!("seed {seed} failed (number {tried}): {why}\n");
        let again = self.outcome(&self.places, *length);
        let difference = match again.result {
            Err(other) if is_same(why, &other) => {
                let note = "it is not deterministic: its trace was different when it was run again; \
                            `twice` shows the first difference\n";
                let note = if again.trace == self.trace { "" } else { note };
                return begin + note + &self.least();
            }
            Err(other) => format!("it failed differently: {other}"),
            Ok(()) => "it did not fail".to_owned(),
        };
        let faults = listed(&self.only(&self.places), self.places.len());
        let selection = self.selection(&self.places, *length);
        begin
            + &format!(
                "it is not deterministic: run again from the same seed with the same faults, {difference}\n\
                 `twice` shows the first difference; the run had {length:.3?} and {faults}\
                 to repeat the run, run this test alone with {selection} ROPEWALK_TRACE=1"
            )
    }

    /// Reduces the faults and the length, and reports the result.
    fn least(&self) -> String {
        let mut other = None;
        let mut fails = |places: &[usize], length| match self.outcome(places, length).result {
            Err(why) if is_same(&self.why, &why) => true,
            Err(why) => {
                other.get_or_insert(why);
                false
            }
            Ok(()) => false,
        };
        let places = fewest(self.places.clone(), |places| fails(places, self.length));
        let end = self.only(&places).end();
        let length = shortest(self.length, end, |length| fails(&places, length));
        let faults = listed(&self.only(&places), self.places.len());
        let mut text = format!("it fails within {length:.3?} with {faults}");
        match self.outcome(&places, length).result {
            Err(why) if why == self.why => {}
            Err(why) => _ = writeln!(text, "with these faults it fails as follows: {why}"),
            Ok(()) => {
                text +=
                    "but it is not deterministic: run again with these faults, it did not fail\n"
            }
        }
        if let Some(other) = other {
            _ = writeln!(text, "with fewer faults it may fail differently: {other}");
        }
        let selection = self.selection(&places, length);
        text + &format!("to reproduce it, run this test alone with {selection} ROPEWALK_TRACE=1")
    }

    fn only(&self, places: &[usize]) -> Plan {
        self.plan.only(|place| places.contains(&place))
    }

    fn outcome(&self, places: &[usize], length: Duration) -> Outcome {
        (self.play)(&self.only(places), length)
    }

    fn selection(&self, places: &[usize], length: Duration) -> Selection {
        let faults = Some(places.to_vec());
        Selection { seeds: Some(self.seed..self.seed + 1), faults, length: Some(length) }
    }
}

/// Lists the faults of a plan, which has `all` faults in total.
fn listed(plan: &Plan, all: usize) -> String {
    match plan.len() {
        0 => "no faults\n".to_owned(),
        count if count == all => format!("these faults:\n{plan}"),
        count => format!("{count} of {all} faults:\n{plan}"),
    }
}

/// Returns true if two failure texts are the same apart from numbers.
fn is_same(one: &str, other: &str) -> bool {
    without_numbers(one) == without_numbers(other)
}

/// Replaces each number, together with its unit, by `#`.
fn without_numbers(text: &str) -> String {
    let mut plain = String::new();
    let mut in_number = false;
    for character in text.chars() {
        in_number = match in_number {
            true => character.is_alphanumeric() || character == '.',
            false => character.is_ascii_digit(),
        };
        match in_number {
            true if plain.ends_with('#') => {}
            true => plain.push('#'),
            false => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_differing_only_in_numbers_are_the_same() {
        assert!(is_same("node 3: 1.5ms late", "node 12: 2s late"));
        assert!(is_same("index 131072 of 65687", "index 9 of 4"));
        assert!(!is_same("node 3: 1.5ms late", "node 3: 1.5ms early"));
        assert!(!is_same("3 are left", "are left"));
    }
}
