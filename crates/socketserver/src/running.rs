//! The handlers of a server that have not ended.

use log::warn;
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
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, Handlers> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a handler, until the returned value is dropped.
    pub(crate) fn begin(&self, peer: String) -> Handler {
        let mut handlers = self.lock();
        handlers.begun += 1;
        let number = handlers.begun;
        handlers.peers.insert(number, peer);
        Handler { running: self.clone(), number }
    }

    /// Returns the number of handlers that have not ended. A handler may outlive its connection.
    pub(crate) fn count(&self) -> usize {
        self.lock().peers.len()
    }

    /// Waits for the end of all handlers, at most for `limit`, and logs a warning with those that have not ended.
    pub(crate) fn wait(&self, limit: Duration) {
        let is_busy = |handlers: &mut Handlers| !handlers.peers.is_empty();
        let waited = self.0.1.wait_timeout_while(self.lock(), limit, is_busy);
        let (handlers, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !handlers.peers.is_empty() {
            let peers: Vec<&str> = handlers.peers.values().map(String::as_str).collect();
            warn!("{} handlers have not ended: {}", peers.len(), peers.join(", "));
        }
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
