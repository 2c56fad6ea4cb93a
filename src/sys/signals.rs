//! Signals: SIGINT and SIGTERM as events of the poll.

use crate::sys::backend::{SignalBackend, SignalWatchBackend};
use crate::values::id::Id;
use crate::values::logging::SIGNAL;
use log::debug;
use mio::{Interest, Registry, Token};
use signal_hook::consts::{FORBIDDEN, SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The numbers of signals that sigaction(2) accepts on the systems that mio supports.
const SIGNAL_NUMBERS: RangeInclusive<i32> = 1..=64;

/// The signals that end a run.
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// Caught signals. They reach the poll through a pipe of signal-hook's; no code of this crate runs in a signal
/// handler.
///
/// They are caught from the call of [`catch`](Self::catch) to the end of the run, and again in each later run.
/// After a run they have the effect that they had before the reactor was made.
pub(super) struct CaughtSignals {
    signals: signal_hook_mio::v1_0::Signals,
    /// True during a run, and before the first one: a program may print that it serves before it runs.
    running: bool,
}

impl CaughtSignals {
    pub(super) fn catch(poll: &Registry) -> io::Result<Self> {
        // Handlers run in the order in which they were registered. The conditional default must be first: the
        // reactor may have ended, on another thread, by the time that it checks.
        let caught = Catchers::prepare()?;
        let mut signals = signal_hook_mio::v1_0::Signals::new(caught)?;
        poll.register(&mut signals, Token(Id::SIGNALS.token()), Interest::READABLE)?;
        let mut signals = Self { signals, running: false };
        signals.begin_run();
        Ok(signals)
    }
}

impl SignalBackend for CaughtSignals {
    fn begin_run(&mut self) -> bool {
        if self.running {
            return false;
        }
        // Signals that are still pending belong to the last run.
        self.signals.pending().for_each(drop);
        self.running = true;
        Catchers::enter();
        true
    }

    fn end_run(&mut self) {
        if self.running {
            self.running = false;
            Catchers::leave();
        }
    }

    fn pending(&mut self) -> Vec<&'static str> {
        let name = |signal| if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
        self.signals.pending().map(name).collect()
    }
}

impl Drop for CaughtSignals {
    fn drop(&mut self) {
        self.end_run();
    }
}

/// A signal that a handler of the user waits for. It stays caught when the reactor has been dropped: signal-hook keeps
/// its handler.
pub(super) struct WatchedSignal(signal_hook_mio::v1_0::Signals);

impl WatchedSignal {
    pub(super) fn watch(poll: &Registry, signal: i32) -> io::Result<Self> {
        // signal-hook panics in place of these errors.
        if FORBIDDEN.contains(&signal) || !SIGNAL_NUMBERS.contains(&signal) {
            let text = format!("signal {signal} cannot be caught");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let mut signals = signal_hook_mio::v1_0::Signals::new([signal])?;
        poll.register(&mut signals, Token(Id::SIGNALS.token()), Interest::READABLE)?;
        Ok(Self(signals))
    }
}

impl SignalWatchBackend for WatchedSignal {
    fn take(&mut self) -> bool {
        self.0.pending().count() > 0
    }
}

/// The number of reactors of this process in a run that signals end.
///
/// This is the only state shared by the whole process, because signals are. signal-hook keeps its handler after
/// its last user was dropped, and the signal would then do nothing: Ctrl-C would not end a program after its
/// run.
struct Catchers {
    count: usize,
    /// The caught signals. Empty until a reactor first catches signals.
    caught: Vec<i32>,
    /// While set, the caught signals take their default action.
    idle: Option<Arc<AtomicBool>>,
}

static CATCHERS: Mutex<Catchers> =
    Mutex::new(Catchers { count: 0, caught: Vec::new(), idle: None });

impl Catchers {
    /// Registers the default action, once in a process. Returns the signals that are caught: those that
    /// the process was started to ignore stay ignored, as nohup(1) and a shell's `&` rely on.
    fn prepare() -> io::Result<Vec<i32>> {
        let mut catchers = Self::lock();
        if catchers.idle.is_none() {
            let idle = Arc::new(AtomicBool::new(true));
            for signal in SIGNALS {
                if ignores_signal(signal) {
                    debug!(target: SIGNAL, "signal {signal} was ignored at the start and remains ignored");
                    continue;
                }
                flag::register_conditional_default(signal, Arc::clone(&idle))?;
                catchers.caught.push(signal);
            }
            catchers.idle = Some(idle);
        }
        Ok(catchers.caught.clone())
    }

    fn enter() {
        let mut catchers = Self::lock();
        catchers.count += 1;
        catchers.note();
    }

    fn leave() {
        let mut catchers = Self::lock();
        catchers.count -= 1;
        catchers.note();
    }

    fn note(&self) {
        if let Some(idle) = &self.idle {
            idle.store(self.count == 0, Ordering::SeqCst);
        }
    }

    fn lock() -> MutexGuard<'static, Self> {
        CATCHERS.lock().unwrap_or_else(PoisonError::into_inner)
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
