//! Reactors that stop on signals and when stdout fails.

use crate::output;
use ropewalk::{Error, Reactor, ReactorGroup};
use std::sync::{Mutex, PoisonError};

/// The cleanup for a forced end of the process.
static CLEANUP: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

/// Registers `cleanup` to be called if a second signal ends the process while its reactor is blocked.
pub fn before_forced_end(cleanup: impl FnOnce() + Send + 'static) {
    *CLEANUP.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(cleanup));
}

/// Returns a reactor that stops gracefully on SIGINT and SIGTERM, and when stdout fails.
///
/// # Errors
///
/// Fails if the system provides no poll or no signal handler.
pub fn reactor() -> Result<Reactor, Error> {
    let mut reactor = Reactor::new()?;
    reactor.stop_on_signals()?;
    let handle = reactor.handle();
    // The call fails if the reactor has ended.
    output::on_failure(move || {
        let _ = handle.stop();
    });
    second_signal::end_the_process();
    Ok(reactor)
}

/// Returns a group of reactors that stop like [`reactor`]'s.
///
/// # Errors
///
/// Fails if the system provides no poll, no signal handler or no thread.
pub fn group(reactors: usize) -> Result<ReactorGroup, Error> {
    let mut group = ReactorGroup::new(reactors)?;
    group.stop_on_signals()?;
    let handle = group.handle();
    // The call fails if the reactor has ended.
    output::on_failure(move || {
        let _ = handle.stop();
    });
    second_signal::end_the_process();
    Ok(group)
}

/// The handler of a second signal. The second signal stops the reactor immediately. If a callback blocks the reactor,
/// the process exits a second later.
#[cfg(unix)]
mod second_signal {
    use super::CLEANUP;
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use std::process;
    use std::sync::PoisonError;
    use std::thread;
    use std::time::Duration;

    /// How long the reactor has to end by itself, so that it can restore terminals and remove files.
    const TIMEOUT: Duration = Duration::from_secs(1);

    pub(super) fn end_the_process() {
        // If this fails, the reactor still handles signals.
        if let Ok(mut signals) = Signals::new(handled()) {
            thread::spawn(move || {
                if let Some(signal) = signals.forever().nth(1) {
                    thread::sleep(TIMEOUT);
                    let cleanup = CLEANUP.lock().unwrap_or_else(PoisonError::into_inner).take();
                    if let Some(cleanup) = cleanup {
                        cleanup();
                    }
                    process::exit(128 + signal);
                }
            });
        }
    }

    /// Returns SIGINT and SIGTERM without those that the process inherited as ignored (nohup(1)).
    fn handled() -> Vec<i32> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        let is_handled = |signal: &i32| mask & (1 << (signal - 1)) == 0;
        [SIGINT, SIGTERM].into_iter().filter(is_handled).collect()
    }
}

#[cfg(not(unix))]
mod second_signal {
    pub(super) fn end_the_process() {}
}
