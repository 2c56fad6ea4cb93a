//! What is asked of the system for the measurement's sake: a processor for oneself, and descriptors.

use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs;
use std::io;
use std::sync::LazyLock;
use std::thread::available_parallelism;
use std::time::Duration;

/// Where the server runs, alone.
pub(crate) const SERVER_PROCESSOR: usize = 0;

/// Where a server runs that is measured on two processors. The load then runs wherever there is time.
pub(crate) const SERVER_PROCESSORS: [usize; 2] = [0, 1];

/// Where the load runs, alone.
pub(crate) const LOAD_PROCESSOR: usize = 1;

/// How many processors there are; with one, server and load share it, and nothing is pinned.
pub(crate) fn processors() -> usize {
    // Once: a thread that has been put on one of them is told that there is one.
    static COUNT: LazyLock<usize> =
        LazyLock::new(|| available_parallelism().map_or(1, usize::from));
    *COUNT
}

/// The processor time that all programs have taken since the machine began, to the tick of 10 ms.
pub(crate) fn time_of_all() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    let first = text.lines().next().unwrap_or_default();
    // Of users' programs, of nice ones, and of the system for them; then comes what is idle.
    let ticks: u64 = first.split_whitespace().skip(1).take(3).flat_map(str::parse::<u64>).sum();
    Ok(Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64))
}

/// Puts this thread, and those that it starts from now on, on these processors.
pub(crate) fn run_on(processors: &[usize]) -> io::Result<()> {
    let mut only = CpuSet::new();
    processors.iter().for_each(|&processor| only.set(processor));
    Ok(sched_setaffinity(None, &only)?)
}

/// Whether this thread may run on one processor only.
pub(crate) fn has_one_processor() -> bool {
    sched_getaffinity(None).is_ok_and(|processors| processors.count() == 1)
}

/// This thread is on the load's processor until this is dropped.
#[derive(Debug)]
pub(crate) struct OnLoadProcessor {
    before: CpuSet,
}

impl OnLoadProcessor {
    /// Moves there; where there is no second processor, stays.
    pub(crate) fn enter() -> io::Result<Self> {
        let before = sched_getaffinity(None)?;
        if processors() > 1 {
            run_on(&[LOAD_PROCESSOR])?;
        }
        Ok(Self { before })
    }
}

impl Drop for OnLoadProcessor {
    fn drop(&mut self) {
        // Fails only if the processors that were there have been taken from us.
        let _ = sched_setaffinity(None, &self.before);
    }
}

/// As many descriptors as this process may have; what a server starts as inherits it.
pub(crate) fn raise_descriptor_limit() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?)
}
