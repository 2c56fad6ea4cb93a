//! Whether a world goes the same way again.

use crate::trace::Record;
use crate::world::World;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// How many lines are shown of what both runs had in common.
const BEFORE: usize = 8;

/// Plays the same thing twice, and looks whether it went the same way: `play` is given an empty world of
/// this seed each time, and does in it whatever is to be done. What it returns has to be the same as well:
/// what a program computes may differ though the network has seen the same. Returns that result.
///
/// It keeps every line of the first run, some 100 bytes each.
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
/// If it did not: the error shows where the runs parted, and says where to look.
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
    // What the lines do not show, long data say, is in the hash.
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

/// Two runs from the same seed went different ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    seed: u64,
    /// The last that they had in common.
    before: Vec<String>,
    /// What came then; `None` if that was the end.
    first: Option<String>,
    second: Option<String>,
    hashes_differ: bool,
    /// What was returned, if it differs.
    results: Option<Box<[String; 2]>>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, before, first, second, hashes_differ, results } = self;
        writeln!(f, "two runs from the seed {seed} went different ways. Together:")?;
        before.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        if first != second {
            let end = "(nothing more)";
            writeln!(f, "then the first:\n  {}", first.as_deref().unwrap_or(end))?;
            writeln!(f, "and the second:\n  {}", second.as_deref().unwrap_or(end))?;
        } else if *hashes_differ {
            writeln!(f, "then they differ in data that is not shown.")?;
        }
        if let Some([first, second]) = results.as_deref() {
            writeln!(f, "The first returned:\n  {first}\nand the second:\n  {second}")?;
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
    fn what_goes_the_same_way_and_returns_something_else_has_parted() {
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
    fn what_goes_another_way_has_parted_whatever_it_returns() {
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
