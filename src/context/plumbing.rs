//! What the requests have in common, and what the dispatcher asks for: flushing, ending, freeing.

use crate::context::{Context, Job, Notice, Stop};
use crate::id::Id;
use crate::listener::REST;
use crate::logging::{REACTOR, TCP};
use crate::reason::Reason;
use crate::sources::Source;
use crate::stream::{LINGER, Lingering, Stream, WRITE_LIMIT, WriteSide};
use crate::world::Readiness;
use log::{debug, info, trace, warn};
use std::io;

impl Context {
    /// Notes what the poll says of a socket, and lists the socket if there is something to do.
    pub(crate) fn note(&mut self, hint: Readiness) {
        let Some(id) = self.sources.find(hint.token) else {
            trace!(target: REACTOR, "event for one that is gone: {hint:?}");
            return;
        };
        trace!(target: REACTOR, "{id} {hint:?}");
        match self.sources.get_mut(id) {
            Some(Source::Stream(stream)) => {
                stream.readable |= hint.readable;
                stream.writable |= hint.writable;
                stream.more_follows |= hint.more_follows;
                let broken = hint.failed && stream.paused && stream.closing.is_none();
                if broken && let Ok(Some(error)) = stream.socket.take_error() {
                    // Nobody reads from it now, so no read would ever tell.
                    self.end(id, error.into());
                } else if stream.wants_read() || stream.wants_flush() {
                    self.enlist(id);
                }
            }
            Some(Source::Connector(connector)) => {
                connector.readable |= hint.readable;
                connector.more_follows |= hint.more_follows;
                self.enlist(id);
            }
            Some(Source::Listener(listener)) => {
                if !listener.resting {
                    self.enlist(id);
                }
            }
            Some(Source::Lingering(lingering)) => {
                lingering.readable |= hint.readable;
                self.enlist(id);
            }
            Some(Source::Gone) | None => {}
        }
    }

    /// Puts it at the back of the ready queue, unless it stands there already.
    pub(crate) fn enlist(&mut self, id: Id) {
        if self.sources.begin_queued(id) {
            self.ready.push_back(id);
        }
    }

    /// Takes `data` to be sent, and leaves it to the caller to see that it is flushed.
    pub(crate) fn push(&mut self, id: Id, data: &[u8]) {
        match self.sources.get_mut(id) {
            Some(Source::Stream(stream)) if stream.takes_writes() => {
                if stream.outbox.len() > stream.write_limit {
                    self.end(id, Reason::WriteLimit);
                } else if let Err(error) = stream.push(data, &mut self.spares) {
                    self.end(id, error.into());
                }
            }
            Some(Source::Connector(connector)) if connector.early.len() > WRITE_LIMIT => {
                self.fail_connector(id, io::Error::other("too much waited to be sent"));
            }
            Some(Source::Connector(connector)) => connector.early.push(data, &mut self.spares),
            _ => {}
        }
    }

    /// Sends what waits, as far as the socket and the budget allow, and then does what waited for
    /// it to be sent: the end of our side, or of the connection.
    pub(crate) fn flush(&mut self, id: Id) {
        let Some(stream) = self.sources.stream_mut(id).filter(|stream| stream.wants_flush()) else {
            self.check_marks(id);
            return;
        };
        if let Err(error) = stream.flush(&mut self.spares) {
            self.end(id, error.into());
        } else if !stream.outbox.is_empty() {
            trace!(target: TCP, "{id} {} bytes wait", stream.outbox.len());
            if stream.writable {
                self.enlist(id);
            }
            self.check_marks(id);
        } else if stream.closing.is_some() {
            self.finish(id);
        } else {
            if stream.write_side == WriteSide::Ending {
                self.end_write_side(id);
            }
            self.check_marks(id);
        }
    }

    /// Flushes those that others have written to.
    pub(crate) fn flush_others(&mut self) {
        let mut listed = std::mem::take(&mut self.unflushed);
        for id in listed.drain(..) {
            if let Some(stream) = self.sources.stream_mut(id) {
                stream.unflushed = false;
                self.flush(id);
            }
        }
        if self.unflushed.is_empty() {
            self.unflushed = listed;
        }
    }

    /// Whether the turn has left something that the next one need not wait for.
    pub(crate) fn is_busy(&self) -> bool {
        !(self.ready.is_empty() && self.unflushed.is_empty() && self.notices.is_empty())
    }

    /// Compares what waits with the marks; if the protocol has to hear of it, it will.
    pub(crate) fn check_marks(&mut self, id: Id) {
        if let Some(stream) = self.sources.stream(id)
            && stream.wants_to_tell_flow()
        {
            self.notices.push_back(Notice::Flow(id));
        }
    }

    /// All was sent and our side may end.
    fn end_write_side(&mut self, id: Id) {
        let Some(stream) = self.sources.stream_mut(id) else {
            return;
        };
        stream.write_side = WriteSide::Ended;
        match stream.socket.shutdown_write() {
            Ok(()) if stream.eof => self.close(id),
            Ok(()) => debug!(target: TCP, "{id} ended our side"),
            Err(error) => self.end(id, broken_by_peer(error)),
        }
    }

    /// No more in, no more out but what waits; then it ends for `reason`.
    pub(crate) fn close_because(&mut self, id: Id, reason: Reason) {
        if let Some(stream) = self.sources.stream_mut(id)
            && !stream.is_closing()
        {
            debug!(target: TCP, "{id} closing, {} bytes wait", stream.outbox.len());
            stream.closing = Some(reason);
            if stream.readable {
                self.enlist(id);
            }
            self.flush(id);
        }
    }

