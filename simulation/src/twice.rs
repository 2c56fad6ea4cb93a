//! Comparison of two runs from the same seed.

use crate::trace::Record;
use crate::world::World;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// The number of common lines shown before a difference.
const BEFORE: usize = 8;

/// Runs `play` twice, each time with an empty world of this seed, and compares traces and results. The results
/// have to be the same as well: a program may compute something else although the network is the same. Returns the
/// result.
///
/// All lines of both runs are kept, about 100 bytes each.
///
/// ```
/// use ropewalk_simulation::{World, twice};
/// use std::time::Duration;
///
/// let callbacks = twice(7, |world: &mut World| {
///     world.add_node("lonely", |reactor| {
///         reactor.context().call_later(Duration::from_secs(1), |_| {});
///         Ok(())
///     });
///     world.run_for(Duration::from_secs(2));
///     world.callbacks()
/// });
/// assert_eq!(callbacks, Ok(1));
/// ```
///
/// # Errors
///
/// If the runs differ. The error shows the first difference, and suggests causes.
pub fn twice<T>(seed: u64, mut play: impl FnMut(&mut World) -> T) -> Result<T, Divergence>
where
    T: PartialEq + fmt::Debug,
{
    let mut run = || {
        let lines = Rc::new(RefCell::new(Vec::new()));
        let mut world = World::new(seed);
        let log = Rc::clone(&lines);
        world.on_record(move |record: &Record<'_>| log.borrow_mut().push(record.to_string()));
        let result = play(&mut world);
        let trace = world.trace();
        drop(world);
        ((trace, lines.take()), result)
    };
    let ((first, result), (second, another)) = (run(), run());
    let results = || Box::new([format!("{result:?}"), format!("{another:?}")]);
    let results = (result != another).then(results);
    // The hash covers data that the lines do not show.
    if first == second && results.is_none() {
        return Ok(result);
    }
    let hashes_differ = first.0 != second.0;
    let (first, second) = (first.1, second.1);
    let same = first.iter().zip(&second).take_while(|(one, other)| one == other).count();
    Err(Divergence {
        seed,
        before: first[same.saturating_sub(BEFORE)..same].to_vec(),
        first: first.get(same).cloned(),
        second: second.get(same).cloned(),
        hashes_differ,
        results,
    })
}

/// Two runs from the same seed were different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    seed: u64,
    /// The last common lines.
    before: Vec<String>,
    /// The first different lines. `None` if a run had ended.
    first: Option<String>,
    second: Option<String>,
    hashes_differ: bool,
    /// The results, if they are different.
    results: Option<Box<[String; 2]>>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, before, first, second, hashes_differ, results } = self;
        writeln!(f, "two runs from seed {seed} were different. The last common lines:")?;
        before.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        if first != second {
            let end = "(nothing more)";
            writeln!(f, "The first run continued with:\n  {}", first.as_deref().unwrap_or(end))?;
            writeln!(f, "The second run continued with:\n  {}", second.as_deref().unwrap_or(end))?;
        } else if *hashes_differ {
            writeln!(f, "They differ in data that is not shown.")?;
        }
        if let Some([first, second]) = results.as_deref() {
            writeln!(
                f,
                "The first run returned:\n  {first}\nThe second run returned:\n  {second}"
            )?;
        }
        f.write_str(
            "The usual suspects: the order of a HashMap or HashSet; Instant::now, SystemTime or a random \
             number that is not the world's; a thread; what a static or the caller of the world keeps \
             from one run to the next; an address in memory that is printed or sorted by.",
        )
    }
}

impl std::error::Error for Divergence {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::time::Duration;

    #[test]
    fn equal_traces_with_different_results_are_a_divergence() {
        let runs = Cell::new(0);
        let played = twice(7, |world| {
            world.run_for(Duration::from_secs(1));
            runs.set(runs.get() + 1);
            format!("result {}", runs.get())
        });
        let text = played.unwrap_err().to_string();
        assert!(text.contains("result 1") && text.contains("result 2"), "{text}");
        assert!(!text.contains("data that is not shown"), "{text}");
    }

    #[test]
    fn different_traces_are_a_divergence() {
        let runs = Cell::new(0);
        let played = twice(7, |world| {
            runs.set(runs.get() + 1);
            world.add_node(&format!("node{}", runs.get()), |_| Ok(()));
            world.run_for(Duration::from_secs(1));
        });
        let text = played.unwrap_err().to_string();
        assert!(text.contains("node1") && text.contains("node2"), "{text}");
    }
}
