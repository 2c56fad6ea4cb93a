//! The state of signals in the process: their effect while no reactor waits for them, and while one is blocked.

use crate::sys::pool::start_thread;
use crate::sys::process_id;
use crate::values::guard::guarded;
use crate::values::logging::SIGNAL;
use log::debug;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The signals that end a run.
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// How long a reactor may take to notice a second signal, before it counts as blocked. Callbacks are much shorter, and
/// a user at a terminal does not wait long.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Registers a cleanup for the forced end of the process.
pub(crate) fn set_cleanup(cleanup: Box<dyn FnOnce() + Send>) {
    let replaced = SignalState::lock().cleanup.replace(cleanup);
    drop(replaced); // A user's value: not under the lock.
}

/// Signals that have another effect than their default action, until this is dropped.
pub(super) struct Uses {
    signals: Vec<i32>,
    idle: Vec<Arc<AtomicBool>>,
    process: u32,
}

/// In a child of fork(2) the copies of the process-wide state are not counted, and a thread of the parent may have had
/// the lock. The child's signals take their default action again.
impl Drop for Uses {
    fn drop(&mut self) {
        if self.process == process_id() {
            SignalState::lock().end_use(&self.signals);
        } else {
            self.idle.iter().for_each(|idle| idle.store(true, Ordering::SeqCst));
        }
    }
}

/// The uses of a signal in this process.
pub(super) struct Used {
    count: usize,
    /// True while there is none: the signal takes its default action.
    idle: Arc<AtomicBool>,
    /// True if the process was started to ignore it, as by nohup(1) or a shell's `&`.
    ignored: bool,
}

/// A reactor that SIGINT and SIGTERM stop.
struct Stopped {
    unnoticed: Arc<AtomicBool>,
    /// True during a run, false before the first one.
    runs: bool,
}

/// The state of signals in this process.
///
/// This is the only state shared by the whole process, because signals are. signal-hook keeps its handler after
/// its last user was dropped, and the signal would then do nothing: Ctrl-C would not end a program after its
/// run.
pub(super) struct SignalState {
    /// The signals that were used so far.
    used: BTreeMap<i32, Used>,
    /// The reactors in a run that signals end, and those before their first run.
    reactors: Vec<Stopped>,
    /// The number of runs of the process. One begins with the first of these reactors, and ends with the last.
    runs: u64,
    cleanup: Option<Box<dyn FnOnce() + Send>>,
    /// The process that has the thread of [`end_if_blocked`]. A child of fork(2) does not inherit the thread.
    watched: Option<u32>,
}

static STATE: Mutex<SignalState> = Mutex::new(SignalState::new());

impl SignalState {
    const fn new() -> Self {
        Self { used: BTreeMap::new(), reactors: Vec::new(), runs: 0, cleanup: None, watched: None }
    }

    pub(super) fn lock() -> MutexGuard<'static, Self> {
        STATE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prepares that signals end a run. Returns those that do: a signal that was ignored stays ignored.
    pub(super) fn prepare() -> io::Result<Vec<i32>> {
        let mut state = Self::lock();
        for signal in SIGNALS {
            state.note(signal);
        }
        let caught = state.caught();
        if state.watched != Some(process_id()) {
            let signals = Signals::new(&caught)?;
            start_thread("ropewalk-signals", || end_if_blocked(signals))?;
            state.watched = Some(process_id());
        }
        drop(state);
        for signal in SIGNALS.iter().filter(|signal| !caught.contains(signal)) {
            debug!(target: SIGNAL, "signal {signal} was ignored at the start and remains ignored");
        }
        Ok(caught)
    }

    pub(super) fn caught(&self) -> Vec<i32> {
        let is_caught = |signal: &i32| self.used.get(signal).is_some_and(|used| !used.ignored);
        SIGNALS.into_iter().filter(is_caught).collect()
    }

    /// Returns the uses of a signal. Its default action is registered at the first time.
    pub(super) fn note(&mut self, signal: i32) -> &mut Used {
        self.used.entry(signal).or_insert_with(|| {
            let (idle, ignored) = (Arc::new(AtomicBool::new(true)), ignores_signal(signal));
            // It fails for signals that signal-hook has no name for. They have no effect while idle.
            if !ignored {
                let _ = flag::register_conditional_default(signal, Arc::clone(&idle));
            }
            Used { count: 0, idle, ignored }
        })
    }

