//! How connections end, and how a run does.

use crate::context::{Context, Job, Notice, Stop};
use crate::id::Id;
use crate::lingering::{LINGER, Lingering};
use crate::logging::TCP;
use crate::reason::Reason;
use crate::sources::Source;
use crate::stream::{State, Stream, WriteSide};
use crate::world::{Readiness, StreamSocket};
use log::debug;
use std::io;

impl Context {
    /// No more in, no more out but what waits; then it ends for `reason`.
    pub(crate) fn close_because(&mut self, id: Id, reason: Reason) {
        if let Some(stream) = self.sources.stream_mut(id)
            && !stream.is_closing()
        {
            debug!(target: TCP, "{id} closing, {} bytes wait", stream.outbox.len());
            if let Some(reason) = stream.take_break() {
                return self.end(id, reason);
            }
            stream.state = State::Closing(reason);
            if stream.is_readable() {
                self.enlist(id);
            }
            self.flush(id);
        }
    }

    /// Ends a connection that has broken and from which nobody reads, so that no read will ever tell.
    pub(crate) fn end_if_broken(&mut self, id: Id) {
        let Some(stream) = self.sources.stream_mut(id).filter(|stream| stream.is_deaf()) else {
            return;
        };
        if let Some(reason) = stream.take_break() {
            self.end(id, reason);
        } else if stream.take_failed()
            && let Ok(Some(error)) = stream.socket.take_error()
        {
            self.end(id, error.into());
        }
    }

    /// All was sent and the connection may end.
    pub(super) fn finish(&mut self, id: Id) {
        let Some(stream) = self.sources.stream_mut(id) else {
            return;
        };
        let State::Closing(reason) = &mut stream.state else {
            return;
        };
        let reason = reason.take();
        let ended = match stream.write_side {
            WriteSide::Ended => Ok(()),
            WriteSide::Open | WriteSide::Ending => stream.socket.shutdown_write(),
        };
        stream.write_side = WriteSide::Ended;
        stream.lingers = ended.is_ok() && !stream.eof;
        let ended = ended.map_err(|error| broken_by_peer(&stream.socket, error));
        self.end(id, ended.err().unwrap_or(reason));
    }

    /// Ends a connection now, for `reason`. Its protocol is told after the running callback.
    pub(crate) fn end(&mut self, id: Id, reason: Reason) {
        let Some(stream) = self.sources.stream_mut(id) else {
            return;
        };
        if matches!(stream.state, State::Ended(_)) {
            return;
        }
        if (reason.is_abrupt() || !stream.outbox.is_empty())
            && let Err(error) = stream.socket.reset_on_close()
        {
            debug!(target: TCP, "{id} SO_LINGER: {error}");
        }
        stream.outbox.clear(&mut self.spares);
        stream.state = State::Ended(reason);
        self.notices.push_back(Notice::Lost(id));
    }

    /// Frees the slot of one that has ended. The socket of a connection that was closed in order,
    /// with a peer that may still be sending, lingers on.
    pub(crate) fn free(&mut self, id: Id) {
        match self.sources.get(id) {
            Some(Source::Stream(stream)) if stream.lingers => return self.linger(id),
            Some(Source::Lingering(lingering)) => _ = self.timers.cancel(lingering.timer),
            _ => {}
        }
        self.shut(id);
        self.sources.remove(id);
    }

    /// Closes a socket now, and keeps its slot. It is forgotten first (see [`World`](crate::world::World)).
    pub(super) fn shut(&mut self, id: Id) -> Option<Source> {
        let mut source = self.sources.replace(id, Source::Gone)?;
        if let Some(socket) = source.watched() {
            self.world.forget(socket);
        }
        Some(source)
    }

    fn linger(&mut self, id: Id) {
        let timer = self.schedule(LINGER, Job::LingerEnd(id));
        if let Some(Source::Stream(stream)) = self.sources.replace(id, Source::Gone) {
            let Stream { socket, readiness, heard, .. } = stream;
            let lingering = Lingering { socket, readiness, heard, timer };
            self.sources.replace(id, Source::Lingering(lingering));
            if readiness.has(Readiness::READABLE) {
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

    /// For how many sockets the end of a run has to wait, and how many bytes they have to send. One
    /// that lingers counts if its peer is still sending.
    pub(crate) fn unfinished(&self) -> (usize, usize) {
        let counts = |source: &Source| match source {
            Source::Lingering(lingering) => lingering.heard,
            _ => true,
        };
        let unfinished = self.sources.iter().filter(|(_, source)| counts(source));
        unfinished.fold((0, 0), |(sockets, bytes), (id, _)| {
            (sockets + 1, bytes + self.write_buffer_size(id))
        })
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

/// Ending our side can only fail because the connection is gone already: shutdown(2) says ENOTCONN
/// for each way of being gone. Which one it was, the socket knows, unless it has told before.
pub(super) fn broken_by_peer(socket: &StreamSocket, error: io::Error) -> Reason {
    match (socket.take_error(), error.kind()) {
        (Ok(Some(cause)), _) => cause.into(),
        (_, io::ErrorKind::NotConnected) => Reason::Reset,
        _ => error.into(),
    }
}
