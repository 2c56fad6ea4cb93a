//! What is asked of the system for the measurement's sake: a processor for oneself, and descriptors.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io;
use std::sync::LazyLock;
use std::thread::available_parallelism;

/// Where the server runs, alone.
pub(crate) const SERVER_PROCESSOR: usize = 0;

/// Where the load runs, alone.
pub(crate) const LOAD_PROCESSOR: usize = 1;

/// How many processors there are; with one, server and load share it, and nothing is pinned.
pub(crate) fn processors() -> usize {
    // Once: a thread that has been put on one of them is told that there is one.
    static COUNT: LazyLock<usize> =
        LazyLock::new(|| available_parallelism().map_or(1, usize::from));
    *COUNT
}

/// Puts this thread, and those that it starts from now on, on `processor`.
pub(crate) fn run_on(processor: usize) -> io::Result<()> {
    let mut only = CpuSet::new();
    only.set(processor);
    Ok(sched_setaffinity(None, &only)?)
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
            run_on(LOAD_PROCESSOR)?;
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
