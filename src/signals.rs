//! SIGINT and SIGTERM end a run in order.

use crate::context::Context;
use crate::handle::Handle;
use crate::logging::SIGNAL;
use crate::world::{World, ignores_signal};
use log::{debug, info};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The signals that end a run.
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// The signals that end a run. They reach the poll through a pipe of signal-hook's; no code of ours
/// runs in a signal handler.
///
/// They are caught from the call that asks for it to the end of the run, and again in each later run.
/// After a run they do what they did before the reactor was made.
pub(crate) struct Signals {
    signals: signal_hook_mio::v1_0::Signals,
    /// The reactors that end together with this one. A second signal reaches all of them, since two
    /// signals in quick succession may look like one to a member that is busy.
    group: Vec<Handle>,
    /// Whether a run is under way, or the first is to come: a program that prints that it serves, and then
    /// runs, is served already.
    running: bool,
    /// Whether a signal has come in this run. A stop alone does not tell: another member of the group
    /// may have begun it because of the same signal.
    heeded: bool,
}

impl Signals {
    pub(crate) fn catch(world: &World, group: &[Handle]) -> io::Result<Self> {
        // Handlers run in the order in which they were registered. The conditional default must come
        // first: the reactor may have ended, on another thread, by the time that it looks.
        let caught = Catchers::prepare()?;
        let mut signals = signal_hook_mio::v1_0::Signals::new(caught)?;
        world.watch_signals(&mut signals)?;
        let mut signals = Self { signals, group: group.to_vec(), running: false, heeded: false };
        signals.begin_run();
        Ok(signals)
    }

    /// A run begins, unless it has begun before.
    pub(crate) fn begin_run(&mut self) {
        if !self.running {
            // What is left over from the last run was meant for it.
            self.signals.pending().for_each(drop);
            (self.running, self.heeded) = (true, false);
            Catchers::enter();
        }
    }

    /// The run is over.
    pub(crate) fn end_run(&mut self) {
        if self.running {
            self.running = false;
            Catchers::leave();
        }
    }

    /// Acts on the signals that have come: the first of a run stops it in order, the second at once.
    pub(crate) fn heed(&mut self, context: &mut Context) {
        for signal in self.signals.pending() {
            let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
            if self.heeded {
                info!(target: SIGNAL, "{name} again: stopping at once");
                context.stop_at_once();
                for member in &self.group {
                    // A member that is gone has ended already.
                    let _ = member.call(Context::stop_at_once);
                }
            } else {
                info!(target: SIGNAL, "{name}: stopping; once more to stop at once");
                self.heeded = true;
                context.stop();
            }
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.end_run();
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals").field("running", &self.running).finish_non_exhaustive()
    }
}

/// How many reactors of this process are in a run that signals end.
///
/// It is the one thing here that the whole process shares, because signals are. signal-hook leaves
/// its handler in place when the last user is gone, and the signal would then do nothing: Ctrl-C
/// would not end a program whose run is over.
struct Catchers {
    count: usize,
    /// The signals that are caught. Empty until the first reactor asks for them.
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
                    debug!(target: SIGNAL, "signal {signal} is ignored, and stays so");
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
