//! The file sender: a producer that sends a file.

use crate::api::context::Context;
use crate::api::producer::Producer;
use crate::api::transport::Transport;
use std::fmt;
use std::fs::File;
use std::io;

/// A pull producer that sends a file. Default: from its beginning to its end. At most one chunk of the file is
/// held in memory; on Linux the kernel sends it without a copy (sendfile(2)).
///
/// ```
/// use ropewalk::{FileSender, Protocol, Reactor, Transport};
/// use std::fs::File;
///
/// /// Sends a file to each client.
/// struct Download;
///
/// impl Protocol for Download {
///     fn connection_made(&mut self, transport: &mut Transport<'_>) {
///         match File::open("Cargo.toml") {
///             Ok(file) => {
///                 let sender = FileSender::new(file).on_done(|_, result| println!("{result:?}"));
///                 transport.register_pull_producer(sender).expect("it is the first");
///             }
///             Err(error) => writeln!(transport, "{error}"),
///         }
///         transport.close(); // once all of it has been sent
///     }
///
///     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
/// }
/// ```
///
/// Data that is written in the meantime is sent between two chunks of the file. Write the data that follows the
/// file in [`on_done`](Self::on_done). To send another file there, first
/// [unregister](Transport::unregister_producer) this one.
///
/// If reading fails, or the file ends before its [range](Self::range) or is truncated while it is
/// sent, [`on_done`](Self::on_done) receives the error, and the connection is
/// [aborted](Transport::abort), so that the peer does not take a part for the whole. A stop of the reactor also
/// resets a connection on which a file is being sent. A FIFO cannot be sent, since a read from it may
/// block.
///
/// Files are read on the reactor's thread. If a file is not in memory, the thread blocks until the disk has
/// read it, which may take long on a network file system. sendfile(2) causes SIGPIPE if the peer has
/// disconnected. Rust programs ignore it; in a program of another language it has to be ignored explicitly.
#[doc(alias = "sendfile")]
pub struct FileSender {
    file: File,
    offset: u64,
    /// The number of bytes that are still to be sent; `None` for all bytes up to the end.
    left: Option<u64>,
    sent: u64,
    /// The length of the file when sending began. If it is shorter at the end, it was truncated.
    length: Option<u64>,
    on_progress: Option<Box<Progress>>,
    on_done: Option<Box<Done>>,
}

type Progress = dyn FnMut(&mut Context, u64);
type Done = dyn FnOnce(&mut Context, io::Result<u64>);

impl FileSender {
    /// Sends all of `file` from its beginning, whatever its current position.
    pub fn new(file: File) -> Self {
        Self {
            file,
            offset: 0,
            left: None,
            sent: 0,
            length: None,
            on_progress: None,
            on_done: None,
        }
    }

    /// Sends `count` bytes from `offset` on.
    #[must_use]
    pub fn range(mut self, offset: u64, count: u64) -> Self {
        (self.offset, self.left) = (offset, Some(count));
        self
    }

    /// Calls `progress` with the number of bytes sent so far, each time that more were sent.
    #[must_use]
    pub fn on_progress(mut self, progress: impl FnMut(&mut Context, u64) + 'static) -> Self {
        self.on_progress = Some(Box::new(progress));
        self
    }

    /// Calls `done` once: with the number of bytes when the system has taken the last of them, or with the
    /// error.
    #[must_use]
    pub fn on_done(mut self, done: impl FnOnce(&mut Context, io::Result<u64>) + 'static) -> Self {
        self.on_done = Some(Box::new(done));
        self
    }

    fn end(&mut self, context: &mut Context, result: io::Result<u64>) {
        if let Some(done) = self.on_done.take() {
            done(context, result);
        }
    }

    /// Checks at the end of the data that it is complete. A file with a meaningless length, as in sysfs, keeps
    /// its length.
    fn whole(&self) -> io::Result<u64> {
        let truncated = self.length.unwrap_or(0).saturating_sub(self.file.metadata()?.len());
        match self.left {
            Some(left) if left > 0 => Err(early_end(left)),
            None if truncated > 0 => Err(early_end(truncated)),
            _ => Ok(self.sent),
        }
    }
}

fn early_end(missing: u64) -> io::Error {
    let text = format!("the file ended {missing} bytes early");
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}

impl Producer for FileSender {
    fn resume_producing(&mut self, transport: &mut Transport<'_>) {
        if self.length.is_none() {
            // If this fails, so does the read, which reports it.
            self.length = self.file.metadata().ok().map(|metadata| metadata.len());
        }
        let id = transport.id();
        let most = self.left.unwrap_or(u64::MAX);
        let sent = transport.context().send_from_file(id, &mut self.file, self.offset, most);
        let result = match sent {
            Ok(None) => return, // It would block; the producer is called again.
            Ok(Some(count)) if count > 0 => {
                self.offset += count;
                self.sent += count;
                self.left = self.left.map(|left| left - count);
                if let Some(progress) = &mut self.on_progress {
                    progress(transport.context(), self.sent);
                }
                match self.left {
                    Some(0) => Ok(self.sent),
                    _ => return,
                }
            }
            Ok(Some(_)) => self.whole(),
            Err(error) => Err(error),
        };
        if result.is_err() {
            transport.abort();
        }
        let registration = transport.context().registration(id);
        // Called before the producer is unregistered, so that data that it writes is sent before a close.
        self.end(transport.context(), result);
        // `on_done` may have registered another producer.
        if transport.context().registration(id) == registration {
            transport.unregister_producer();
        }
    }

    fn stop_producing(&mut self, context: &mut Context) {
        let cause = io::Error::new(io::ErrorKind::ConnectionAborted, "the connection has ended");
        self.end(context, Err(cause));
    }
}

impl fmt::Debug for FileSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("FileSender");
        fields.field("file", &self.file).field("offset", &self.offset);
        fields.field("left", &self.left).field("sent", &self.sent).finish_non_exhaustive()
    }
}
