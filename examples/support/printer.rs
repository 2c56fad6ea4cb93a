//! Standard output on a thread of its own: whoever reads it may take their time, and the reactor
//! does not wait.

use crate::support;
use ropewalk::Transport;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, OnceLock};
use std::thread;

/// How many bytes may wait to be printed before the connection that they come from is paused, and
/// how few they have to be for it to go on.
const HIGH: usize = 64 * 1024;
const LOW: usize = 16 * 1024;

/// Prints what comes from a connection. Dropping it ends the reactor's run once all is printed; so
/// does an output that takes no more.
pub(crate) struct Printer {
    pieces: Sender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
}

impl Printer {
    /// `failure` is told when the output cannot be written to. That nobody reads it any more, as in
    /// `connect … | head -1`, is no failure.
    pub(crate) fn start(transport: &mut Transport<'_>, failure: Arc<OnceLock<String>>) -> Self {
        let (id, handle) = (transport.id(), transport.context().handle());
        let (pieces, to_print) = mpsc::channel::<Vec<u8>>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let shared = Arc::clone(&waiting);
        thread::spawn(move || {
            // Lines that were printed before come first. If stdout has failed, the run ends.
            if support::finish().is_err() {
                return;
            }
            let mut output = io::stdout();
            for piece in to_print {
                if let Err(error) = output.write_all(&piece).and_then(|()| output.flush()) {
                    if error.kind() != io::ErrorKind::BrokenPipe {
                        let _ = failure.set(format!("cannot write to the output: {error}"));
                    }
                    break;
                }
                let before = shared.fetch_sub(piece.len(), Ordering::Relaxed);
                if before > LOW && before - piece.len() <= LOW {
                    let _ = handle.call(move |context| context.resume(id));
                }
            }
            let _ = handle.stop();
        });
        Self { pieces, waiting }
    }

    /// Prints `data`, sooner or later.
    pub(crate) fn print(&self, transport: &mut Transport<'_>, data: &[u8]) {
        let before = self.waiting.fetch_add(data.len(), Ordering::Relaxed);
        // If it fails the thread has ended, and with it soon the run.
        let _ = self.pieces.send(data.to_vec());
        if before + data.len() > HIGH {
            // If all has been printed meanwhile, the call to resume is on its way, and comes after
            // this callback.
            transport.pause();
        }
    }
}
