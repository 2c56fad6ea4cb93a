//! Received data on stdout, written by a thread. A slow reader of stdout pauses the connection and does not block the
//! reactor.

use crate::output;
use ropewalk::Transport;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, OnceLock};
use std::thread;

/// The marks of the queue in bytes: above `HIGH` the connection is paused, at `LOW` it is resumed. `HIGH` is a pipe's
/// capacity (pipe(7)).
const HIGH: usize = 64 * 1024;
const LOW: usize = 16 * 1024;

/// Prints the data that a connection receives. The reactor stops when the printer was dropped and all data is printed,
/// or when writing to stdout fails.
#[derive(Debug)]
pub struct Printer {
    chunks: Sender<Vec<u8>>,
    /// The number of bytes that were queued and not yet printed.
    queued: Arc<AtomicUsize>,
}

impl Printer {
    /// Starts the thread. It sets `failure` if writing fails. A broken pipe, as in `unix_echo … | head -1`, is no
    /// failure.
    pub fn start(transport: &mut Transport<'_>, failure: Arc<OnceLock<String>>) -> Self {
        let (id, handle) = (transport.id(), transport.context().handle());
        let (chunks, to_print) = mpsc::channel::<Vec<u8>>();
        let queued = Arc::new(AtomicUsize::new(0));
        let shared = Arc::clone(&queued);
        thread::spawn(move || {
            // Lines that are queued for stdout come first. If writing them fails, the reactor stops.
            if output::finish().is_err() {
                return;
            }
            let mut output = io::stdout();
            for chunk in to_print {
                if let Err(error) = output.write_all(&chunk).and_then(|()| output.flush()) {
                    if error.kind() != io::ErrorKind::BrokenPipe {
                        let _ = failure.set(format!("cannot write to the output: {error}"));
                    }
                    break;
                }
                let before = shared.fetch_sub(chunk.len(), Ordering::Relaxed);
                if before > LOW && before - chunk.len() <= LOW {
                    let _ = handle.call(move |context| context.transport(id).resume());
                }
            }
            let _ = handle.stop();
        });
        Self { chunks, queued }
    }

    /// Queues `data` and pauses the connection if the queue is above the high mark.
    pub fn print(&self, transport: &mut Transport<'_>, data: &[u8]) {
        let before = self.queued.fetch_add(data.len(), Ordering::Relaxed);
        // If the send fails, the thread has ended and has stopped the reactor.
        let _ = self.chunks.send(data.to_vec());
        if before + data.len() > HIGH {
            // If the thread has printed all data in the meantime, its call to resume arrives after this callback.
            transport.pause();
        }
    }
}
