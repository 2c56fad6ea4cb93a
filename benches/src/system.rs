//! System settings for a measurement: processors, and the limit on descriptors.

use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs;
use std::io;
use std::sync::LazyLock;
use std::thread::available_parallelism;
use std::time::Duration;

/// The processor that the server runs on, alone.
pub(crate) const SERVER_PROCESSOR: usize = 0;

/// The processors of a server that is measured on two. The load then runs on either.
pub(crate) const SERVER_PROCESSORS: [usize; 2] = [0, 1];

/// The processor that the load runs on, alone.
pub(crate) const LOAD_PROCESSOR: usize = 1;

/// Returns the number of processors. With one, the server and the load share it, and nothing is
/// pinned.
pub(crate) fn processors() -> usize {
    // Read once, since a pinned thread sees one processor only.
    static COUNT: LazyLock<usize> =
        LazyLock::new(|| available_parallelism().map_or(1, usize::from));
    *COUNT
}

/// Returns the processor time of all programs since the machine started, in ticks of 10 ms.
pub(crate) fn time_of_all() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    let first = text.lines().next().unwrap_or_default();
    // Of user programs, of niced ones, and of the system. Idle time follows.
    let ticks: u64 = first.split_whitespace().skip(1).take(3).flat_map(str::parse::<u64>).sum();
    Ok(Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64))
}

/// Pins this thread, and threads that it starts later, to these processors.
pub(crate) fn run_on(processors: &[usize]) -> io::Result<()> {
    let mut only = CpuSet::new();
    processors.iter().for_each(|&processor| only.set(processor));
    Ok(sched_setaffinity(None, &only)?)
}

/// Returns true if this thread may run on one processor only.
pub(crate) fn has_one_processor() -> bool {
    sched_getaffinity(None).is_ok_and(|processors| processors.count() == 1)
}

/// Keeps this thread on the load's processor until it is dropped.
#[derive(Debug)]
pub(crate) struct OnLoadProcessor {
    before: CpuSet,
}

impl OnLoadProcessor {
    /// Moves this thread there, if there is a second processor.
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
        // Fails only if the earlier processors are no longer allowed.
        let _ = sched_setaffinity(None, &self.before);
    }
}

/// Raises the limit on descriptors to the hard limit. Child processes inherit it.
pub(crate) fn raise_descriptor_limit() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?)
}
