//! A seed from which something has failed: whether it does again, what it takes at least, and how to see it.

use crate::plan::Plan;
use crate::selection::Selection;
use crate::shrink::{fewest, shortest};
use crate::trace::TraceHash;
use std::fmt::Write as _;
use std::time::Duration;

/// What a run has come to.
pub(crate) struct Outcome {
    pub(crate) result: Result<(), String>,
    pub(crate) trace: TraceHash,
}

/// A run that has failed.
pub(crate) struct Failure<'a> {
    pub(crate) seed: u64,
    /// How many seeds were tried, with this one.
    pub(crate) tried: u64,
    pub(crate) why: String,
    pub(crate) trace: TraceHash,
    /// All faults of the seed, and the places of those that were played.
    pub(crate) plan: Plan,
    pub(crate) places: Vec<usize>,
    pub(crate) length: Duration,
    /// Plays it again, with other faults or another length.
    pub(crate) play: &'a dyn Fn(&Plan, Duration) -> Outcome,
}

impl Failure<'_> {
    /// What there is to tell of it, in lines.
    pub(crate) fn report(&self) -> String {
        let Self { seed, tried, why, length, .. } = self;
        let begin = format!("from the seed {seed}, the {tried}. that was tried: {why}\n");
        let again = self.outcome(&self.places, *length);
        let parted = match again.result {
            Err(other) if is_same(why, &other) => {
                let note = "it is not deterministic: its trace was another when it was played again; \
                            `twice` shows where two such runs part\n";
                let note = if again.trace == self.trace { "" } else { note };
                return begin + note + &self.least();
            }
            Err(other) => format!("it failed in another way: {other}"),
            Ok(()) => "it did not fail".to_owned(),
        };
        let faults = listed(&self.only(&self.places), self.places.len());
        let selection = self.selection(&self.places, *length);
        begin
            + &format!(
                "it is not deterministic: played again from the same seed with the same faults, {parted}\n\
                 `twice` shows where two such runs part; it had {length:.3?} and {faults}\
                 to play it again, run this test alone with {selection} ROPEWALK_TRACE=1"
            )
    }

    /// With what it fails at least.
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
        let mut text = format!("it takes {length:.3?} and {faults}");
        match self.outcome(&places, length).result {
            Err(why) if why == self.why => {}
            Err(why) => _ = writeln!(text, "with these it fails so: {why}"),
            Ok(()) => {
                text += "but it is not deterministic: played again with these, it did not fail\n"
            }
        }
        if let Some(other) = other {
            _ = writeln!(text, "with less it may fail in another way: {other}");
        }
        let selection = self.selection(&places, length);
        text + &format!("to see it again, run this test alone with {selection} ROPEWALK_TRACE=1")
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

/// The faults of a plan, of so many, in lines.
fn listed(plan: &Plan, all: usize) -> String {
    match plan.len() {
        0 => "no fault at all\n".to_owned(),
        count if count == all => format!("these faults:\n{plan}"),
        count => format!("{count} of {all} faults:\n{plan}"),
    }
}

/// Whether two failures are the same: their texts are, but for the numbers in them.
fn is_same(one: &str, other: &str) -> bool {
    without_numbers(one) == without_numbers(other)
}

/// A text with each number, and what is written together with it, a unit say, taken out.
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
    fn failures_that_differ_in_numbers_only_are_the_same() {
        assert!(is_same("node 3: 1.5ms late", "node 12: 2s late"));
        assert!(is_same("index 131072 of 65687", "index 9 of 4"));
        assert!(!is_same("node 3: 1.5ms late", "node 3: 1.5ms early"));
        assert!(!is_same("3 are left", "are left"));
    }
}
