//! Signals: Ctrl-C and its kin end a run in order.

use crate::context::Context;
use crate::logging::SIGNAL;
use crate::world::World;
use log::info;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Which signals end a run.
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// The signals that end a run. They reach the poll through a pipe of signal-hook's; no code of ours
/// runs in a signal handler.
pub(crate) struct Signals {
    signals: signal_hook_mio::v1_0::Signals,
}

impl Signals {
    pub(crate) fn catch(world: &World) -> io::Result<Self> {
        // Handlers run in the order in which they were registered. Were the reactor told first, it
        // might have ended when the other one looks whether anybody is there, on another thread.
        Catchers::prepare()?;
        let mut signals = signal_hook_mio::v1_0::Signals::new(SIGNALS)?;
        world.watch_signals(&mut signals)?;
        Catchers::enter();
        Ok(Self { signals })
    }

    /// Does what the signals that have come ask for: the first stops, one that comes while it is
    /// stopping stops at once.
    pub(crate) fn heed(&mut self, context: &mut Context) {
        for signal in self.signals.pending() {
            let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
            if context.is_stopping() {
                info!(target: SIGNAL, "{name} again: stopping at once");
                context.stop_at_once();
            } else {
                info!(target: SIGNAL, "{name}: stopping; once more to stop at once");
                context.stop();
            }
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        Catchers::leave();
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals").finish_non_exhaustive()
    }
}

/// How many reactors of this process catch signals.
///
/// It is the one thing here that the whole process shares, because signals are. signal-hook leaves
/// its handler where it is when the last user is gone, and the signal would then do nothing: Ctrl-C
/// would not end a program that has dropped its reactor.
struct Catchers {
    count: usize,
    /// While set, the signals do what they did before anybody caught them. `None` until somebody did.
    nobody: Option<Arc<AtomicBool>>,
}

static CATCHERS: Mutex<Catchers> = Mutex::new(Catchers { count: 0, nobody: None });

impl Catchers {
    fn prepare() -> io::Result<()> {
        let mut catchers = Self::lock();
        if catchers.nobody.is_none() {
            let nobody = Arc::new(AtomicBool::new(true));
            for signal in SIGNALS {
                flag::register_conditional_default(signal, nobody.clone())?;
            }
            catchers.nobody = Some(nobody);
        }
        Ok(())
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
        if let Some(nobody) = &self.nobody {
            nobody.store(self.count == 0, Ordering::SeqCst);
        }
    }

    fn lock() -> MutexGuard<'static, Self> {
        CATCHERS.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
