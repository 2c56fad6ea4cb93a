//! The `calls` row: calls from other threads. How many a second, what one costs, and how soon a
//! waiting loop makes one.

mod contenders;

use super::sample::median;
use crate::Options;
use crate::system::{SERVER_PROCESSOR, processors, run_on};
use crate::table::{Table, grouped};
use contenders::{Bare, Ropewalk, TokioChannel, TokioSpawn};
use hdrhistogram::Histogram;
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::hint::black_box;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// A loop that makes calls which other threads send.
trait Loop {
    type Caller: Caller;

    /// Runs in this thread until it is stopped. `ready` receives its caller.
    fn run(ready: impl FnOnce(Self::Caller)) -> Result<(), Box<dyn Error>>;
}

/// The sending side of a loop, for other threads.
trait Caller: Send + Sync + 'static {
    fn call(&self, call: impl FnOnce() + Send + 'static);

    /// Ends the loop.
    fn stop(self);
}

/// After this time without work a loop waits in its poll.
const IDLE: Duration = Duration::from_micros(200);

/// Longer latencies are recorded as this.
const SLOWEST: Duration = Duration::from_secs(10);

/// The numbers of sending threads.
const THREADS: [usize; 2] = [1, 4];

/// The counter of the calls. A static, since a captured counter would cost more than the call.
static MADE: AtomicU64 = AtomicU64::new(0);

/// The amount of work of a round.
#[derive(Clone, Copy)]
struct Plan {
    /// Calls sent as fast as possible, by all threads together.
    calls: usize,
    /// Calls sent to a waiting loop, one at a time.
    wake_ups: usize,
}

/// The result of one round of one contender.
#[derive(Default)]
struct Figures {
    throughput: [Throughput; THREADS.len()],
    /// From sending a call to its execution, in microseconds: the median, and the 99th percentile.
    latency: [f64; 2],
}

#[derive(Default)]
struct Throughput {
    calls_a_second: f64,
    /// Processor time of the loop's thread, in nanoseconds a call.
    of_loop: f64,
    /// Processor time of all threads, in nanoseconds a call.
    of_all: f64,
}

type Round = fn(Plan) -> Result<Figures, Box<dyn Error>>;

const CONTENDERS: [(&str, Round); 4] = [
    ("bare", round::<Bare>),
    ("ropewalk", round::<Ropewalk>),
    ("tokio, channel", round::<TokioChannel>),
    ("tokio, spawn", round::<TokioSpawn>),
];

/// The index of the contender that the ratios refer to.
const PEER: usize = 2;

pub(crate) fn measure(options: &Options) -> Result<Vec<Table>, Box<dyn Error>> {
    let plan = match options.quick {
        true => Plan { calls: 400_000, wake_ups: 300 },
        false => Plan { calls: 1_000_000, wake_ups: 2_000 },
    };
    let mut figures = CONTENDERS.map(|_| Vec::new());
    for _ in 0..options.rounds {
        for ((_, round), figures) in CONTENDERS.iter().zip(&mut figures) {
            figures.push(round(plan)?);
        }
    }
    Ok(vec![throughput_table(&figures, plan), latency_table(&figures, plan)])
}

fn throughput_table(figures: &[Vec<Figures>], plan: Plan) -> Table {
    let columns =
        ["timers", "threads", "calls/s", "÷ tokio", "loop, ns/call", "÷ tokio", "all, ns/call"];
    let mut table = Table::new("Calls from other threads, sent as fast as possible", &columns);
    for (place, threads) in THREADS.into_iter().enumerate() {
        let of = |contender: usize, figure: fn(&Throughput) -> f64| {
            median_of(&figures[contender], |round| figure(&round.throughput[place]))
        };
        for (contender, (name, _)) in CONTENDERS.iter().enumerate() {
            let rate = of(contender, |throughput| throughput.calls_a_second);
            let of_loop = of(contender, |throughput| throughput.of_loop);
            table.rows.push(vec![
                (*name).to_owned(),
                threads.to_string(),
                grouped(rate),
                format!("{:.2}", rate / of(PEER, |throughput| throughput.calls_a_second)),
                format!("{of_loop:.0}"),
                format!("{:.2}", of_loop / of(PEER, |throughput| throughput.of_loop)),
                format!("{:.0}", of(contender, |throughput| throughput.of_all)),
            ]);
        }
    }
    table.notes = vec![
        format!(
            "{} calls a round from all threads together, each a boxed closure that counts; from \
             the first to the last one's execution, medians of interleaved rounds. ns: processor \
             time of the loop's thread, and of all threads with the sending.",
            grouped(plan.calls as f64)
        ),
        "bare: std's channel and an eventfd, no epoll. tokio, channel: an unbounded channel to a \
         task on a current-thread runtime, in order as ours, so it is what is divided by. tokio, \
         spawn: runtime::Handle::spawn, a task for each call."
            .into(),
    ];
    table
}

