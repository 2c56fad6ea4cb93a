//! The handlers of a server that have not ended.

use log::warn;
use ropewalk::{Context, RunPhase, call_in_thread};
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
    /// The run has ended, and with it the server: its socket has been closed.
    is_over: bool,
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

    /// Delays the end of the run by a job that ends with the handlers. A connection is not enough: it may have ended.
    fn delay_end(self, context: &mut Context) {
        if self.count() == 0 {
            return;
        }
        let ended = move || {
            let is_busy = |handlers: &mut Handlers| handlers.is_busy() && !handlers.is_over;
            drop(self.0.1.wait_while(self.lock(), is_busy));
        };
        // If the pool's queue is full, the end waits for those jobs.
        let _ = call_in_thread(context, ended, |_, _| {});
    }

    /// Logs a warning with the handlers that have not ended.
    fn end_run(&self) {
        let mut handlers = self.lock();
        handlers.is_over = true;
        if handlers.is_busy() {
            let peers: Vec<&str> = handlers.peers.values().map(String::as_str).collect();
            warn!("{} handlers are still running: {}", peers.len(), peers.join(", "));
        }
        drop(handlers);
        self.0.1.notify_all();
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
        self.running.lock().peers.remove(&self.number);
        self.running.0.1.notify_all();
    }
}
