//! Sending: queueing and flushing written data.

use crate::api::close::broken_by_peer;
use crate::api::context::{Context, Pending};
use crate::source::stream::{Flow, Life, WriteSide};
use crate::source::table::Source;
use crate::sys::{Readiness, StreamBackend};
use crate::values::id::Id;
use crate::values::journal::{CallOutcome, RecordKind, SystemCall};
use crate::values::logging::TCP;
use crate::values::reason::Reason;
use log::{debug, trace};
use std::io;

/// The number of connections to flush from which another poll pays. A poll costs about as much as a write, and
/// may save one for each of them.
const MANY: usize = 16;

impl Context {
    /// Queues `data`. The caller flushes it.
    #[inline]
    pub(crate) fn push(&mut self, id: Id, data: &[u8]) {
        match self.sources.stream_mut(id) {
            Some(stream) if stream.only_gathers(data.len()) => {
                stream.output.buffer.push(data, &mut self.spares);
            }
            _ => self.push_with_care(id, data),
        }
    }

    /// Queues data that needs more than an append: a long write, a connection that is closing, or an attempt.
    #[inline(never)]
    fn push_with_care(&mut self, id: Id, data: &[u8]) {
        match self.sources.get_mut(id) {
            Some(Source::Stream(stream)) if stream.takes_writes() => self.push_to_stream(id, data),
            Some(Source::Connector(connector)) if connector.takes_writes() => {
                if connector.output.buffer.len() > connector.output.limits.most() {
                    self.fail_connector(id, too_much());
                } else {
                    connector.push(data, &mut self.spares);
                }
            }
            _ => self.note_stale(id, "write"),
        }
    }

    fn push_to_stream(&mut self, id: Id, data: &[u8]) {
        let running = self.running == id;
        if self.is_within_limit(id)
            && let Some(stream) = self.sources.stream_mut(id)
        {
            let before = stream.traffic.sent;
            let pushed = stream.push(data, running, &mut self.spares);
            let sent = stream.traffic.sent - before;
            if sent > 0 || pushed.is_err() {
                self.note_flush(id, sent, &pushed);
            }
            if let Err(error) = pushed {
                self.break_off(id, error.into());
            }
        }
    }

    /// Sends queued data, as far as the socket and the budget allow. Once all is sent, ends the sending
    /// direction or the connection, if that was requested.
    #[inline(always)]
    pub(crate) fn flush(&mut self, id: Id) {
        let Some(stream) = self.sources.stream_mut(id) else {
            return;
        };
        if stream.wants_flush() {
            let before = stream.traffic.sent;
            let flushed = stream.flush(&mut self.spares);
            let (sent, settled) = (stream.traffic.sent - before, stream.is_settled());
            self.note_flush(id, sent, &flushed);
            match flushed {
                Err(error) => return self.break_off(id, error.into()),
                Ok(()) if settled => return,
                Ok(()) => {}
            }
        } else if stream.is_settled() {
            return;
        }
        self.after_flush(id);
    }

    /// Acts after a flush: on queued data that is left, or on a request that waited for an empty send buffer.
    #[inline(never)]
    fn after_flush(&mut self, id: Id) {
        let Some(stream) = self.sources.stream_mut(id) else {
            return;
        };
        if let Err(error) = stream.flush_drop_oldest(&mut self.spares) {
            return self.break_off(id, error.into());
        }
        if stream.wants_encoding() {
            self.list_encoding(id);
            return self.check_marks(id);
        }
        let is_running = self.running == id;
        match stream.life {
            Life::Broken(_) | Life::Ended { .. } => {}
            _ if stream.output.queued() > 0 => {
                trace!(target: TCP, "{id} {} bytes queued", stream.output.queued());
                // Data queued for a filter is sent later: when the peer has read, or by a pending callback.
                if stream.is_writable()
                    && (stream.output.filtered.is_none() || stream.wants_flush())
                {
                    self.enqueue(id);
                }
                #[cfg(unix)]
                self.handle_refusal(id);
            }
            Life::Closing(_) if !is_running && stream.has_said_goodbye() => return self.finish(id),
            _ if stream.output.has_producer() => {
                if stream.wants_more() {
                    self.enqueue(id);
                }
            }
            Life::Open
                if stream.output.write_side == WriteSide::Ending
                    && !is_running
                    && stream.has_said_goodbye() =>
            {
                self.end_write_side(id);
            }
            Life::Closing(_) | Life::Finishing(_) | Life::Open => {}
        }
        self.check_marks(id);
    }

