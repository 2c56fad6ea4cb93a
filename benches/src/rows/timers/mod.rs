//! The `timers` row: the cost of scheduling and cancelling a timer, and of scheduling and firing
//! it, by the number of outstanding timers.

mod contenders;

use super::sample::median;
use crate::Options;
use crate::table::{Table, grouped};
use contenders::{Heap, Ropewalk, TokioSleeps, TokioTasks};
use rustix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::time::Duration;

/// The timers of one contender.
trait Timers {
    /// Schedules timers with these delays, which stay outstanding.
    fn fill(&mut self, delays: &[Duration]);

    /// Schedules a chunk of timers, turns its loop once without waiting, if it has one, cancels as
    /// many, and so on.
    ///
    /// Without the turn, tokio would not note the first deadline, and would wake its own loop for
    /// each timer that is the first.
    fn schedule_and_cancel(&mut self, chunks: &[Vec<Pair>]);

    /// Schedules timers with these delays, and returns when they have fired. Returns how many
    /// fired.
    fn fire(&mut self, delays: &[Duration]) -> usize;
}

/// One timer to schedule, and one to cancel.
struct Pair {
    delay: Duration,
    /// Which outstanding timer is cancelled; the last one if there are fewer.
    victim: usize,
}

impl Pair {
    /// Returns the index of the timer to cancel, out of `outstanding`.
    fn victim_of(&self, outstanding: usize) -> usize {
        self.victim.min(outstanding - 1)
    }
}

/// How many timers are scheduled before as many are cancelled. A tokio task registers its timer at
/// its first poll, and at most 61 tasks are polled between two polls of the task that spawns them.
const CHUNK: usize = 32;

/// Pairs, and fired timers, in a round. Firing them takes some milliseconds of waiting.
const PAIRS: usize = 32_000;
const FIRES: usize = 10_000;

/// A million of each takes a few seconds, too long for `--quick`.
const OUTSTANDING: [usize; 4] = [0, 1_000, 100_000, 1_000_000];

/// The outstanding timers are due between this and twice this, after the measurement.
const FAR: Duration = Duration::from_secs(1200);

/// The timers that fire are due within this.
const NEAR: Duration = Duration::from_millis(10);

/// The figures of one contender, in nanoseconds a timer.
#[derive(Clone, Copy)]
struct Costs([f64; 3]);

pub(crate) fn measure(options: &Options) -> Result<Vec<Table>, Box<dyn Error>> {
    let rounds = options.rounds;
    let columns = [
        "timers",
        "outstanding",
        "timeout: schedule, cancel",
        "÷ tokio",
        "any: schedule, cancel",
        "÷ tokio",
        "schedule, fire",
        "÷ tokio",
    ];
    let mut table = Table::new("Timers: processor time a timer, in nanoseconds", &columns);
    table.notes = notes(rounds);
    let all = if options.quick { &OUTSTANDING[..3] } else { &OUTSTANDING };
    for &outstanding in all {
        let costs = compare(outstanding, rounds)?;
        let tokio = costs[1].1.0;
        for (name, Costs(costs)) in costs {
            let mut row = vec![name.to_owned(), grouped(outstanding as f64)];
            for (cost, tokio) in costs.iter().zip(tokio) {
                row.extend([format!("{cost:.0}"), format!("{:.2}", cost / tokio)]);
            }
            table.rows.push(row);
        }
    }
    Ok(vec![table])
}

/// Returns the notes under the table.
fn notes(rounds: usize) -> Vec<String> {
    vec![
        format!(
            "Processor time of the thread, medians of {rounds} interleaved rounds of {} pairs and \
             {} fires.",
            grouped(PAIRS as f64),
            grouped(FIRES as f64)
        ),
        "timeout: each is the last to be due and is cancelled soon, as for a request that is \
         answered. any: random deadlines, and random outstanding timers are cancelled. fire: \
         due within 10 ms, among the outstanding ones."
            .into(),
        "tokio, sleeps: a boxed Sleep, polled once, and dropped; no code of its own runs when it \
         fires. The ratios refer to this. tokio, tasks: a task that sleeps and then does \
         what the callback does; aborted. Both on a current-thread runtime."
            .into(),
        "heap: std's BinaryHeap. A cancelled timer stays in it until it is due; so it keeps the \
         memory, and pays for a cancelled timer later, outside of this measurement."
            .into(),
    ]
}

/// Returns the median costs of all contenders with `outstanding` timers.
fn compare(
    outstanding: usize,
    rounds: usize,
) -> Result<[(&'static str, Costs); 4], Box<dyn Error>> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut contenders: [(&str, Box<dyn Timers>); 4] = [
        ("ropewalk", Box::new(Ropewalk::new()?)),
        ("tokio, sleeps", Box::new(TokioSleeps::new()?)),
        ("tokio, tasks", Box::new(TokioTasks::new()?)),
        ("heap", Box::new(Heap::default())),
    ];
    let delays: Vec<Duration> = (0..outstanding).map(|_| FAR + random.below(FAR)).collect();
    for (_, timers) in &mut contenders {
        timers.fill(&delays);
    }
    let mut figures = [const { [const { Vec::new() }; 3] }; 4];
    // The first round is the warm-up.
    for round in 0..=rounds {
        let timeouts = pairs(|| Pair { delay: 2 * FAR, victim: usize::MAX });
        let any = pairs(|| Pair {
            delay: FAR + random.below(FAR),
            victim: random.next() as usize % (outstanding + CHUNK),
        });
        let near: Vec<Duration> = (0..FIRES).map(|_| random.below(NEAR)).collect();
        for ((_, timers), figures) in contenders.iter_mut().zip(&mut figures) {
            let costs = [
                processor_time(|| timers.schedule_and_cancel(&timeouts)) / PAIRS as f64,
                processor_time(|| timers.schedule_and_cancel(&any)) / PAIRS as f64,
                processor_time(|| assert_eq!(timers.fire(&near), FIRES)) / FIRES as f64,
            ];
            if round > 0 {
                figures.iter_mut().zip(costs).for_each(|(figures, cost)| figures.push(cost));
            }
        }
    }
    let mut figures = figures.into_iter();
    Ok(contenders.map(|(name, _)| {
        let figures = figures.next().expect("one for each contender");
        (name, Costs(figures.map(median)))
    }))
}

fn pairs(mut pair: impl FnMut() -> Pair) -> Vec<Vec<Pair>> {
    (0..PAIRS / CHUNK).map(|_| (0..CHUNK).map(|_| pair()).collect()).collect()
}

/// Returns this thread's processor time for `work`, in nanoseconds.
fn processor_time(work: impl FnOnce()) -> f64 {
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default();
    let before = now();
    work();
    (now() - before).as_nanos() as f64
}

/// Marsaglia's xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: Duration) -> Duration {
        Duration::from_nanos(self.next() % limit.as_nanos() as u64)
    }
}
