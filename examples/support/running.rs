//! Reactors for programs: what ends them.

use super::output;
use ropewalk::{Error, Reactor, ReactorGroup};
use std::sync::{Mutex, PoisonError};

/// What is done before the process ends without its reactor.
static LAST_ACT: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

/// Has `act` called if the process ends at a second signal while its reactor is blocked.
#[allow(dead_code)] // Not every program has something to put in order.
pub(crate) fn before_forced_end(act: impl FnOnce() + Send + 'static) {
    *LAST_ACT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(act));
}

/// A reactor whose run ends in order on SIGINT or SIGTERM, and when stdout takes no more.
#[allow(dead_code)] // Not every program has one.
pub(crate) fn reactor() -> Result<Reactor, Error> {
    let mut reactor = Reactor::new()?;
    reactor.stop_on_signals()?;
    let handle = reactor.handle();
    // A reactor that is gone has ended.
    output::on_failure(move || {
        let _ = handle.stop();
    });
    second_signal::ends_the_process();
    Ok(reactor)
}

/// The same for several.
#[allow(dead_code)] // Most programs have one reactor.
pub(crate) fn group(reactors: usize) -> Result<ReactorGroup, Error> {
    let mut group = ReactorGroup::new(reactors)?;
    group.stop_on_signals()?;
    let handle = group.handle();
    // A reactor that is gone has ended.
    output::on_failure(move || {
        let _ = handle.stop();
    });
    second_signal::ends_the_process();
    Ok(group)
}

/// A second signal stops the reactor at once. If the reactor does not hear it, for some callback
/// does not return, the process ends all the same.
#[cfg(unix)]
mod second_signal {
    use super::LAST_ACT;
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use std::process;
    use std::sync::PoisonError;
    use std::thread;
    use std::time::Duration;

    /// How long the reactor has to end by itself: it puts terminals and files in order.
    const PATIENCE: Duration = Duration::from_secs(1);

    pub(super) fn ends_the_process() {
        // Without these the reactor still heeds signals.
        if let Ok(mut signals) = Signals::new(heeded()) {
            thread::spawn(move || {
                if let Some(signal) = signals.forever().nth(1) {
                    thread::sleep(PATIENCE);
                    let act = LAST_ACT.lock().unwrap_or_else(PoisonError::into_inner).take();
                    if let Some(act) = act {
                        act();
                    }
                    process::exit(128 + signal);
                }
            });
        }
    }

    /// Signals that the process was started to ignore stay ignored (nohup(1)).
    fn heeded() -> Vec<i32> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        let heeded = |signal: &i32| mask & (1 << (signal - 1)) == 0;
        [SIGINT, SIGTERM].into_iter().filter(heeded).collect()
    }
}

#[cfg(not(unix))]
mod second_signal {
    pub(super) fn ends_the_process() {}
}
