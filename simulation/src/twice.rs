//! Whether a world goes the same way again.

use crate::trace::Record;
use crate::world::World;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// How many lines are shown of what both runs had in common.
const BEFORE: usize = 8;

/// Plays the same thing twice, and looks whether it went the same way: `play` is given an empty world of
/// this seed each time, and does in it whatever is to be done.
///
/// It keeps every line of the first run, some 100 bytes each.
///
/// ```
/// use ropewalk_simulation::{World, twice};
/// use std::time::Duration;
///
/// twice(7, |world: &mut World| {
///     world.add_node("lonely", |reactor| {
///         reactor.context().call_later(Duration::from_secs(1), |_| {});
///         Ok(())
///     });
///     world.run_for(Duration::from_secs(2));
/// })
/// .unwrap();
/// ```
///
/// # Errors
///
/// If it did not: the error shows where the runs parted, and says where to look.
pub fn twice(seed: u64, mut play: impl FnMut(&mut World)) -> Result<(), Parted> {
    let mut run = || {
        let lines = Rc::new(RefCell::new(Vec::new()));
        let mut world = World::new(seed);
        let log = Rc::clone(&lines);
        world.on_record(move |record: &Record<'_>| log.borrow_mut().push(record.to_string()));
        play(&mut world);
        let trace = world.trace();
        drop(world);
        (trace, lines.take())
    };
    let (first, second) = (run(), run());
    // What the lines do not show, long data say, is in the hash.
    if first == second {
        return Ok(());
    }
    let (first, second) = (first.1, second.1);
    let same = first.iter().zip(&second).take_while(|(one, other)| one == other).count();
    Err(Parted {
        seed,
        before: first[same.saturating_sub(BEFORE)..same].to_vec(),
        first: first.get(same).cloned(),
        second: second.get(same).cloned(),
    })
}

/// Two runs from the same seed went different ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parted {
    seed: u64,
    /// The last that they had in common.
    before: Vec<String>,
    /// What came then; `None` if that was the end.
    first: Option<String>,
    second: Option<String>,
}

impl fmt::Display for Parted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, before, first, second } = self;
        writeln!(f, "two runs from the seed {seed} went different ways. Together:")?;
        before.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        if first == second {
            writeln!(f, "then they differ in data that is not shown.")?;
        } else {
            let end = "(nothing more)";
            writeln!(f, "then the first:\n  {}", first.as_deref().unwrap_or(end))?;
            writeln!(f, "and the second:\n  {}", second.as_deref().unwrap_or(end))?;
        }
        f.write_str(
            "The usual suspects: the order of a HashMap or HashSet; Instant::now, SystemTime or a random \
             number that is not the world's; a thread; what a static or the caller of the world keeps \
             from one run to the next; an address in memory that is printed or sorted by.",
        )
    }
}

impl std::error::Error for Parted {}
