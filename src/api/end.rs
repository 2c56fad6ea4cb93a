//! Methods of the transport that end a connection.

use crate::api::timer::Job;
use crate::api::transport::Transport;
use crate::source::stream::WriteSide;
use crate::source::table::Source;
use std::time::Duration;

/// # Ending
impl Transport<'_> {
    /// Ends the sending direction once all queued data has been sent. The peer sees the end of the data
    /// and may continue to send. The connection ends when both directions have ended.
    ///
    /// ```
    /// use ropewalk::{Protocol, Transport};
    ///
    /// /// Asks one question and ends its sending direction.
    /// struct Question(&'static str);
    ///
    /// impl Protocol for Question {
    ///     fn connection_made(&mut self, transport: &mut Transport<'_>) {
    ///         transport.write(self.0.as_bytes());
    ///         transport.write_eof();
    ///     }
    ///
    ///     fn data_received(&mut self, _transport: &mut Transport<'_>, data: &[u8]) {
    ///         println!("{}", String::from_utf8_lossy(data));
    ///     }
    /// }
    /// ```
    #[doc(alias = "loseWriteConnection")]
    pub fn write_eof(&mut self) {
        let (context, id) = self.parts();
        match context.sources.get_mut(id) {
            Some(Source::Stream(stream)) if stream.is_whole() => {
                stream.output.write_side = WriteSide::Ending;
                context.flush(id);
                context.watch_progress(id);
            }
            Some(Source::Connector(connector)) => connector.output.write_side = WriteSide::Ending,
            _ => context.note_stale(id, "write_eof"),
        }
    }

    /// Ends the connection once all queued data has been sent. No more data is delivered, and what is
    /// written after this call is dropped. A connection attempt is given up.
    ///
    /// If nothing is sent for 60 seconds although data is queued or a producer is registered, the
    /// connection ends with
    /// [`Reason::CloseTimeout`](crate::Reason::CloseTimeout). For another time see
    /// [`close_within`](Self::close_within).
    #[doc(alias = "loseConnection")]
    #[doc(alias = "stopConnecting")]
    pub fn close(&mut self) {
        let (context, id) = self.parts();
        context.close(id);
    }

    /// Does what [`close`](Self::close) does; if the queued data has not been sent after `timeout`, the
    /// connection ends with [`Reason::CloseTimeout`](crate::Reason::CloseTimeout), however much the
    /// peer has received by then.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # fn refuse(transport: &mut ropewalk::Transport<'_>) {
    /// transport.write(b"too many connections\r\n");
    /// transport.close_within(Duration::from_secs(1));
    /// # }
    /// ```
    #[doc(alias = "abortTimeout")]
    pub fn close_within(&mut self, timeout: Duration) {
        let (context, id) = self.parts();
        context.close(id);
        if context.sources.stream(id).is_some() {
            context.schedule_owned(id, timeout, Job::CloseDeadline(id));
        }
    }

    /// Ends the connection at once: queued data is dropped, and the peer receives a reset (RST), so that
    /// it cannot take a part of the data for the whole.
    #[doc(alias = "abortConnection")]
    pub fn abort(&mut self) {
        let (context, id) = self.parts();
        context.abort(id);
    }

    /// Returns true if the connection is closing or gone: it accepts no more writes and delivers no more
    /// data.
    pub fn is_closing(&self) -> bool {
        self.context.closing(self.id)
    }
}
