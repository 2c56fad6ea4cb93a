//! Timers: what it costs to schedule one and cancel it, and to schedule one and have it fire, and how
//! that grows with how many are outstanding.

mod contenders;

use super::sample::median;
use crate::Options;
use crate::table::{Table, grouped};
use contenders::{Heap, Ropewalk, TokioSleeps, TokioTasks};
use rustix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::time::Duration;

/// Timers, each contender's own way.
trait Timers {
    /// Schedules so many, which stay.
    fn fill(&mut self, delays: &[Duration]);

    /// Schedules a chunk of timers, lets its loop turn once without waiting, if it has one, cancels
    /// as many, and so on.
    ///
    /// Without the turn tokio would not note the first deadline, and wake its own loop for each
    /// timer that it finds to be the first.
    fn schedule_and_cancel(&mut self, chunks: &[Vec<Pair>]);

    /// Schedules them all and returns when they have fired; how many did.
    fn fire(&mut self, delays: &[Duration]) -> usize;
}

/// One timer is scheduled, and one cancelled.
struct Pair {
    delay: Duration,
    /// Which of the outstanding ones is cancelled; the last one if there are not so many.
    victim: usize,
}

impl Pair {
    /// Which one is cancelled of so many outstanding ones.
    fn victim_of(&self, outstanding: usize) -> usize {
        self.victim.min(outstanding - 1)
    }
}

/// How many are scheduled before as many are cancelled. A tokio task registers its timer when it is
/// first polled, and that happens to at most 61 between two polls of the one that spawns them.
const CHUNK: usize = 32;

/// Pairs, and fires, in a round. So many fires take some milliseconds of waiting.
const PAIRS: usize = 32_000;
const FIRES: usize = 10_000;

/// To have a million of each takes a few seconds, too long for a quick look.
const OUTSTANDING: [usize; 4] = [0, 1_000, 100_000, 1_000_000];

/// The outstanding ones are due after so long, and within as long again: after the measurement.
const FAR: Duration = Duration::from_secs(1200);

/// Those that are to fire are due within this.
const NEAR: Duration = Duration::from_millis(10);

/// The row's figures of one contender, in nanoseconds a timer.
#[derive(Clone, Copy)]
struct Costs([f64; 3]);

pub(crate) fn measure(options: &Options) -> Result<Vec<Table>, Box<dyn Error>> {
    let rounds = options.rounds;
    let columns = [
        "whose",
        "outstanding",
        "timeout: schedule, cancel",
        "÷ tokio",
        "any: schedule, cancel",
        "÷ tokio",
        "schedule, fire",
        "÷ tokio",
    ];
    let mut table = Table::new("Timers: processor time a timer, in nanoseconds", &columns);
    table.notes = vec![
        format!(
            "Processor time of the thread, medians of {rounds} interleaved rounds of {} pairs and \
             {} fires.",
            grouped(PAIRS as f64),
            grouped(FIRES as f64)
        ),
        "timeout: each is the last to be due and is cancelled soon, as of a request that is \
         answered. any: random deadlines, and random ones of the outstanding are cancelled. fire: \
         due within 10 ms, among the outstanding ones."
            .into(),
        "tokio, sleeps: a boxed Sleep, polled once, and dropped; no code of its own runs when it \
         fires. This is the one that is divided by. tokio, tasks: a task that sleeps and then does \
         what our callback does; aborted. Both on a current-thread runtime."
            .into(),
        "heap: std's BinaryHeap. What is cancelled stays in it until it is due; so it keeps the \
         memory, and pays for a cancelled one later, outside of this."
            .into(),
    ];
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

/// The median costs of all contenders with so many outstanding.
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
    // The first round warms up.
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
        let figures = figures.next().expect("there are as many as contenders");
        (name, Costs(figures.map(median)))
    }))
}

fn pairs(mut pair: impl FnMut() -> Pair) -> Vec<Vec<Pair>> {
    (0..PAIRS / CHUNK).map(|_| (0..CHUNK).map(|_| pair()).collect()).collect()
}

/// How much of this thread's processor time it takes, in nanoseconds.
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
