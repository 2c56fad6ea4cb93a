//! Standard input on a thread of its own. A file cannot be polled, and a non-blocking terminal would be non-blocking
//! for the shell too.

use ropewalk::{Context, Handle};
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

/// The size of the read buffer: a quarter of a pipe's capacity (pipe(7)).
const CHUNK: usize = 16 * 1024;

/// A switch that stops the reading thread while the connection's send buffer is full. It is closed at first.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    shared: Arc<(Mutex<bool>, Condvar)>,
}

impl Gate {
    /// Lets the thread read.
    pub fn open(&self) {
        *self.lock() = true;
        self.shared.1.notify_one();
    }

    /// Stops the thread before its next read.
    pub fn shut(&self) {
        *self.lock() = false;
    }

    fn pass(&self) {
        let open = self.shared.1.wait_while(self.lock(), |open| !*open);
        drop(open.unwrap_or_else(PoisonError::into_inner));
    }

    /// Locks the flag. A poisoned lock is usable: each state of the flag is valid.
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads `input` on a thread, and calls `deliver` on the reactor's thread with each chunk; an empty chunk is the end.
/// It never reads ahead: a chunk is read when the previous one has been delivered and the `gate` is open.
pub fn read(
    mut input: impl Read + Send + 'static,
    handle: Handle,
    gate: Gate,
    deliver: impl Fn(&mut Context, &[u8]) + Send + Sync + 'static,
) {
    let deliver = Arc::new(deliver);
    thread::spawn(move || {
        let mut buffer = vec![0; CHUNK];
        loop {
            gate.pass();
            let length = match input.read(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    log::warn!("cannot read the input, so it ends here: {error}");
                    0
                }
            };
            let (chunk, deliver) = (buffer[..length].to_vec(), Arc::clone(&deliver));
            let (delivered, delivery) = mpsc::channel();
            let sent = handle.call(move |context| {
                deliver(context, &chunk);
                let _ = delivered.send(());
            });
            if sent.is_err() || delivery.recv().is_err() || length == 0 {
                return;
            }
        }
    });
}
