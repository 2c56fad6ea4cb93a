//! Flow control: pausing reads, and the marks and limits of the send buffer.

use crate::api::context::Context;
use crate::api::transport::Transport;
use crate::source::stream::{Limits, Reading};
use crate::source::table::Source;
use crate::values::id::Id;
use crate::values::reason::Reason;
use crate::values::slow_reader::SlowReader;

/// # Flow control
impl Transport<'_> {
    /// Stops delivering data, until [`resume`](Self::resume). The system receives some more data from the
    /// peer, then the peer has to wait. A reset by the peer is still noticed.
    #[doc(alias = "pause_reading")]
    #[doc(alias = "pauseProducing")]
    pub fn pause(&mut self) {
        let (context, id) = self.parts();
        match context.sources.get_mut(id) {
            Some(Source::Stream(stream)) => {
                stream.input.reading = Reading::Paused;
                if stream.has_unnoticed_eof() {
                    context.enqueue(id);
                }
                context.end_if_broken(id);
            }
            Some(Source::Connector(connector)) => connector.paused = true,
            _ => context.note_stale(id, "pause"),
        }
    }

    /// Delivers data again after [`pause`](Self::pause). The protocol is notified by
    /// [`reading_resumed`](crate::Protocol::reading_resumed).
    #[doc(alias = "resume_reading")]
    #[doc(alias = "resumeProducing")]
    pub fn resume(&mut self) {
        let (context, id) = self.parts();
        match context.sources.get_mut(id) {
            Some(Source::Stream(stream)) if stream.input.reading == Reading::Paused => {
                stream.input.reading = Reading::Resumed;
                context.enqueue(id);
            }
            Some(Source::Connector(connector)) => connector.paused = false,
            _ => context.note_stale(id, "resume"),
        }
    }

    /// Returns true if data is held back by [`pause`](Self::pause).
    pub fn is_paused(&self) -> bool {
        match self.context.sources.get(self.id) {
            Some(Source::Stream(stream)) => stream.input.reading == Reading::Paused,
            Some(Source::Connector(connector)) => connector.paused,
            _ => false,
        }
    }

    /// Returns the number of bytes that were written and not yet accepted by the system.
    #[doc(alias = "get_write_buffer_size")]
    pub fn write_buffer_size(&self) -> usize {
        self.context.queued(self.id) + self.context.gathered()
    }

    /// Sets the high-water and the low-water mark of the send buffer, in bytes. When more than `high` is
    /// queued, the protocol receives [`pause_writing`](crate::Protocol::pause_writing); then at `low` or
    /// below, [`resume_writing`](crate::Protocol::resume_writing). Default: 64 KiB and 16 KiB. A `low`
    /// above `high` counts as `high`. Queued descriptors have marks of their own, which are fixed.
    #[doc(alias = "bufferSize")]
    pub fn set_write_buffer_limits(&mut self, high: usize, low: usize) {
        let (context, id) = self.parts();
        match context.limits_mut(id) {
            Some(limits) => {
                limits.set_marks(high, low);
                context.check_marks(id);
            }
            None => context.note_stale(id, "set_write_buffer_limits"),
        }
    }

    /// Returns the high-water and the low-water mark, or `None` if the connection is gone.
    ///
    /// ```
    /// # fn connection_made(transport: &mut ropewalk::Transport<'_>) {
    /// transport.set_write_buffer_limits(1000, 100);
    /// assert_eq!(transport.write_buffer_limits(), Some((1000, 100)));
    /// # }
    /// ```
    #[doc(alias = "get_write_buffer_limits")]
    pub fn write_buffer_limits(&self) -> Option<(usize, usize)> {
        Some(self.context.limits(self.id)?.marks())
    }

    /// Returns the limit of the send buffer, in bytes, or `None` if the connection is gone.
    pub fn write_limit(&self) -> Option<usize> {
        Some(self.context.limits(self.id)?.write_limit())
    }

    /// Sets the limit of the send buffer, in bytes. A write that finds more queued data ends the
    /// connection with [`Reason::WriteLimit`], so that a peer that does not
    /// read cannot use up the memory. Default: 64 MiB. With [`SlowReader::Disconnect`] the lower of
    /// the two limits applies.
    ///
    /// ```
    /// # fn connection_made(transport: &mut ropewalk::Transport<'_>) {
    /// transport.set_write_limit(1024 * 1024);
    /// # }
    /// ```
    pub fn set_write_limit(&mut self, bytes: usize) {
        let (context, id) = self.parts();
        match context.limits_mut(id) {
            Some(limits) => limits.set_write_limit(bytes),
            None => context.note_stale(id, "set_write_limit"),
        }
    }

    /// Sets what to do if the peer reads too slowly. Data that is queued already is not dropped, except
    /// that no more than the new bound stays queued at the next write.
    ///
    /// ```
    /// use ropewalk::{Protocol, SlowReader, Transport};
    ///
    /// struct Prices;
    ///
    /// impl Protocol for Prices {
    ///     fn connection_made(&mut self, transport: &mut Transport<'_>) {
    ///         transport.set_slow_reader(SlowReader::DropOldest(16 * 1024));
    ///     }
    ///
    ///     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    /// }
    /// ```
    pub fn set_slow_reader(&mut self, slow_reader: SlowReader) {
        let (context, id) = self.parts();
        context.set_slow_reader_of(id, slow_reader);
    }

    /// Returns what to do if the peer reads too slowly, or `None` if the connection is gone.
    ///
    /// ```
    /// # use ropewalk::SlowReader;
    /// # fn connection_made(transport: &mut ropewalk::Transport<'_>) {
    /// assert_eq!(transport.slow_reader(), Some(SlowReader::Pause));
    /// transport.set_slow_reader(SlowReader::Disconnect(1_000_000));
    /// assert_eq!(transport.slow_reader(), Some(SlowReader::Disconnect(1_000_000)));
    /// # }
    /// ```
    pub fn slow_reader(&self) -> Option<SlowReader> {
        match self.context.sources.get(self.id)? {
            Source::Stream(stream) => Some(stream.output.slow_reader()),
            Source::Connector(connector) => Some(connector.output.slow_reader()),
            _ => None,
        }
    }
}