fn latency_table(figures: &[Vec<Figures>], plan: Plan) -> Table {
    let columns = ["timers", "p50, µs", "÷ tokio", "p99, µs", "÷ tokio"];
    let mut table = Table::new("Waking a waiting loop: from the call to its execution", &columns);
    for (contender, (name, _)) in CONTENDERS.iter().enumerate() {
        let mut row = vec![(*name).to_owned()];
        for place in 0..2 {
            let of =
                |contender: usize| median_of(&figures[contender], |round| round.latency[place]);
            row.push(format!("{:.1}", of(contender)));
            row.push(format!("{:.2}", of(contender) / of(PEER)));
        }
        table.rows.push(row);
    }
    table.notes.push(format!(
        "{} calls a round from one thread, {} µs apart; medians of the rounds' percentiles.",
        grouped(plan.wake_ups as f64),
        IDLE.as_micros()
    ));
    table
}

fn median_of(figures: &[Figures], figure: impl Fn(&Figures) -> f64) -> f64 {
    median(figures.iter().map(figure).collect())
}

/// Starts the loop on the server's processor, and calls it from threads on other processors.
fn round<L: Loop>(plan: Plan) -> Result<Figures, Box<dyn Error>> {
    let (ready, callers) = mpsc::channel();
    let looping = thread::spawn(move || {
        let run = || {
            if processors() > 1 {
                run_on(&[SERVER_PROCESSOR])?;
            }
            // The receiver is dropped only if the whole measurement has failed.
            L::run(|caller| drop(ready.send(caller)))
        };
        run().map_err(|error| error.to_string())
    });
    let mut figures = Figures::default();
    // If the loop is not ready, it has failed; its error is returned below.
    if let Ok(caller) = callers.recv() {
        for (threads, throughput) in THREADS.into_iter().zip(&mut figures.throughput) {
            *throughput = flood(&caller, threads, plan.calls)?;
        }
        figures.latency = wake(&caller, plan.wake_ups)?;
        caller.stop();
    }
    looping.join().map_err(|_| "the loop's thread panicked")??;
    Ok(figures)
}

fn flood(caller: &impl Caller, threads: usize, calls: usize) -> Result<Throughput, Box<dyn Error>> {
    let made = MADE.load(Ordering::Relaxed);
    let begin = Barrier::new(threads + 1);
    let loop_before = on_loop(caller, || time_of(ClockId::ThreadCPUTime))?;
    let (elapsed, of_all) = thread::scope(|scope| {
        let senders: Vec<_> = (0..threads)
            .map(|_| {
                let begin = &begin;
                scope.spawn(move || {
                    let placed = leave_server_processor();
                    begin.wait();
                    begin.wait();
                    for _ in 0..calls / threads {
                        let count = black_box(1);
                        caller.call(move || {
                            MADE.fetch_add(count, Ordering::Relaxed);
                        });
                    }
                    // The last call of this thread, so all calls before it have been made.
                    on_loop(caller, || ())?;
                    placed
                })
            })
            .collect();
        // All threads have arrived; the clocks are read before they continue.
        begin.wait();
        let (clock, processor_time) = (Instant::now(), time_of(ClockId::ProcessCPUTime));
        begin.wait();
        for sender in senders {
            sender.join().map_err(|_| io::Error::other("a sender panicked"))??;
        }
        Ok::<_, io::Error>((clock.elapsed(), time_of(ClockId::ProcessCPUTime) - processor_time))
    })?;
    let of_loop = on_loop(caller, || time_of(ClockId::ThreadCPUTime))? - loop_before;
    let calls = (calls / threads * threads) as f64;
    assert_eq!((MADE.load(Ordering::Relaxed) - made) as f64, calls, "each call is made once");
    Ok(Throughput {
        calls_a_second: calls / elapsed.as_secs_f64(),
        of_loop: of_loop.as_nanos() as f64 / calls,
        of_all: of_all.as_nanos() as f64 / calls,
    })
}

fn wake(caller: &impl Caller, wake_ups: usize) -> Result<[f64; 2], Box<dyn Error>> {
    let mut latencies = Histogram::<u64>::new_with_bounds(1, SLOWEST.as_nanos() as u64, 3)?;
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            leave_server_processor()?;
            for _ in 0..wake_ups {
                thread::sleep(IDLE);
                let begin = Instant::now();
                let latency = on_loop(caller, move || begin.elapsed())?;
                latencies.saturating_record(latency.as_nanos() as u64);
            }
            Ok::<_, io::Error>(())
        });
        sender.join().map_err(|_| io::Error::other("the sender panicked"))?
    })?;
    Ok([0.5, 0.99].map(|quantile| latencies.value_at_quantile(quantile) as f64 / 1000.0))
}

/// Runs a call on the loop, and waits for its result.
fn on_loop<T: Send + 'static>(
    caller: &impl Caller,
    call: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (answer, answers) = mpsc::sync_channel(1);
    caller.call(move || drop(answer.send(call())));
    answers.recv().map_err(|_| io::Error::other("the loop has ended"))
}

/// Moves this thread to another processor, if there is one.
fn leave_server_processor() -> io::Result<()> {
    let count = processors();
    if count < 2 {
        return Ok(());
    }
    let mut others = CpuSet::new();
    (0..count).filter(|&processor| processor != SERVER_PROCESSOR).for_each(|it| others.set(it));
    Ok(sched_setaffinity(None, &others)?)
}

fn time_of(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}
