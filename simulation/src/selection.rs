//! What of an exploration the environment selects: seeds, and for one seed its faults and the length.

use std::env;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// What is to be played; all there is, where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) seeds: Option<Range<u64>>,
    /// The places of faults in the plan of the seed.
    pub(crate) faults: Option<Vec<usize>>,
    pub(crate) length: Option<Duration>,
}

impl Selection {
    /// # Panics
    ///
    /// If a variable does not have the form that [`Exploration`](crate::Exploration) describes.
    pub(crate) fn from_environment() -> Self {
        Self::from_variables(|name| env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let seeds = variable("ROPEWALK_SEEDS").map(|text| read_seeds(&text));
        let faults = variable("ROPEWALK_FAULTS").map(|text| {
            faults(&text).expect("ROPEWALK_FAULTS is a list of places, `0,3`, or `none`")
        });
        let length = variable("ROPEWALK_LENGTH")
            .map(|text| length(&text).expect("ROPEWALK_LENGTH is a number of seconds, `2.5`"));
        let is_one = seeds.as_ref().is_some_and(|seeds| seeds.end - seeds.start == 1);
        assert!(faults.is_none() || is_one, "ROPEWALK_FAULTS needs ROPEWALK_SEEDS with one seed");
        Self { seeds, faults, length }
    }

    /// Whether a plan's fault at a place is played.
    pub(crate) fn has(&self, place: usize) -> bool {
        self.faults.as_ref().is_none_or(|places| places.contains(&place))
    }
}

/// As it has to stand in the environment.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Range { start, end }) = &self.seeds {
            match end - start {
                1 => write!(f, "ROPEWALK_SEEDS={start}")?,
                _ => write!(f, "ROPEWALK_SEEDS={start}..{end}")?,
            }
        }
        match self.faults.as_deref() {
            None => {}
            Some([]) => f.write_str(" ROPEWALK_FAULTS=none")?,
            Some(places) => {
                let places: Vec<String> = places.iter().map(usize::to_string).collect();
                write!(f, " ROPEWALK_FAULTS={}", places.join(","))?;
            }
        }
        if let Some(length) = self.length {
            write!(f, " ROPEWALK_LENGTH={}.{:09}", length.as_secs(), length.subsec_nanos())?;
        }
        Ok(())
    }
}

/// The seeds that the variable `ROPEWALK_SEEDS` selects, for a test that draws from seeds without an
/// [`Exploration`](crate::Exploration), or `unless_set`.
///
/// # Panics
///
/// If the variable is neither a seed nor a range of seeds.
///
/// # Examples
///
/// ```
/// for seed in ropewalk_simulation::seeds(0..3) {
///     println!("seed {seed}");
/// }
/// ```
pub fn seeds(unless_set: Range<u64>) -> Range<u64> {
    env::var("ROPEWALK_SEEDS").map_or(unless_set, |text| read_seeds(&text))
}

fn read_seeds(text: &str) -> Range<u64> {
    range(text).expect("ROPEWALK_SEEDS is a seed, `17`, or a range of them, `0..1000`")
}

fn range(text: &str) -> Option<Range<u64>> {
    let number = |text: &str| text.trim().parse().ok();
    let (from, to) = match text.split_once("..") {
        Some((from, to)) => number(from).zip(number(to)),
        None => number(text).and_then(|seed: u64| Some((seed, seed.checked_add(1)?))),
    }?;
    (from <= to).then_some(from..to)
}

fn faults(text: &str) -> Option<Vec<usize>> {
    match text.trim() {
        "none" => Some(Vec::new()),
        list => list.split(',').map(|place| place.trim().parse().ok()).collect(),
    }
}

fn length(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.trim().parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(variables: &[(&str, &str)]) -> Selection {
        Selection::from_variables(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn seeds_are_one_or_a_range() {
        assert_eq!(selected(&[("ROPEWALK_SEEDS", "17")]).seeds, Some(17..18));
        assert_eq!(selected(&[("ROPEWALK_SEEDS", "3..9")]).seeds, Some(3..9));
        for text in ["", "x", "9..3", "18446744073709551615", "1..2..3"] {
            assert_eq!(range(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_printed_selects_the_same() {
        let length = Some(Duration::new(3, 125_000_001));
        for faults in [None, Some(vec![]), Some(vec![4]), Some(vec![0, 12])] {
            let selection = Selection { seeds: Some(17..18), faults, length };
            let text = selection.to_string();
            let variables: Vec<_> =
                text.split(' ').map(|setting| setting.split_once('=').unwrap()).collect();
            assert_eq!(selected(&variables), selection, "{text}");
        }
    }

    #[test]
    #[should_panic(expected = "with one seed")]
    fn faults_are_those_of_one_seed() {
        selected(&[("ROPEWALK_SEEDS", "0..9"), ("ROPEWALK_FAULTS", "1")]);
    }

    #[test]
    fn what_is_no_list_of_places_or_no_length_is_refused() {
        assert_eq!(
            (faults("1,x"), faults(""), length("-1"), length("NaN")),
            (None, None, None, None)
        );
    }
}