impl Context {
    pub(super) fn queued(&self, id: Id) -> usize {
        match self.sources.get(id) {
            Some(Source::Stream(stream)) => stream.output.queued(),
            Some(Source::Connector(connector)) => connector.output.queued(),
            Some(Source::Datagram(datagram)) => datagram.queued_bytes(),
            _ => 0,
        }
    }

    pub(super) fn set_slow_reader_of(&mut self, id: Id, slow_reader: SlowReader) {
        match self.sources.get_mut(id) {
            Some(Source::Stream(stream)) => {
                let running = self.running == id;
                stream.set_slow_reader(slow_reader, running, &mut self.spares);
                self.check_marks(id);
            }
            Some(Source::Connector(connector)) => {
                connector.set_slow_reader(slow_reader, &mut self.spares);
            }
            _ => self.note_stale(id, "set_slow_reader"),
        }
    }

    /// Returns true if a connection may queue more. Ends it if more than its limit is queued.
    pub(super) fn is_within_limit(&mut self, id: Id) -> bool {
        let Some(stream) = self.sources.stream_mut(id) else {
            return false;
        };
        match stream.is_beyond_limit(&mut self.spares) {
            Ok(false) => return true,
            Ok(true) => self.end(id, Reason::WriteLimit),
            Err(error) => self.break_off(id, error.into()),
        }
        false
    }

    fn limits(&self, id: Id) -> Option<&Limits> {
        match self.sources.get(id)? {
            Source::Stream(stream) => Some(&stream.output.limits),
            Source::Connector(connector) => Some(&connector.output.limits),
            _ => None,
        }
    }

    pub(super) fn limits_mut(&mut self, id: Id) -> Option<&mut Limits> {
        match self.sources.get_mut(id)? {
            Source::Stream(stream) => Some(&mut stream.output.limits),
            Source::Connector(connector) => Some(&mut connector.output.limits),
            _ => None,
        }
    }
}