    pub(super) fn begin_use(&mut self, signals: &[i32]) -> Uses {
        let begin = |signal: &i32| {
            let used = self.note(*signal);
            used.count += 1;
            used.idle.store(false, Ordering::SeqCst);
            Arc::clone(&used.idle)
        };
        let idle = signals.iter().map(begin).collect();
        Uses { signals: signals.to_vec(), idle, process: process_id() }
    }

    fn end_use(&mut self, signals: &[i32]) {
        for signal in signals {
            let used = self.note(*signal);
            used.count -= 1;
            used.idle.store(used.count == 0, Ordering::SeqCst);
        }
    }

    pub(super) fn enter(&mut self, unnoticed: &Arc<AtomicBool>) {
        self.runs += u64::from(self.reactors.is_empty());
        self.reactors.push(Stopped { unnoticed: Arc::clone(unnoticed), runs: false });
    }

    pub(super) fn note_run(&mut self, unnoticed: &Arc<AtomicBool>) {
        let is_of = |reactor: &&mut Stopped| Arc::ptr_eq(&reactor.unnoticed, unnoticed);
        self.reactors.iter_mut().filter(is_of).for_each(|reactor| reactor.runs = true);
    }

    pub(super) fn leave(&mut self, unnoticed: &Arc<AtomicBool>) {
        self.reactors.retain(|reactor| !Arc::ptr_eq(&reactor.unnoticed, unnoticed));
    }

    /// Returns the number of the present run, if there is one.
    fn run(&self) -> Option<u64> {
        (!self.reactors.is_empty()).then_some(self.runs)
    }

    /// Returns true if a reactor has not noticed a signal. One before its first run counts if none runs.
    fn has_unnoticed(&self) -> bool {
        let any_runs = self.reactors.iter().any(|reactor| reactor.runs);
        let mut counted = self.reactors.iter().filter(|reactor| reactor.runs == any_runs);
        counted.any(|reactor| reactor.unnoticed.load(Ordering::SeqCst))
    }
}

/// The loop of a thread that ends the process if a callback blocks a reactor: the reactor has not noticed a further
/// signal of the same run in time.
fn end_if_blocked(mut signals: Signals) {
    let mut last = None;
    for signal in signals.forever() {
        let run = SignalState::lock().run();
        if run.is_some() && run == last {
            thread::sleep(TIMEOUT);
            let state = SignalState::lock();
            if state.run() == run && state.has_unnoticed() {
                end_process(state, signal);
            }
        }
        last = run;
    }
}

/// Ends the process as by the signal, after the cleanup.
fn end_process(mut state: MutexGuard<'static, SignalState>, signal: i32) {
    let cleanup = state.cleanup.take();
    // If the cleanup blocks, the next signal ends the process.
    state.used.values().for_each(|used| used.idle.store(true, Ordering::SeqCst));
    drop(state);
    drop(guarded(|| cleanup.into_iter().for_each(|cleanup| cleanup())));
    let _ = emulate_default_handler(signal);
}

/// Returns true if this process ignores a signal (SIG_IGN). Only Linux reports that without a call that changes
/// it (`SigIgn` of proc_pid_status(5)); for other systems the answer is false.
fn ignores_signal(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_in_another_process_takes_no_lock() {
        let idle = Arc::<AtomicBool>::default();
        let copies = vec![Arc::clone(&idle)];
        let uses = Uses { signals: vec![SIGINT], idle: copies, process: process_id() + 1 };
        let _lock = SignalState::lock();
        drop(uses);
        assert!(idle.load(Ordering::SeqCst), "the child's signals take their default action");
    }

    #[test]
    fn reactor_before_its_first_run_is_not_blocked_beside_others() {
        let mut state = SignalState::new();
        let [waits, runs] = [true, false].map(|unnoticed| Arc::new(AtomicBool::new(unnoticed)));
        state.enter(&waits);
        assert!(state.has_unnoticed(), "it blocks the program alone");
        state.enter(&runs);
        state.note_run(&runs);
        assert!(!state.has_unnoticed());
        runs.store(true, Ordering::SeqCst);
        assert!(state.has_unnoticed());
    }
}
