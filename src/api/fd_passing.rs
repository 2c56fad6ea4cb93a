//! Descriptor passing over Unix sockets.

use crate::api::context::Context;
use crate::api::send::too_much;
use crate::api::timer::Job;
use crate::api::transport::Transport;
use crate::source::fd_passing::{MAX_DESCRIPTORS, MAX_QUEUED, OwnedFd};
use crate::source::listener::BACKOFF;
use crate::source::stream::Stream;
use crate::source::table::Source;
use crate::sys::error::failed_plainly;
use crate::values::address::Address;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::reason::Reason;
use std::io;

/// # Unix sockets
impl Transport<'_> {
    /// Sends `data` over a Unix socket, after all data written before, and passes `descriptors` with its
    /// first byte (SCM_RIGHTS, unix(7)). The peer receives descriptors of the same open files or sockets.
    /// The passed descriptors are closed once the system has taken them, or when the connection ends before;
    /// to continue to use one, keep a duplicate (`try_clone`).
    ///
    /// A peer that [does not accept descriptors](crate::ListenOptions::descriptors) receives only `data`;
    /// that causes no error.
    ///
    /// If the system refuses because too many descriptors of this user have not been received yet, sending is
    /// repeated every 100 ms; after 10 seconds the connection ends ([`Reason::Failed`], ETOOMANYREFS).
    ///
    /// # A peer that does not read
    ///
    /// Descriptors that the system does not take are queued, and stay open meanwhile. At most 1,024 are queued
    /// on one connection. When more than 256 are queued, [`pause_writing`](crate::Protocol::pause_writing) is
    /// called, as it is for bytes. When at most 64 are queued, and no more bytes than the low-water mark,
    /// [`resume_writing`](crate::Protocol::resume_writing) is called. These marks are fixed. A callback that
    /// sends many descriptors must check [`descriptors_waiting`](Self::descriptors_waiting), since the marks
    /// are reported only after it has returned. With
    /// [`SlowReader::Disconnect`](crate::SlowReader::Disconnect) the connection ends in place of the error
    /// `WouldBlock` below.
    ///
    /// # Errors
    ///
    /// After an error nothing is sent, and the descriptors are closed. If the connection is closed, nothing
    /// happens, as with [`write`](Self::write).
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): `data` is empty, or there are more than 253
    ///   descriptors, which is the limit of one message.
    /// - [`WouldBlock`](io::ErrorKind::WouldBlock): more than 1,024 would be queued. Try again in
    ///   `resume_writing`; for a connection attempt, in
    ///   [`connection_made`](crate::Protocol::connection_made).
    /// - [`Unsupported`](io::ErrorKind::Unsupported): the connection is not a Unix socket, has a
    ///   [filter](crate::Filter), or is simulated.
    ///
    /// ```
    /// use ropewalk::{Protocol, Transport};
    /// use std::fs::File;
    ///
    /// /// Passes files that its clients may not open themselves.
    /// struct Librarian;
    ///
    /// impl Protocol for Librarian {
    ///     fn data_received(&mut self, transport: &mut Transport<'_>, _request: &[u8]) {
    ///         match File::open("/etc/hostname") {
    ///             Ok(file) => transport.send_descriptors(b"here it is\n", [file]).unwrap(),
    ///             Err(error) => write!(transport, "{error}\n"),
    ///         }
    ///     }
    /// }
    /// ```
    #[doc(alias = "sendFileDescriptor")]
    #[doc(alias = "SCM_RIGHTS")]
    pub fn send_descriptors(
        &mut self,
        data: &[u8],
        descriptors: impl IntoIterator<Item = impl Into<OwnedFd>>,
    ) -> Result<(), Error> {
        let descriptors: Vec<OwnedFd> = descriptors.into_iter().map(Into::into).collect();
        let (context, id) = self.parts();
        if descriptors.is_empty() {
            context.write_by_id(id, data);
            return Ok(());
        }
        let peer = context.receiver_of(id);
        context
            .pass(id, data, descriptors)
            .map_err(|cause| failed_plainly("pass descriptors to", peer, cause))
    }

    /// Returns the number of descriptors that were given to [`send_descriptors`](Self::send_descriptors)
    /// and not yet accepted by the system.
    pub fn descriptors_waiting(&self) -> usize {
        self.context.queued_descriptors(self.id)
    }
}

