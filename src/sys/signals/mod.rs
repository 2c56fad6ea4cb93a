//! Signals: as events of the poll.

mod state;

use crate::sys::backend::{SignalBackend, SignalWatchBackend};
use crate::sys::process_id;
use crate::values::id::Id;
use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use signal_hook::consts::FORBIDDEN;
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use signal_hook::low_level::unregister;
use signal_hook::{SigId, flag};
pub(crate) use state::set_cleanup;
use state::{SignalState, Uses};
use std::io;
use std::mem;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The numbers of signals that sigaction(2) accepts on the systems that mio supports.
const SIGNAL_NUMBERS: RangeInclusive<i32> = 1..=64;

/// Caught signals. They reach the poll through a pipe of signal-hook's; no code of this crate runs in a signal
/// handler.
///
/// They are caught from the call of [`catch`](Self::catch) to the end of the run, and again in each later run.
/// After a run they have the effect that they had before the reactor was made.
pub(super) struct CaughtSignals {
    pipe: Pipe,
    unnoticed: Unnoticed,
    /// Present during a run, and before the first one: a program may print that it serves before it runs.
    uses: Option<Uses>,
    /// True during a run.
    has_begun: bool,
}

impl CaughtSignals {
    pub(super) fn catch(poll: &Registry) -> io::Result<Self> {
        // Actions of a signal run in the order in which they were registered. The default action comes first: the
        // reactor may have ended, on another thread, by the time that it is checked. The pipe comes last: what wakes
        // the reactor up must find the flag set.
        let caught = SignalState::prepare()?;
        let unnoticed = Unnoticed::register(&caught)?;
        let pipe = Pipe::register(poll, &caught)?;
        let mut signals = Self { pipe, unnoticed, uses: None, has_begun: false };
        signals.enter();
        Ok(signals)
    }

    fn enter(&mut self) {
        // Signals that are still pending belong to the last run.
        self.pending();
        let mut state = SignalState::lock();
        let caught = state.caught();
        self.uses = Some(state.begin_use(&caught));
        state.enter(&self.unnoticed.flag);
    }
}

impl SignalBackend for CaughtSignals {
    fn begin_run(&mut self) -> bool {
        if self.has_begun {
            return false;
        }
        self.has_begun = true;
        let enters = self.uses.is_none();
        if enters {
            self.enter();
        }
        SignalState::lock().note_run(&self.unnoticed.flag);
        enters
    }

    fn end_run(&mut self) {
        self.has_begun = false;
        if let Some(uses) = self.uses.take() {
            drop(uses);
            SignalState::lock().leave(&self.unnoticed.flag);
        }
    }

    fn pending(&mut self) -> Vec<i32> {
        self.unnoticed.flag.store(false, Ordering::SeqCst);
        self.pipe.pending()
    }
}

impl Drop for CaughtSignals {
    fn drop(&mut self) {
        if self.unnoticed.process == process_id() {
            self.end_run();
        }
    }
}

/// A signal that a handler of the user waits for.
pub(super) struct WatchedSignal {
    pipe: Pipe,
    _uses: Uses,
}

impl WatchedSignal {
    pub(super) fn watch(poll: &Registry, signal: i32) -> io::Result<Self> {
        // signal-hook panics in place of these errors.
        if FORBIDDEN.contains(&signal) || !SIGNAL_NUMBERS.contains(&signal) {
            let text = format!("signal {signal} cannot be caught");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        SignalState::lock().note(signal);
        let pipe = Pipe::register(poll, &[signal])?;
        let uses = SignalState::lock().begin_use(&[signal]);
        Ok(Self { pipe, _uses: uses })
    }
}

impl SignalWatchBackend for WatchedSignal {
    fn take(&mut self) -> bool {
        !self.pipe.pending().is_empty()
    }
}

/// The pipe by which signals reach the poll.
struct Pipe {
    /// Present until the drop.
    signals: Option<SignalDelivery<UnixStream, SignalOnly>>,
    process: u32,
}

impl Pipe {
    fn register(poll: &Registry, signals: &[i32]) -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        let mut signals = SignalDelivery::with_pipe(read, write, SignalOnly, signals)?;
        poll.register(signals.get_read_mut(), Token(Id::SIGNALS.token()), Interest::READABLE)?;
        Ok(Self { signals: Some(signals), process: process_id() })
    }

    /// Returns the signals that have arrived since the last call.
    fn pending(&mut self) -> Vec<i32> {
        self.signals.as_mut().map_or_else(Vec::new, |signals| signals.pending().collect())
    }
}

/// In a child of fork(2) it is leaked: its drop takes a lock of signal-hook's, which a thread of the parent may have had.
impl Drop for Pipe {
    fn drop(&mut self) {
        if self.process != process_id() {
            mem::forget(self.signals.take());
        }
    }
}

/// A flag that each signal sets, until the reactor has noticed it.
struct Unnoticed {
    flag: Arc<AtomicBool>,
    actions: Vec<SigId>,
    process: u32,
}

impl Unnoticed {
    fn register(signals: &[i32]) -> io::Result<Self> {
        let (flag, actions) = (Arc::default(), Vec::new());
        let mut unnoticed = Self { flag, actions, process: process_id() };
        for signal in signals {
            let action = flag::register(*signal, Arc::clone(&unnoticed.flag))?;
            unnoticed.actions.push(action);
        }
        Ok(unnoticed)
    }
}

impl Drop for Unnoticed {
    fn drop(&mut self) {
        if self.process == process_id() {
            for action in self.actions.drain(..) {
                unregister(action);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signal_hook::consts::SIGTERM;
    use signal_hook::low_level::raise;
    use std::thread;
    use std::time::{Duration, Instant};

    /// The handler runs on a thread of its own, so that the reactor may notice the signal before the handler ends.
    #[test]
    fn noticed_signal_leaves_no_flag() {
        let mut poll = mio::Poll::new().unwrap();
        let mut caught = CaughtSignals::catch(poll.registry()).unwrap();
        let mut events = mio::Events::with_capacity(8);
        let begin = Instant::now();
        for _ in 0..300 {
            // After a second the thread that ends a blocked process would look at the flag in the middle of a round.
            if begin.elapsed() > Duration::from_millis(300) {
                break;
            }
            let raiser = thread::spawn(|| raise(SIGTERM).unwrap());
            while caught.pending().is_empty() {
                let _ = poll.poll(&mut events, None); // It may be interrupted.
            }
            raiser.join().unwrap();
            assert!(!caught.unnoticed.flag.load(Ordering::SeqCst));
        }
    }
}
