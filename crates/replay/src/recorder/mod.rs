//! The recorder: a backend around another one.

mod arrivals;
mod backend;
mod datagram;
mod listener;
#[cfg(all(unix, feature = "process"))]
mod process;
mod signals;
mod stream;

use crate::file::Header;
use crate::outcome::Outcome;
use crate::record::{Call, Method};
use crate::recording::Recording;
use crate::tape::{Kind, Tape};
use datagram::RecordedDatagram;
use ropewalk::Address;
use ropewalk::backend::{Backend, DatagramBackend, StreamSocket};
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;
use stream::recorded;

pub(crate) use arrivals::described;

/// A [`Backend`] that wraps another one and records what comes in: events, times, bytes, errors, addresses, names.
///
/// See the [crate] for an example, and for what it records and what it refuses.
pub struct Recorder {
    backend: Box<dyn Backend>,
    recording: Rc<Recording>,
}

impl Recorder {
    /// Records `backend` into `out`, which receives blocks of 64 KiB, and what there is after a second without a full
    /// one. `note` is stored in the header, for readers: the arguments of the program, for example.
    ///
    /// # Errors
    ///
    /// If the header cannot be written.
    pub fn new(
        backend: impl Backend + 'static,
        out: impl Write + 'static,
        note: &str,
    ) -> io::Result<Self> {
        Self::with(backend, Box::new(out), Header::new(note))
    }

    /// Like [`new`](Self::new), but received bytes, datagrams and messages are recorded as `x`, with line ends kept,
    /// and written bytes by their length only. The program itself sees the real bytes.
    ///
    /// Such a recording has the sizes and the times. A replay receives the filler, so a program that acts on the
    /// content soon does something else than was recorded, and the replay stops there.
    ///
    /// # Errors
    ///
    /// If the header cannot be written.
    pub fn redacted(
        backend: impl Backend + 'static,
        out: impl Write + 'static,
        note: &str,
    ) -> io::Result<Self> {
        Self::with(backend, Box::new(out), Header { redacted: true, ..Header::new(note) })
    }

    /// Records into a new file. An existing file is replaced. On Unix only its owner can read it.
    ///
    /// # Errors
    ///
    /// If the file cannot be made or written.
    pub fn to_file(
        backend: impl Backend + 'static,
        path: impl AsRef<Path>,
        note: &str,
    ) -> io::Result<Self> {
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Self::new(backend, options.open(path)?, note)
    }

    fn with(
        backend: impl Backend + 'static,
        out: Box<dyn Write>,
        header: Header,
    ) -> io::Result<Self> {
        let backend = Box::new(backend);
        let header = Header {
            observed: backend.observes_callbacks(),
            #[cfg(unix)]
            passes_descriptors: backend.passes_descriptors(),
            ..header
        };
        let recording = Rc::new(Recording::new(header, out, backend.now(), backend.waker())?);
        Ok(Self { backend, recording })
    }

    /// Has jobs ([`call_in_thread`](ropewalk::call_in_thread)) recorded by name and order, without their results: a
    /// replay runs each job again, on the reactor's thread. This is for jobs that compute. By default a job stops the
    /// recording, since one that reads a file or asks another service has another result later.
    #[must_use]
    pub fn repeat_jobs(self) -> Self {
        self.recording.repeat_jobs();
        self
    }

    /// Returns the tape, for [channels](Tape::channel) and for the [summary](Tape::summary).
    pub fn tape(&self) -> Tape {
        Tape(Kind::Recording(Rc::clone(&self.recording)))
    }

    /// Records the opening of a stream.
    fn stream(
        &self,
        method: Method,
        text: &str,
        result: io::Result<StreamSocket>,
    ) -> io::Result<StreamSocket> {
        let opened = result.map(|socket| (socket, Address::Unknown));
        recorded(&self.recording, method, 0, text, opened).map(|(socket, _)| socket)
    }

    /// Records the opening of a listener or datagram socket. Returns its number.
    fn socket<T>(&self, method: Method, text: &str, result: io::Result<T>) -> io::Result<(T, u32)> {
        let call = Call::Other { method, socket: 0, text };
        let socket = self.recording.result(&call, result, |_| Outcome::Socket(0, &[]))?;
        Ok((socket, self.recording.number_socket()))
    }

    fn datagram(
        &self,
        method: Method,
        text: &str,
        result: io::Result<Box<dyn DatagramBackend>>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        let (socket, number) = self.socket(method, text, result)?;
        Ok(Box::new(RecordedDatagram::new(socket, number, &self.recording)))
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("backend", &self.backend)
            .field("summary", &self.recording.summary())
            .finish()
    }
}

/// The reactor has been dropped, and with it all sockets.
impl Drop for Recorder {
    fn drop(&mut self) {
        self.recording.close_channels();
        self.recording.finish();
    }
}
