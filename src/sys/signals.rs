//! Signals: as events of the poll, and their effect on the process while no reactor waits for them.

use crate::sys::backend::{SignalBackend, SignalWatchBackend};
use crate::values::id::Id;
use crate::values::logging::SIGNAL;
use log::debug;
use mio::{Interest, Registry, Token};
use signal_hook::consts::{FORBIDDEN, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::{emulate_default_handler, unregister};
use signal_hook::{SigId, flag};
use std::collections::BTreeMap;
use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The numbers of signals that sigaction(2) accepts on the systems that mio supports.
const SIGNAL_NUMBERS: RangeInclusive<i32> = 1..=64;

/// The signals that end a run.
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// How long a reactor may take to notice a second signal, before it counts as blocked. Callbacks are much shorter, and
/// a user at a terminal waits no longer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Caught signals. They reach the poll through a pipe of signal-hook's; no code of this crate runs in a signal
/// handler.
///
/// They are caught from the call of [`catch`](Self::catch) to the end of the run, and again in each later run.
/// After a run they have the effect that they had before the reactor was made.
pub(super) struct CaughtSignals {
    signals: signal_hook_mio::v1_0::Signals,
    /// Set by each signal, and cleared when the reactor has noticed it.
    unnoticed: Arc<AtomicBool>,
    flags: Vec<SigId>,
    /// Present during a run, and before the first one: a program may print that it serves before it runs.
    uses: Option<Uses>,
}

impl CaughtSignals {
    pub(super) fn catch(poll: &Registry) -> io::Result<Self> {
        // Before the others, since handlers run in the order in which they were registered, and the default action
        // comes first: the reactor may have ended, on another thread, by the time that it is checked.
        let caught = SignalState::prepare()?;
        let mut signals = signal_hook_mio::v1_0::Signals::new(&caught)?;
        poll.register(&mut signals, Token(Id::SIGNALS.token()), Interest::READABLE)?;
        let unnoticed = Arc::<AtomicBool>::default();
        let mut flags = Vec::new();
        for signal in &caught {
            flags.push(flag::register(*signal, Arc::clone(&unnoticed))?);
        }
        let mut signals = Self { signals, unnoticed, flags, uses: None };
        signals.begin_run();
        Ok(signals)
    }
}

impl SignalBackend for CaughtSignals {
    fn begin_run(&mut self) -> bool {
        if self.uses.is_some() {
            return false;
        }
        // Signals that are still pending belong to the last run.
        self.pending();
        let mut state = SignalState::lock();
        let caught = state.caught();
        self.uses = Some(state.begin_use(caught));
        state.enter(&self.unnoticed);
        true
    }

    fn end_run(&mut self) {
        if let Some(uses) = self.uses.take() {
            drop(uses);
            SignalState::lock().leave(&self.unnoticed);
        }
    }

    fn pending(&mut self) -> Vec<i32> {
        self.unnoticed.store(false, Ordering::SeqCst);
        self.signals.pending().collect()
    }
}

impl Drop for CaughtSignals {
    fn drop(&mut self) {
        self.end_run();
        for flag in self.flags.drain(..) {
            unregister(flag);
        }
    }
}

/// A signal that a handler of the user waits for.
pub(super) struct WatchedSignal {
    signals: signal_hook_mio::v1_0::Signals,
    _uses: Uses,
}

impl WatchedSignal {
    pub(super) fn watch(poll: &Registry, signal: i32) -> io::Result<Self> {
        // signal-hook panics in place of these errors.
        if FORBIDDEN.contains(&signal) || !SIGNAL_NUMBERS.contains(&signal) {
            let text = format!("signal {signal} cannot be caught");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let uses = SignalState::lock().begin_use(vec![signal]);
        let mut signals = signal_hook_mio::v1_0::Signals::new([signal])?;
        poll.register(&mut signals, Token(Id::SIGNALS.token()), Interest::READABLE)?;
        Ok(Self { signals, _uses: uses })
    }
}

impl SignalWatchBackend for WatchedSignal {
    fn take(&mut self) -> bool {
        self.signals.pending().count() > 0
    }
}

/// Registers a cleanup for the forced end of the process.
pub(crate) fn set_cleanup(cleanup: Box<dyn FnOnce() + Send>) {
    SignalState::lock().cleanup = Some(cleanup);
}

/// Signals that have another effect than their default action, until this is dropped.
struct Uses(Vec<i32>);

impl Drop for Uses {
    fn drop(&mut self) {
        SignalState::lock().end_use(&self.0);
    }
}

/// The uses of a signal in this process.
struct Used {
    count: usize,
    /// True while there is none: the signal takes its default action.
    idle: Arc<AtomicBool>,
    /// True if the process was started to ignore it, as by nohup(1) or a shell's `&`.
    ignored: bool,
}

/// The state of signals in this process.
///
/// This is the only state shared by the whole process, because signals are. signal-hook keeps its handler after
/// its last user was dropped, and the signal would then do nothing: Ctrl-C would not end a program after its
/// run.
struct SignalState {
    /// The signals that were used so far.
    used: BTreeMap<i32, Used>,
    /// The reactors in a run that signals end, by their flags of unnoticed signals.
    reactors: Vec<Arc<AtomicBool>>,
    /// How many times the first of several reactors has entered a run.
    runs: u64,
    cleanup: Option<Box<dyn FnOnce() + Send>>,
    /// True once the thread runs that ends a blocked process.
    watches: bool,
}

static STATE: Mutex<SignalState> = Mutex::new(SignalState {
    used: BTreeMap::new(),
    reactors: Vec::new(),
    runs: 0,
    cleanup: None,
    watches: false,
});

impl SignalState {
    fn lock() -> MutexGuard<'static, Self> {
        STATE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prepares that signals end a run. Returns those that do: a signal that was ignored stays ignored.
    fn prepare() -> io::Result<Vec<i32>> {
        let mut state = Self::lock();
        for signal in SIGNALS {
            if state.note(signal).ignored {
                debug!(target: SIGNAL, "signal {signal} was ignored at the start and remains ignored");
            }
        }
        let caught = state.caught();
        if !state.watches {
            let signals = Signals::new(&caught)?;
            let name = "ropewalk-signals".to_owned();
            thread::Builder::new().name(name).spawn(|| end_if_blocked(signals))?;
            state.watches = true;
        }
        Ok(caught)
    }

    fn caught(&self) -> Vec<i32> {
        let is_caught = |signal: &i32| self.used.get(signal).is_some_and(|used| !used.ignored);
        SIGNALS.into_iter().filter(is_caught).collect()
    }

    /// Returns the uses of a signal. Its default action is registered at the first time.
    fn note(&mut self, signal: i32) -> &mut Used {
        self.used.entry(signal).or_insert_with(|| {
            let (idle, ignored) = (Arc::new(AtomicBool::new(true)), ignores_signal(signal));
            // It fails for signals without a name, the real-time signals. They have no effect while idle.
            if !ignored {
                let _ = flag::register_conditional_default(signal, Arc::clone(&idle));
            }
            Used { count: 0, idle, ignored }
        })
    }

    fn begin_use(&mut self, signals: Vec<i32>) -> Uses {
        for signal in &signals {
            let used = self.note(*signal);
            used.count += 1;
            used.idle.store(false, Ordering::SeqCst);
        }
        Uses(signals)
    }

    fn end_use(&mut self, signals: &[i32]) {
        for signal in signals {
            let used = self.note(*signal);
            used.count -= 1;
            used.idle.store(used.count == 0, Ordering::SeqCst);
        }
    }

    fn enter(&mut self, unnoticed: &Arc<AtomicBool>) {
        self.runs += u64::from(self.reactors.is_empty());
        self.reactors.push(Arc::clone(unnoticed));
    }

    fn leave(&mut self, unnoticed: &Arc<AtomicBool>) {
        self.reactors.retain(|entered| !Arc::ptr_eq(entered, unnoticed));
    }

    /// Returns the number of the present run, if there is one.
    fn run(&self) -> Option<u64> {
        (!self.reactors.is_empty()).then_some(self.runs)
    }

    /// Returns true if a reactor has not noticed a signal.
    fn has_unnoticed(&self) -> bool {
        self.reactors.iter().any(|unnoticed| unnoticed.load(Ordering::SeqCst))
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
            let mut state = SignalState::lock();
            if state.run() == run && state.has_unnoticed() {
                let cleanup = state.cleanup.take();
                drop(state);
                cleanup.into_iter().for_each(|cleanup| cleanup());
                let _ = emulate_default_handler(signal); // It ends the process.
            }
        }
        last = run;
    }
}

/// Returns true if this process ignores a signal (SIG_IGN). Only Linux reports that without a call that changes
/// it (`SigIgn` of proc_pid_status(5)); for other systems the answer is false.
fn ignores_signal(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}