    /// All was sent and the connection may end.
    fn finish(&mut self, id: Id) {
        let Some(stream) = self.sources.stream_mut(id) else {
            return;
        };
        let Some(reason) = stream.closing.take() else {
            return;
        };
        let ended = match stream.write_side {
            WriteSide::Ended => Ok(()),
            WriteSide::Open | WriteSide::Ending => stream.socket.shutdown_write(),
        };
        stream.write_side = WriteSide::Ended;
        stream.lingers = ended.is_ok() && !stream.eof;
        self.end(id, ended.err().map_or(reason, broken_by_peer));
    }

    /// Ends a connection now, for `reason`. Its protocol is told after the running callback.
    pub(crate) fn end(&mut self, id: Id, reason: Reason) {
        let Some(stream) = self.sources.stream_mut(id).filter(|stream| stream.ended.is_none())
        else {
            return;
        };
        if (reason.is_abrupt() || !stream.outbox.is_empty())
            && let Err(error) = stream.socket.reset_on_close()
        {
            debug!(target: TCP, "{id} SO_LINGER: {error}");
        }
        stream.outbox.clear(&mut self.spares);
        stream.ended = Some(reason);
        self.notices.push_back(Notice::Lost(id));
    }

    /// A listener has met the system's limits: it asks again after a while.
    pub(crate) fn begin_rest(&mut self, id: Id, error: &io::Error) {
        if let Some(Source::Listener(listener)) = self.sources.get_mut(id) {
            if !std::mem::replace(&mut listener.complained, true) {
                let address = &listener.address;
                warn!(
                    target: TCP,
                    "{id} cannot accept on {address}: {error}; clients wait until it can"
                );
            }
            listener.resting = true;
            self.schedule(REST, Job::AcceptAgain(id));
        }
    }

    pub(crate) fn end_rest(&mut self, id: Id) {
        if let Some(Source::Listener(listener)) = self.sources.get_mut(id) {
            listener.resting = false;
            self.enlist(id);
        }
    }

    /// An attempt to connect has taken too long, whatever addresses are left.
    pub(crate) fn time_out(&mut self, id: Id) {
        self.fail_connector(id, io::Error::new(io::ErrorKind::TimedOut, "timed out"));
    }

    /// Stops listening now; its factory is dropped after the running callback.
    pub(crate) fn close_listener(&mut self, id: Id) {
        if let Some(Source::Listener(mut listener)) = self.sources.replace(id, Source::Gone) {
            info!(target: TCP, "{id} no longer listening on {}", listener.address);
            self.registrar.deregister_listener(&mut listener.socket);
            self.notices.push_back(Notice::Free(id));
        }
    }

    /// Frees the slot of one that has ended. The socket of a connection that was closed in order,
    /// with a peer that may still be sending, lingers on.
    pub(crate) fn free(&mut self, id: Id) {
        match self.sources.get_mut(id) {
            Some(Source::Stream(stream)) if stream.lingers => self.linger(id),
            Some(Source::Stream(stream)) => {
                self.registrar.deregister_stream(&mut stream.socket);
                self.sources.remove(id);
            }
            Some(Source::Lingering(lingering)) => {
                self.registrar.deregister_stream(&mut lingering.socket);
                self.timers.cancel(lingering.timer);
                self.sources.remove(id);
            }
            _ => {
                self.sources.remove(id);
            }
        }
    }

    fn linger(&mut self, id: Id) {
        let timer = self.schedule(LINGER, Job::LingerEnd(id));
        if let Some(Source::Stream(stream)) = self.sources.replace(id, Source::Gone) {
            let Stream { socket, readable, .. } = stream;
            self.sources.replace(id, Source::Lingering(Lingering { socket, readable, timer }));
            if readable {
                self.enlist(id);
            }
        }
    }

    /// The beginning of the end of a run: nobody new, and everybody is to finish.
    pub(crate) fn wind_down(&mut self) {
        for id in self.all() {
            match self.sources.get(id) {
                Some(Source::Connector(_)) => {
                    self.fail_connector(id, io::Error::other("the reactor stopped"));
                }
                Some(Source::Listener(_)) => self.close_listener(id),
                Some(Source::Stream(_)) => self.close_because(id, Reason::Stopped),
                Some(Source::Gone | Source::Lingering(_)) | None => {}
            }
        }
    }

    /// The end of the end: who has not finished is cut off.
    pub(crate) fn cut_off(&mut self) {
        self.wind_down();
        for id in self.all() {
            match self.sources.get(id) {
                Some(Source::Stream(_)) => self.end(id, Reason::Stopped),
                Some(Source::Lingering(_)) => self.free(id),
                _ => {}
            }
        }
    }

    /// How many sockets are left, and how many bytes they have to send.
    pub(crate) fn remainder(&self) -> (usize, usize) {
        let waiting = self.sources.iter().map(|(id, _)| self.write_buffer_size(id));
        waiting.fold((0, 0), |(sockets, bytes), waiting| (sockets + 1, bytes + waiting))
    }

    /// Ends the run without waiting for anybody.
    #[cfg(all(unix, feature = "signals"))]
    pub(crate) fn stop_at_once(&mut self) {
        self.stop = Stop::AtOnce;
    }

    /// Whether a stop waits for nobody.
    pub(crate) fn stops_at_once(&self) -> bool {
        self.stop == Stop::AtOnce
    }

    fn all(&self) -> Vec<Id> {
        self.sources.iter().map(|(id, _)| id).collect()
    }
}

/// Ending our side can only fail because the connection is gone already, though nobody has read the
/// reason: shutdown(2) says ENOTCONN for a connection that was reset.
fn broken_by_peer(error: io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::NotConnected => Reason::Reset,
        _ => error.into(),
    }
}
