//! Selection of seeds, faults and length by environment variables.

use std::env;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// The selection. Default: everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) seeds: Option<Range<u64>>,
    /// Indices of faults in the seed's plan.
    pub(crate) faults: Option<Vec<usize>>,
    pub(crate) length: Option<Duration>,
}

impl Selection {
    /// # Panics
    ///
    /// If a variable is not in the form that [`Exploration`](crate::Exploration) describes.
    pub(crate) fn from_environment() -> Self {
        Self::from_variables(|name| env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let seeds = variable("ROPEWALK_SEEDS").map(|text| read_seeds(&text));
        let faults = variable("ROPEWALK_FAULTS").map(|text| {
            faults(&text)
                .expect("ROPEWALK_FAULTS must be a list of indices, such as `0,3`, or `none`")
        });
        let length = variable("ROPEWALK_LENGTH").map(|text| {
            length(&text).expect("ROPEWALK_LENGTH must be a number of seconds, such as `2.5`")
        });
        let is_one = seeds.as_ref().is_some_and(|seeds| seeds.end - seeds.start == 1);
        assert!(
            faults.is_none() || is_one,
            "ROPEWALK_FAULTS requires ROPEWALK_SEEDS with one seed"
        );
        Self { seeds, faults, length }
    }

    /// Returns true if the fault with this index in the plan is selected.
    pub(crate) fn has(&self, place: usize) -> bool {
        self.faults.as_ref().is_none_or(|places| places.contains(&place))
    }
}

/// Prints the environment variables.
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

/// Returns the seeds of the variable `ROPEWALK_SEEDS`, or `default`, for a test that draws from seeds without
/// an [`Exploration`](crate::Exploration).
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
pub fn seeds(default: Range<u64>) -> Range<u64> {
    env::var("ROPEWALK_SEEDS").map_or(default, |text| read_seeds(&text))
}

fn read_seeds(text: &str) -> Range<u64> {
    range(text).expect("ROPEWALK_SEEDS must be a seed, such as `17`, or a range, such as `0..1000`")
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
    fn seeds_are_a_number_or_a_range() {
        assert_eq!(selected(&[("ROPEWALK_SEEDS", "17")]).seeds, Some(17..18));
        assert_eq!(selected(&[("ROPEWALK_SEEDS", "3..9")]).seeds, Some(3..9));
        for text in ["", "x", "9..3", "18446744073709551615", "1..2..3"] {
            assert_eq!(range(text), None, "{text}");
        }
    }

    #[test]
    fn a_printed_selection_parses_to_itself() {
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
    fn selected_faults_require_one_seed() {
        selected(&[("ROPEWALK_SEEDS", "0..9"), ("ROPEWALK_FAULTS", "1")]);
    }

    #[test]
    fn invalid_faults_and_lengths_are_refused() {
        assert_eq!(
            (faults("1,x"), faults(""), length("-1"), length("NaN")),
            (None, None, None, None)
        );
    }
}
