//! The handlers of a server that have not ended.

use log::warn;
use ropewalk::{Context, Hold, RunPhase};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The handlers that run, by number, with the names of their peers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running(Arc<(Mutex<Handlers>, Condvar)>);

#[derive(Debug, Default)]
struct Handlers {
    peers: BTreeMap<u64, String>,
    begun: u64,
    /// Delays the end of a run while handlers run. A connection is not enough: it may have ended.
    hold: Option<Hold>,
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, Handlers> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a handler, until the returned value is dropped. The end of the run waits for it within the grace period.
    pub(crate) fn begin(&self, context: &mut Context, peer: String) -> Handler {
        let mut handlers = self.lock();
        handlers.begun += 1;
        let number = handlers.begun;
        handlers.peers.insert(number, peer);
        if number == 1 {
            let (stopping, stopped) = (self.clone(), self.clone());
            RunPhase::DuringShutdown.call(context, move |context| stopping.delay_end(context));
            RunPhase::AfterShutdown.call(context, move |_| stopped.end_run());
        }
        Handler { running: self.clone(), number }
    }

    /// Returns the number of handlers that have not ended. A handler may outlive its connection.
    pub(crate) fn count(&self) -> usize {
        self.lock().peers.len()
    }

    /// Delays the end of the run until the handlers have ended.
    fn delay_end(&self, context: &mut Context) {
        let mut handlers = self.lock();
        if handlers.is_busy() {
            handlers.hold = Some(Hold::new(context));
        }
    }

    /// Logs a warning with the handlers that have not ended.
    fn end_run(&self) {
        let mut handlers = self.lock();
        let hold = handlers.hold.take();
        if handlers.is_busy() {
            let peers: Vec<&str> = handlers.peers.values().map(String::as_str).collect();
            warn!("{} handlers are still running: {}", peers.len(), peers.join(", "));
        }
        drop(handlers);
        drop(hold);
    }

    /// Waits for the end of all handlers, at most for `limit`.
    pub(crate) fn wait(&self, limit: Duration) {
        drop(self.0.1.wait_timeout_while(self.lock(), limit, |handlers| handlers.is_busy()));
    }
}

impl Handlers {
    fn is_busy(&self) -> bool {
        !self.peers.is_empty()
    }
}

/// A handler that runs.
#[derive(Debug)]
pub(crate) struct Handler {
    running: Running,
    number: u64,
}

impl Drop for Handler {
    fn drop(&mut self) {
        let mut handlers = self.running.lock();
        handlers.peers.remove(&self.number);
        let hold = if handlers.is_busy() { None } else { handlers.hold.take() };
        drop(handlers);
        drop(hold); // It wakes the reactor: not under the lock.
        self.running.0.1.notify_all();
    }
}