    /// Lists a connection for the flush at the end of the turn, once.
    #[inline]
    pub(super) fn flush_later(&mut self, id: Id) {
        if let Some(stream) = self.sources.stream_mut(id)
            && !stream.output.unflushed
        {
            stream.output.unflushed = true;
            self.unflushed.push(id);
        }
    }

    /// Returns true if many connections were written to by others, so that another poll may find more data to gather.
    pub(crate) fn has_many_to_flush(&self) -> bool {
        self.unflushed.len() >= MANY
    }

    /// Flushes the connections that were written to by id.
    pub(crate) fn flush_others(&mut self) {
        self.begin_flushes();
        let mut next = 0;
        while self.flush_listed(next).is_some() {
            next += 1;
        }
        self.end_flushes();
    }

    /// Returns the connections that were written to by id.
    pub(crate) fn unflushed(&self) -> &[Id] {
        &self.unflushed
    }

    /// Records that the listed connections are flushed.
    pub(crate) fn begin_flushes(&mut self) {
        if !self.unflushed.is_empty() {
            self.journal.note(Id::NONE, RecordKind::Flushed, 0, self.unflushed.len());
        }
    }

    /// Flushes the connection at this place of the list. A flush lists no connection.
    #[inline]
    pub(crate) fn flush_listed(&mut self, place: usize) -> Option<Id> {
        let id = *self.unflushed.get(place)?;
        if let Some(stream) = self.sources.stream_mut(id) {
            stream.output.unflushed = false;
            self.flush(id);
        }
        Some(id)
    }

    /// Empties the list. Its memory is kept.
    pub(crate) fn end_flushes(&mut self) {
        self.unflushed.clear();
    }

    /// Handles a failed write: the connection is broken. Data that the peer sent before may still be unread. If
    /// the protocol is reading, that data is delivered first, and the read that finds its end ends the
    /// connection for this reason.
    #[cold]
    pub(super) fn break_off(&mut self, id: Id, reason: Reason) {
        let Some(stream) = self.sources.stream_mut(id) else {
            return;
        };
        if stream.reads_disabled() || stream.is_closing() {
            return self.end(id, reason);
        }
        stream.output.clear(&mut self.spares);
        stream.life = Life::Broken(reason);
        stream.readiness |= Readiness::READABLE | Readiness::MORE_FOLLOWS;
        self.enqueue(id);
        self.check_marks(id); // A protocol that was asked to pause is asked to resume.
    }

    /// Compares the queued data with the marks, and notifies the protocol of a crossing.
    pub(crate) fn check_marks(&mut self, id: Id) {
        if let Some(stream) = self.sources.stream_mut(id) {
            stream.note_crossing();
            if stream.has_flow_to_notify() {
                let above = stream.output.flow != Flow::Paused;
                let queued = stream.output.queued();
                self.journal.note(id, RecordKind::Crossed, above.into(), queued);
                self.pending.push_back(Pending::Flow(id));
            }
        }
    }

    /// Ends the sending direction, after all queued data was sent.
    fn end_write_side(&mut self, id: Id) {
        let Self { sources, journal, .. } = self;
        let Some(stream) = sources.stream_mut(id) else {
            return;
        };
        stream.output.write_side = WriteSide::Ended;
        let ended = stream.socket.shutdown_write();
        journal.system(id, SystemCall::Shutdown, CallOutcome::of(&ended));
        match ended {
            Ok(()) if stream.input.has_ended() => self.close(id),
            Ok(()) => debug!(target: TCP, "{id} shut down for writing"),
            Err(error) => {
                let reason = broken_by_peer(&stream.socket, error);
                self.break_off(id, reason);
            }
        }
    }
}

/// The error of a connection attempt for which too much data was queued.
pub(super) fn too_much() -> io::Error {
    io::Error::other("too much queued data")
}

#[cfg(test)]
mod tests {
    use crate::{Protocol, Reactor, Transport};
    use std::net::TcpStream;

    struct Quiet;

    impl Protocol for Quiet {
        fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    }

    #[test]
    fn connection_with_many_writes_is_listed_once() {
        let mut reactor = Reactor::new().unwrap();
        let port = reactor.listen_tcp("127.0.0.1:0", || Quiet).unwrap();
        let _client = TcpStream::connect(port.address()).unwrap();
        while reactor.context().connections().count() == 0 {
            reactor.turn(None).unwrap();
        }
        let context = reactor.context();
        let id = context.connections().next().unwrap();
        for _ in 0..100 {
            context.transport(id).write(b"a line");
        }
        assert_eq!(context.unflushed, [id]);
    }
}
