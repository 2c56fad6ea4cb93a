//! Filters of connections: their state in the context. The dispatcher calls them.

use crate::api::context::{Context, Pending};
use crate::api::discard::Discarded;
use crate::api::timer::Job;
use crate::api::transport::Transport;
use crate::source::stream::{Life, Phase, Stream};
use crate::source::table::Source;
use crate::values::filter::{Filter, HANDSHAKE_TIMEOUT};
use crate::values::id::Id;
use crate::values::logging::TCP;
use crate::values::reason::Reason;
use log::debug;
use std::io;
use std::time::Duration;

/// A filter that was added to a connection, on its way to the dispatcher.
pub(crate) struct Added {
    pub(crate) filter: Box<dyn Filter>,
    /// Received bytes that the filter decodes first.
    pub(crate) received: Vec<u8>,
    /// The number of queued bytes of plaintext that were written before, and do not pass through the filter.
    pub(crate) before: usize,
}

/// # Filters
impl Transport<'_> {
    /// Adds a [`Filter`] above those of the connection, for example to change to TLS in mid-stream.
    ///
    /// Earlier writes do not pass through it. Later ones are queued until the filter's handshake is complete; its
    /// deadline is 10 seconds. A registered producer stays. `received` are delivered bytes that the filter has to
    /// decode: those after the command to change. Other data of the current callback does not pass through the
    /// filter.
    ///
    /// If the handshake fails, the protocol receives `connection_lost`. If the connection is not open, or our side has
    /// ended, the filter is dropped.
    ///
    /// ```
    /// use ropewalk::{Filter, Protocol, Transport};
    ///
    /// struct Upgrading<F>(Option<F>);
    ///
    /// impl<F: Filter> Protocol for Upgrading<F> {
    ///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
    ///         if let Some(rest) = data.strip_prefix(b"UPGRADE\n")
    ///             && let Some(filter) = self.0.take()
    ///         {
    ///             transport.write(b"OK\n"); // not encoded
    ///             transport.add_filter(filter, rest);
    ///             transport.write(b"Welcome.\n"); // encoded
    ///         }
    ///     }
    /// }
    /// ```
    #[doc(alias = "startTLS")]
    #[doc(alias = "start_tls")]
    pub fn add_filter(&mut self, filter: impl Filter, received: &[u8]) {
        let (context, id) = self.parts();
        context.add_filter(id, Box::new(filter), received);
    }
}

impl Context {
    /// Adds a filter above those of a connection.
    pub(crate) fn add_filter(&mut self, id: Id, filter: Box<dyn Filter>, received: &[u8]) {
        let open = |stream: &&mut Stream| stream.is_whole() && !stream.in_handshake();
        let stream = self.sources.stream_mut(id).filter(open);
        let Some(stream) = stream else {
            debug!(target: TCP, "{id} is not open; the filter is dropped");
            self.note_stale(id, "add_filter");
            return self.discard(Discarded::Other(Box::new(filter), "a filter"));
        };
        stream.output.commit_drop_oldest(&mut self.spares);
        if stream.output.filtered.is_none() {
            stream.output.filter(true);
        }
        let mut before = 0;
        if let Some(filtered) = stream.filtered_mut() {
            before = filtered.plain.len();
            filtered.adding += 1;
        }
        stream.check_each_write();
        self.begin_handshake(id, HANDSHAKE_TIMEOUT);
        let added = Added { filter, received: received.to_vec(), before };
        self.pending.push_back(Pending::AddFilter(id, Box::new(added)));
    }

    /// Begins a handshake of the filters of a connection.
    pub(crate) fn begin_handshake(&mut self, id: Id, timeout: Duration) {
        let timer = self.schedule(timeout, Job::HandshakeTimeout(id));
        let old = self.sources.filtered_mut(id).and_then(|filtered| {
            filtered.phase = Phase::Handshake;
            filtered.timer.replace(timer)
        });
        if let Some(old) = old {
            self.timers.cancel(old);
        }
    }

    /// Ends a handshake: all filters of the connection are established.
    pub(crate) fn end_handshake(&mut self, id: Id) {
        let ended = self.sources.filtered_mut(id).and_then(|filtered| {
            filtered.phase = Phase::Established;
            filtered.made = true;
            filtered.timer.take()
        });
        if let Some(timer) = ended {
            self.timers.cancel(timer);
        }
    }

    /// Ends a connection if its handshake is not complete at the deadline.
    pub(crate) fn time_out_handshake(&mut self, id: Id) {
        let stream = self.sources.stream(id);
        if stream.and_then(Stream::filtered).is_some_and(|f| f.phase == Phase::Handshake) {
            let cause = io::Error::new(io::ErrorKind::TimedOut, "the handshake timed out");
            self.end(id, Reason::Failed(cause));
        }
    }

    /// Lists the connection for the dispatcher, which encodes its queued plaintext.
    pub(super) fn list_encoding(&mut self, id: Id) {
        if let Some(filtered) = self.sources.filtered_mut(id) {
            filtered.listed = true;
            self.pending.push_back(Pending::Encode(id));
        }
    }

    /// Queues bytes that the lowest filter has encoded. Returns the number of bytes that are queued for the socket.
    pub(crate) fn push_encoded(&mut self, id: Id, encoded: &[u8]) -> usize {
        let Some(stream) =
            self.sources.stream_mut(id).filter(|stream| !stream.filters_are_silent())
        else {
            return 0;
        };
        stream.output.buffer.push(encoded, &mut self.spares);
        stream.output.buffer.len()
    }

    /// Copies queued plaintext to `piece`: see [`Stream::copy_plaintext`].
    pub(crate) fn copy_plaintext(&self, id: Id, piece: &mut Vec<u8>) {
        if let Some(stream) = self.sources.stream(id) {
            stream.copy_plaintext(piece, &self.spares);
        }
    }

    /// Removes the first `count` bytes of plaintext, which have been encoded.
    pub(crate) fn advance_plaintext(&mut self, id: Id, count: usize) {
        if let Some(filtered) = self.sources.filtered_mut(id) {
            filtered.plain.advance(count, &mut self.spares);
        }
    }

    /// Ends a connection with a failed filter. Bytes that the filter has sent, such as an alert, are sent before;
    /// all other queued data is dropped.
    pub(crate) fn fail_filter(&mut self, id: Id, error: io::Error) {
        let Some(Source::Stream(stream)) = self.sources.get_mut(id) else {
            return;
        };
        if matches!(stream.life, Life::Ended { .. }) {
            return;
        }
        debug!(target: TCP, "{id} a filter failed: {error}");
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return self.end(id, Reason::Truncated);
        }
        if stream.filters_are_silent() {
            return self.end(id, Reason::Failed(error));
        }
        stream.output.drop_oldest.clear();
        if let Some(filtered) = stream.filtered_mut() {
            filtered.phase = Phase::Closed;
            filtered.plain.clear(&mut self.spares);
            filtered.between = 0;
        }
        stream.life = Life::Closing(Reason::Failed(error));
        if stream.is_readable() {
            self.enqueue(id);
        }
        self.flush(id);
        self.watch_progress(id);
    }
}
