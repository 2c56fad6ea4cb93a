//! Standard input and output, on threads of their own: a file cannot be polled, and a terminal that
//! were made non-blocking would be so for the shell as well.

use ropewalk::{Context, Handle};
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

/// How many bytes of input are handed over at a time.
const PIECE: usize = 16 * 1024;

/// Where the thread that reads the input waits while the connection takes no more.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    shared: Arc<(Mutex<bool>, Condvar)>,
}

impl Gate {
    pub(crate) fn open(&self) {
        *self.lock() = true;
        self.shared.1.notify_one();
    }

    pub(crate) fn shut(&self) {
        *self.lock() = false;
    }

    fn pass(&self) {
        let open = self.shared.1.wait_while(self.lock(), |open| !*open);
        drop(open.unwrap_or_else(PoisonError::into_inner));
    }

    /// A flag is sound whoever has panicked.
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads `input` on a thread, and calls `deliver` on the reactor's thread with each piece; with an
/// empty one at the end. It never reads ahead: a piece is read when the one before has been
/// delivered and the `gate` is open.
pub(crate) fn read(
    mut input: impl Read + Send + 'static,
    handle: Handle,
    gate: Gate,
    deliver: impl Fn(&mut Context, &[u8]) + Send + Sync + 'static,
) {
    let deliver = Arc::new(deliver);
    thread::spawn(move || {
        let mut buffer = vec![0; PIECE];
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
            let (piece, deliver) = (buffer[..length].to_vec(), Arc::clone(&deliver));
            let (delivered, delivery) = mpsc::channel();
            let sent = handle.call(move |context| {
                deliver(context, &piece);
                let _ = delivered.send(());
            });
            if sent.is_err() || delivery.recv().is_err() || length == 0 {
                return;
            }
        }
    });
}
