//! Runs jobs on a pool of threads, with a progress bar.
//!
//!     cargo run --release --example run_jobs
//!
//! Each job counts the prime numbers in a part of the numbers. The jobs compute on threads; their answers arrive on the
//! reactor's thread, where they are added up and the bar is drawn. Meanwhile the reactor is free: a timer draws the
//! bar, and Ctrl-C ends the program when the running jobs are over. A job that panics is counted as failed.
//!
//! Options:
//!
//!     --jobs COUNT      the number of jobs (200)
//!     --threads COUNT   the most that run at a time (the number of processors)
//!     --size COUNT      the numbers for each job (200000)
//!     --demo            few and small jobs, one of which panics
//!     --help            this text

use lexopt::prelude::*;
use ropewalk::{Context, ThreadOptions, call_in_thread};
use std::cell::RefCell;
use std::io::{IsTerminal, stdout};
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};
use support::{Failure, say, show};

/// How often the bar is drawn.
const FRAME: Duration = Duration::from_millis(100);

/// The columns of the bar itself.
const WIDTH: usize = 40;

/// The jobs, and what has become of them.
struct Progress {
    jobs: u32,
    size: u32,
    /// The job that panics.
    fails: Option<u32>,
    begun: u32,
    ended: u32,
    failed: Vec<String>,
    primes: usize,
    since: Instant,
    /// The tenths that were reported, where there is no terminal.
    tenths: u32,
}

type Shared = Rc<RefCell<Progress>>;

fn main() -> ExitCode {
    support::main(include_str!("run_jobs.rs"), |mut arguments| {
        let (mut jobs, mut size, mut fails) = (200, 200_000, None);
        let mut threads = thread::available_parallelism().map_or(1, usize::from);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("jobs") => jobs = support::at_least_one(&mut arguments)?,
                Long("size") => size = support::at_least_one(&mut arguments)?,
                Long("threads") => threads = support::at_least_one(&mut arguments)? as usize,
                Long("demo") => (jobs, size, fails) = (20, 2_000, Some(13)),
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from(if fails.is_some() { "off" } else { "warn" });
        run(jobs, size, fails, threads)
    })
}

fn run(jobs: u32, size: u32, fails: Option<u32>, threads: usize) -> Result<(), Failure> {
    let mut reactor = support::reactor()?;
    reactor.set_threads(ThreadOptions::new().max(threads));
    let progress = Rc::new(RefCell::new(Progress {
        jobs,
        size,
        fails,
        begun: 0,
        ended: 0,
        failed: Vec::new(),
        primes: 0,
        since: Instant::now(),
        tenths: 0,
    }));
    // No more jobs than threads are started: the others need no place in a queue.
    for _ in 0..threads {
        start_next(reactor.context(), &progress);
    }
    draw_regularly(reactor.context(), Rc::clone(&progress));
    reactor.run()?;
    finish(&progress.borrow())
}

/// Starts a job, unless all were started.
fn start_next(context: &mut Context, progress: &Shared) {
    let mut this = progress.borrow_mut();
    if this.begun == this.jobs || context.is_stopping() {
        return;
    }
    let (job, size, fails) = (this.begun, this.size, this.fails);
    this.begun += 1;
    let shared = Rc::clone(progress);
    let work = move || {
        if fails == Some(job) {
            resume_unwind(Box::new("on purpose")); // A panic without a message on standard error.
        }
        primes_in(u64::from(job) * u64::from(size), size)
    };
    let started = call_in_thread(context, work, move |context, answer| {
        let mut this = shared.borrow_mut();
        this.ended += 1;
        match answer {
            Ok(count) => this.primes += count,
            Err(panic) => this.failed.push(format!("job {job}: {panic}")),
        }
        let is_over = this.ended == this.jobs;
        drop(this);
        match is_over {
            true => context.stop(),
            false => start_next(context, &shared),
        }
    });
    if let Err(error) = started {
        this.ended += 1;
        this.failed.push(format!("job {job}: {error}"));
    }
}

fn primes_in(first: u64, count: u32) -> usize {
    let is_prime = |number: &u64| {
        *number > 1 && (2..).take_while(|d| d * d <= *number).all(|d| !number.is_multiple_of(d))
    };
    (first..first + u64::from(count)).filter(is_prime).count()
}

fn draw_regularly(context: &mut Context, progress: Shared) {
    context.call_later(FRAME, move |context| {
        // The output may be a closed pipe: then the program ends.
        if progress.borrow_mut().draw().is_err() {
            context.stop();
        } else if !context.is_stopping() {
            draw_regularly(context, progress);
        }
    });
}

impl Progress {
    fn draw(&mut self) -> Result<(), Failure> {
        let (ended, jobs) = (self.ended as usize, self.jobs as usize);
        let running = self.begun - self.ended;
        if stdout().is_terminal() {
            let filled = WIDTH * ended / jobs;
            let (bar, rest) = ("#".repeat(filled), " ".repeat(WIDTH - filled));
            let time = self.since.elapsed().as_secs_f32();
            // Back to the first column, and clear to the end of the line.
            return show(format_args!(
                "\r\x1b[K[{bar}{rest}] {ended}/{jobs}, {running} run, {time:.1} s"
            ));
        }
        let tenths = 10 * self.ended / self.jobs;
        if tenths > self.tenths {
            self.tenths = tenths;
            show(format_args!("{ended} of {jobs} jobs\n"))?;
        }
        Ok(())
    }
}

fn finish(progress: &Progress) -> Result<(), Failure> {
    let Progress { jobs, ended, failed, primes, since, .. } = progress;
    if stdout().is_terminal() {
        show(format_args!("\r\x1b[K"))?;
    }
    failed.iter().for_each(|failed| say(format_args!("failed: {failed}")));
    let time = since.elapsed().as_secs_f32();
    say(format_args!(
        "{ended} of {jobs} jobs in {time:.1} s, {} of them failed: {primes} prime numbers",
        failed.len()
    ));
    Ok(())
}
