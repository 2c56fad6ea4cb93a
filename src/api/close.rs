//! Closing, aborting and freeing of sockets.

use crate::api::context::{Context, Pending, Stop};
use crate::api::timer::Job;
use crate::api::trigger::Run;
use crate::source::retention::give_back_beyond;
use crate::source::stream::{Life, Stream, WriteSide};
use crate::source::table::Source;
use crate::sys::{SocketBackend, StreamBackend, StreamSocket};
use crate::values::id::Id;
use crate::values::journal::{CallOutcome, RecordKind, SystemCall};
use crate::values::logging::{REACTOR, TCP};
use crate::values::reason::Reason;
use log::debug;
use std::io;
use std::time::Duration;

/// How long a connection may make no progress while it or our side of it is closing: its peer takes no queued
/// data, or its producer writes none. A slow reader of a long answer makes progress all the time. nginx's
/// `send_timeout` is as long, and also counts from the last progress.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(60);

impl Context {
    /// Stops delivery and sends queued data; then the connection ends for `reason`.
    pub(crate) fn close_because(&mut self, id: Id, reason: Reason) {
        let Some(stream) = self.sources.stream_mut(id) else {
            return;
        };
        if stream.in_handshake() {
            return self.end(id, reason);
        }
        if let (Life::Finishing(_), Reason::Stopped) = (&stream.life, &reason) {
            stream.life = Life::Closing(reason);
            return self.flush(id);
        }
        if !stream.is_closing() {
            debug!(target: TCP, "{id} closing, {} bytes queued", stream.output.queued());
            self.journal.note(id, RecordKind::Closing, 0, stream.output.queued());
            if let Some(reason) = stream.take_break() {
                return self.end(id, reason);
            }
            // A stop does not wait for a producer, which may go on for ever: see `finish`.
            let produces = stream.output.has_producer();
            stream.life = if produces && !matches!(reason, Reason::Stopped) {
                Life::Finishing(reason)
            } else {
                Life::Closing(reason)
            };
            if stream.is_readable() {
                self.enqueue(id);
            }
            self.flush(id);
            self.watch_progress(id);
        }
    }

    /// If queued data or a producer has to finish before a connection ends, or our side of it does,
    /// schedules a check of the progress.
    pub(super) fn watch_progress(&mut self, id: Id) {
        if let Some(stream) = self.sources.stream(id).filter(|stream| stream.is_ending()) {
            let job = Job::CloseProgress(id, stream.traffic.sent);
            self.schedule_owned(id, CLOSE_TIMEOUT, job);
        }
    }

    /// Ends a connection that waits to end and has sent no more than the `sent` bytes of the last check.
    /// Bytes that the kernel sends from a file count.
    pub(crate) fn check_progress(&mut self, id: Id, sent: u64) {
        match self.sources.stream(id) {
            Some(stream) if stream.traffic.sent == sent && stream.is_ending() => self.give_up(id),
            _ => self.watch_progress(id),
        }
    }

    /// Ends a connection that waits to end now. A connection that was closed by a stop ends with
    /// [`Reason::Stopped`], since its protocol has not requested the end.
    pub(crate) fn give_up(&mut self, id: Id) {
        match self.sources.stream(id) {
            Some(Stream { life: Life::Closing(Reason::Stopped), .. }) => {
                self.end(id, Reason::Stopped);
            }
            Some(stream) if stream.is_ending() => self.end(id, Reason::CloseTimeout),
            _ => {}
        }
    }