impl Context {
    fn pass(&mut self, id: Id, data: &[u8], descriptors: Vec<OwnedFd>) -> io::Result<()> {
        let count = descriptors.len();
        if data.is_empty() {
            return Err(invalid("descriptors need at least one byte of data".to_owned()));
        }
        if count > MAX_DESCRIPTORS {
            return Err(invalid(format!(
                "{count} descriptors exceed the limit of {MAX_DESCRIPTORS} for one message"
            )));
        }
        match self.sources.get(id) {
            Some(Source::Stream(stream)) if stream.takes_writes() => {
                self.pass_to_stream(id, data, descriptors)
            }
            Some(Source::Connector(connector)) if connector.takes_writes() => {
                self.pass_to_connector(id, data, descriptors)
            }
            _ => {
                self.note_stale(id, "send_descriptors");
                Ok(())
            }
        }
    }

    fn pass_to_stream(&mut self, id: Id, data: &[u8], descriptors: Vec<OwnedFd>) -> io::Result<()> {
        let Some(stream) = self.sources.stream_mut(id) else {
            return Ok(());
        };
        if !stream.is_unix() {
            return Err(not_unix(&stream.peer));
        }
        if stream.filtered().is_some() {
            return Err(not_through_filters());
        }
        if !self.is_within_limit(id) {
            return Ok(());
        }
        let Some(stream) = self.sources.stream_mut(id) else {
            return Ok(());
        };
        if stream.has_no_room_for(descriptors.len(), &mut self.spares) {
            return self.refuse(id);
        }
        stream.output.commit_drop_oldest(&mut self.spares); // Nothing goes ahead of queued data.
        stream.output.buffer.push_with(data, descriptors, &mut self.spares);
        if self.running == id {
            stream.open_chunk(false);
        }
        stream.note_crossing();
        self.flush_later(id);
        Ok(())
    }

    fn pass_to_connector(
        &mut self,
        id: Id,
        data: &[u8],
        descriptors: Vec<OwnedFd>,
    ) -> io::Result<()> {
        let Some(Source::Connector(connector)) = self.sources.get(id) else {
            return Ok(());
        };
        if connector.address.unix().is_none() || !self.backend.passes_descriptors() {
            return Err(not_unix(&connector.address));
        }
        if connector.options.connection.filters().is_some() {
            return Err(not_through_filters());
        }
        if connector.output.buffer.descriptors_waiting() + descriptors.len() > MAX_QUEUED {
            return self.refuse(id);
        }
        self.push(id, &[]); // It gives the attempt up if too much data is queued.
        if let Some(Source::Connector(connector)) = self.sources.get_mut(id) {
            connector.output.commit_drop_oldest(&mut self.spares); // Nothing goes ahead of queued data.
            connector.output.buffer.push_with(data, descriptors, &mut self.spares);
        }
        Ok(())
    }

    /// Refuses descriptors, since too many would be queued.
    fn refuse(&mut self, id: Id) -> io::Result<()> {
        if self.limits_mut(id).is_some_and(|limits| limits.disconnects()) {
            match self.sources.get(id) {
                Some(Source::Connector(_)) => self.fail_connector(id, too_much()),
                _ => self.end(id, Reason::WriteLimit),
            }
            return Ok(());
        }
        let queued = self.queued_descriptors(id);
        let text = format!("{queued} descriptors are already queued; the limit is {MAX_QUEUED}");
        Err(io::Error::new(io::ErrorKind::WouldBlock, text))
    }

    pub(super) fn queued_descriptors(&self, id: Id) -> usize {
        match self.sources.get(id) {
            Some(Source::Stream(stream)) => stream.output.buffer.descriptors_waiting(),
            Some(Source::Connector(connector)) => connector.output.buffer.descriptors_waiting(),
            _ => 0,
        }
    }

    /// If the system has refused descriptors, schedules another attempt.
    pub(super) fn handle_refusal(&mut self, id: Id) {
        if self.sources.stream_mut(id).is_some_and(Stream::begins_backoff) {
            self.schedule(BACKOFF, Job::BackoffEnd(id));
        }
    }

    /// Returns the peer of the descriptors, for errors.
    fn receiver_of(&self, id: Id) -> String {
        match self.sources.get(id) {
            Some(Source::Stream(stream)) => stream.peer.to_string(),
            Some(Source::Connector(connector)) => connector.target.clone(),
            _ => id.to_string(),
        }
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

fn not_through_filters() -> io::Error {
    let text = "the connection has a filter, through which descriptors cannot pass";
    io::Error::new(io::ErrorKind::Unsupported, text)
}

fn not_unix(peer: &Address) -> io::Error {
    let text = match peer.unix() {
        None => "only Unix sockets can pass descriptors",
        Some(_) => "the reactor's backend does not support passing descriptors",
    };
    io::Error::new(io::ErrorKind::Unsupported, text)
}