    /// Ends a broken connection with disabled reads, since no read would report the error.
    pub(crate) fn end_if_broken(&mut self, id: Id) {
        let Some(stream) = self.sources.stream_mut(id).filter(|stream| stream.reads_disabled())
        else {
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

    /// Ends a closing connection, after all queued data was sent. If a stop has interrupted a producer, the
    /// connection is reset, so that the peer does not take a part of the data for the whole.
    pub(super) fn finish(&mut self, id: Id) {
        let Self { sources, journal, .. } = self;
        let Some(stream) = sources.stream_mut(id) else {
            return;
        };
        let Life::Closing(reason) = &mut stream.life else {
            return;
        };
        let reason = reason.take();
        if stream.output.has_producer() {
            return self.end(id, reason);
        }
        let ended = match stream.output.write_side {
            WriteSide::Absent | WriteSide::Ended => Ok(()),
            WriteSide::Open | WriteSide::Ending => {
                let ended = stream.socket.shutdown_write();
                journal.system(id, SystemCall::Shutdown, CallOutcome::of(&ended));
                ended
            }
        };
        stream.output.write_side = WriteSide::Ended;
        let lingers = ended.is_ok() && !stream.socket_has_ended() && stream.socket.lingers();
        let ended = ended.map_err(|error| broken_by_peer(&stream.socket, error));
        self.end_with(id, ended.err().unwrap_or(reason), lingers);
    }

    /// Ends a connection now, for `reason`. Its protocol is notified after the running callback.
    pub(crate) fn end(&mut self, id: Id, reason: Reason) {
        self.end_with(id, reason, false);
    }

    fn end_with(&mut self, id: Id, reason: Reason, lingers: bool) {
        let Some(stream) = self.sources.stream_mut(id) else {
            return;
        };
        if matches!(stream.life, Life::Ended { .. }) {
            return;
        }
        // A filter that failed may have sent an alert. A reset could destroy it.
        if !lingers && (reason.is_abrupt() || stream.output.is_unfinished()) {
            reset_on_close(id, &stream.socket);
        }
        let timer = stream.filtered_mut().and_then(|filtered| filtered.timer.take());
        stream.output.clear(&mut self.spares);
        stream.life = Life::Ended { reason, lingers };
        if let Some(timer) = timer {
            self.timers.cancel(timer);
        }
        self.pending.push_back(Pending::Lost(id));
    }

    /// Ends a connection of which a callback has panicked, with [`Reason::Panicked`] and a reset, whatever the
    /// callback requested before.
    #[cold]
    pub(crate) fn end_of_panic(&mut self, id: Id) {
        self.drop_gathered();
        self.end(id, Reason::Panicked);
        // If the callback has ended the connection, its protocol has not been notified yet.
        if let Some(stream) = self.sources.stream_mut(id)
            && let Life::Ended { reason, lingers } = &mut stream.life
        {
            (*reason, *lingers) = (Reason::Panicked, false);
            reset_on_close(id, &stream.socket);
        }
    }

    /// Frees the slot of a source that has ended. If the connection was closed gracefully and the peer may
    /// still be sending, its socket lingers.
    pub(crate) fn free(&mut self, id: Id) {
        self.add_to_totals(id);
        self.cancel_owned_timers(id, None);
        self.leave_listener(id);
        match self.sources.get(id) {
            Some(Source::Stream(Stream { life: Life::Ended { lingers: true, .. }, .. })) => {
                return self.linger(id);
            }
            Some(Source::Lingering(lingering)) => _ = self.timers.cancel(lingering.timer),
            _ => {}
        }
        self.shut(id);
        self.journal.note(id, RecordKind::Freed, 0, 0);
        self.sources.remove(id);
        self.give_memory_back();
    }

    /// Frees the memory that the remaining sockets cannot use.
    fn give_memory_back(&mut self) {
        let left = self.sources.len();
        self.spares.shrink_to(left);
        give_back_beyond(&mut self.ready, left);
        give_back_beyond(&mut self.unflushed, left);
        give_back_beyond(&mut self.pending, left);
        give_back_beyond(&mut self.held, left);
    }

    /// Closes a socket now, and keeps its slot. It is deregistered first.
    pub(super) fn shut(&mut self, id: Id) -> Option<Source> {
        let mut source = self.sources.replace(id, Source::Gone)?;
        if let Some(socket) = source.socket() {
            deregister(socket);
        }
        Some(source)
    }

    /// Returns an error once a stop closes all sockets, when no more are opened.
    pub(super) fn check_may_open(&self) -> io::Result<()> {
        match self.triggers.run == Run::Ending || self.stops_at_once() {
            true => Err(io::Error::other("the reactor is stopping")),
            false => Ok(()),
        }
    }

    /// Begins the end of a run: listeners close, and connections finish. If it `asks`, the protocols decide
    /// whether their connections stay open.
    pub(crate) fn begin_stop(&mut self, asks: bool) {
        let stopped = || io::Error::other("the reactor stopped");
        for id in self.all() {
            match self.sources.get(id) {
                Some(Source::Connector(_)) => self.fail_connector(id, stopped()),
                Some(Source::Datagram(_)) => self.close_datagram(id),
                Some(Source::Listener(_)) => self.close_listener(id),
                Some(Source::LookUp(_)) => self.end_look_up(id, Err(stopped())),
                Some(Source::Stream(stream)) if asks && stream.may_drain() => {
                    self.pending.push_back(Pending::Drain(id));
                }
                Some(Source::Stream(_)) => self.close_because(id, Reason::Stopped),
                #[cfg(all(unix, feature = "process"))]
                Some(Source::Process(_)) => self.stop_process(id, asks),
                #[cfg(unix)]
                Some(Source::Watch(_)) => self.end_watch(id, Reason::Stopped),
                Some(Source::DetachedSlot(_) | Source::Gone | Source::Lingering(_)) | None => {}
            }
        }
    }

    /// Ends the connections that have not finished.
    pub(crate) fn abort_all(&mut self) {
        self.begin_stop(false);
        for id in self.all() {
            match self.sources.get(id) {
                Some(Source::Stream(_)) => self.end(id, Reason::Stopped),
                Some(Source::Lingering(_)) => self.free(id),
                _ => {}
            }
        }
    }

    /// Returns the number of sockets that the end of a run has to wait for, and the number of their queued
    /// bytes. A lingering socket counts if its peer is still sending.
    pub(crate) fn unfinished(&self) -> (usize, usize) {
        let counts = |source: &Source| match source {
            Source::Lingering(lingering) => lingering.received_after_close,
            _ => true,
        };
        let unfinished = self.sources.iter().filter(|(_, source)| counts(source));
        unfinished.fold((0, 0), |(sockets, bytes), (id, _)| (sockets + 1, bytes + self.queued(id)))
    }

    /// Ends the run without waiting for peers.
    #[cfg(feature = "signals")]
    pub(crate) fn stop_at_once(&mut self) {
        self.stop = Stop::AtOnce;
    }

    /// Returns true if the stop does not wait for peers.
    pub(crate) fn stops_at_once(&self) -> bool {
        self.stop == Stop::AtOnce
    }

    fn all(&self) -> Vec<Id> {
        self.sources.iter().map(|(id, _)| id).collect()
    }
}

/// Stops the events of a socket that is about to be closed.
pub(crate) fn deregister(socket: &mut dyn SocketBackend) {
    if let Err(error) = socket.deregister() {
        debug!(target: REACTOR, "deregistering a socket: {error}");
    }
}

/// Has the closing of a socket reset the connection.
pub(crate) fn reset_on_close(id: Id, socket: &StreamSocket) {
    if let Err(error) = socket.reset_on_close() {
        debug!(target: TCP, "{id} SO_LINGER: {error}");
    }
}

/// Returns why our side of a connection could not be ended. shutdown(2) fails only if the connection has
/// ended, with ENOTCONN in each case. The cause is the error of the socket, if it was not read before.
pub(super) fn broken_by_peer(socket: &StreamSocket, error: io::Error) -> Reason {
    match (socket.take_error(), error.kind()) {
        (Ok(Some(cause)), _) => cause.into(),
        (_, io::ErrorKind::NotConnected) => Reason::Reset,
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Protocol, Reactor, Reason, Transport};
    use std::cell::RefCell;
    use std::net::TcpStream;
    use std::rc::Rc;

    /// Writes more than the system accepts, and closes.
    struct Talker(Rc<RefCell<Vec<Reason>>>);

    impl Protocol for Talker {
        fn connection_made(&mut self, transport: &mut Transport<'_>) {
            transport.write(&vec![b'x'; 8_000_000]);
            transport.close();
        }

        fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

        fn connection_lost(&mut self, _transport: &mut Transport<'_>, reason: Reason) {
            self.0.borrow_mut().push(reason);
        }
    }

    #[test]
    fn close_times_out_if_peer_takes_nothing() {
        let reasons = Rc::new(RefCell::new(Vec::new()));
        let theirs = Rc::clone(&reasons);
        let mut reactor = Reactor::new().unwrap();
        let factory = move || Talker(Rc::clone(&theirs));
        let port = reactor.listen_tcp("127.0.0.1:0", factory).unwrap();
        let _client = TcpStream::connect(port.address()).unwrap();
        while reactor.context().timers.len() == 0 {
            reactor.turn(None).unwrap();
        }
        let context = reactor.context();
        let id = context.connections().next().unwrap();
        let sent = context.sources.stream(id).unwrap().traffic.sent;
        context.check_progress(id, sent - 1);
        assert!(context.pending.is_empty(), "the peer has taken data since");
        context.check_progress(id, sent);
        reactor.turn(None).unwrap();
        assert!(matches!(reasons.borrow()[..], [Reason::CloseTimeout]), "{reasons:?}");
    }
}
