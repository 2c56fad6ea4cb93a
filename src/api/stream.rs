//! What may be asked of connections, by id.

use crate::api::context::Context;
use crate::api::timer::Job;
use crate::source::stream::{Limits, Reading, WriteSide};
use crate::source::table::Source;
use crate::values::address::Address;
use crate::values::id::Id;
use crate::values::reason::Reason;
use crate::values::slow_reader::SlowReader;
use std::io;
use std::time::Duration;

/// # Connections
///
/// Each of these does nothing, or answers as though there were nothing, when the connection is gone.
///
/// ```
/// use ropewalk::{Context, Id};
///
/// /// Asks everybody to leave but one.
/// fn leave_alone(context: &mut Context, stays: Id) {
///     let others: Vec<Id> = context.connections().filter(|&id| id != stays).collect();
///     for id in others {
///         context.write(id, b"We are closing.\r\n");
///         context.close(id); // once that is sent
///         assert!(context.is_closing(id));
///     }
/// }
/// # use ropewalk::{Error, Protocol, Reactor, Transport};
/// # use std::{io::Read, net::TcpStream};
/// # struct Quiet;
/// # impl Protocol for Quiet {
/// #     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
/// # }
/// # let mut reactor = Reactor::new()?;
/// # let port = reactor.listen_tcp("127.0.0.1:0", || Quiet)?;
/// # let mut clients = [0; 3].map(|_| TcpStream::connect(port.address()).unwrap());
/// # while reactor.context().connections().count() < 3 {
/// #     reactor.turn(None)?;
/// # }
/// # let stays = reactor.context().connections().next().unwrap();
/// # leave_alone(reactor.context(), stays);
/// # while reactor.context().connections().count() > 1 {
/// #     reactor.turn(None)?;
/// # }
/// # assert_eq!(reactor.context().connections().next(), Some(stays));
/// # Ok::<(), Error>(())
/// ```
impl Context {
    /// Sends `data` after all that was written before. It is sent when the turn ends, together with
    /// what else is written until then; a long piece may be sent at once.
    ///
    /// What is written after [`close`](Self::close), [`abort`](Self::abort) or
    /// [`write_eof`](Self::write_eof) is dropped. A write that finds more waiting than the
    /// [limit](Self::set_write_limit) ends the connection with
    /// [`Reason::WriteLimit`].
    ///
    /// In a callback of the connection itself, [`Transport::write`](crate::Transport::write) is
    /// shorter to write, and sends earlier.
    pub fn write(&mut self, id: Id, data: &[u8]) {
        self.push(id, data);
        self.flush_later(id);
    }

    /// Ends our side once all that was written has been sent; the peer sees the end of the data,
    /// and may go on sending. The connection ends when both sides have.
    #[doc(alias = "loseWriteConnection")]
    pub fn write_eof(&mut self, id: Id) {
        match self.sources.get_mut(id) {
            Some(Source::Stream(stream)) if stream.is_whole() => {
                stream.output.write_side = WriteSide::Ending;
                self.flush(id);
                self.watch_progress(id);
            }
            Some(Source::Connector(connector)) => connector.output.write_side = WriteSide::Ending,
            _ => {}
        }
    }

    /// Ends a connection once all that was written has been sent. No more data is delivered, and
    /// what is written after this is dropped.
    ///
    /// If nothing is sent for 60 seconds although data is queued or a producer is registered, the
    /// connection ends with
    /// [`Reason::CloseTimeout`]. For other times there is [`close_within`](Self::close_within).
    ///
    /// Given the id of a listener, it stops listening, at once; its connections stay. A socket for
    /// datagrams gives what waits a last try, and is closed at once, too. Given the id
    /// of a connection that is not there yet, it gives the attempt up; of a watch, it ends it.
    #[doc(alias = "loseConnection")]
    #[doc(alias = "stopListening")]
    #[doc(alias = "stopConnecting")]
    pub fn close(&mut self, id: Id) {
        match self.sources.get_mut(id) {
            Some(Source::Stream(stream)) => {
                let first = stream.input.peer_was_first();
                let reason = if first { Reason::ClosedByPeer } else { Reason::Closed };
                self.close_because(id, reason);
            }
            Some(Source::Datagram(_)) => self.close_datagram(id),
            Some(Source::Listener(_)) => self.close_listener(id),
            Some(Source::Connector(_)) => self.fail_connector(id, given_up()),
            #[cfg(unix)]
            Some(Source::Watch(_)) => self.end_watch(id, Reason::Closed),
            Some(Source::DetachedSlot(_) | Source::Gone | Source::Lingering(_)) | None => {}
        }
    }

    /// [`close`](Self::close), and if what was written has not been sent after `timeout`, the
    /// connection ends with [`Reason::CloseTimeout`], however much the peer has taken by then.
    pub fn close_within(&mut self, id: Id, timeout: Duration) {
        self.close(id);
        if self.sources.stream(id).is_some() {
            self.schedule(timeout, Job::CloseDeadline(id));
        }
    }

    /// Ends a connection at once: what waits to be sent is dropped, and the peer is sent a reset
    /// (RST), so that it cannot take what it got for the whole. A listener or an attempt to connect
    /// is ended as by [`close`](Self::close).
    ///
    /// Like all requests it calls nobody: `connection_lost` comes after this callback.
    #[doc(alias = "abortConnection")]
    pub fn abort(&mut self, id: Id) {
        match self.sources.get(id) {
            Some(Source::Stream(_)) => self.end(id, Reason::Aborted),
            _ => self.close(id),
        }
    }

    /// Whether a connection is gone, or is going: it takes no more writes and delivers no more data.
    pub fn is_closing(&self, id: Id) -> bool {
        match self.sources.get(id) {
            Some(Source::Stream(stream)) => stream.is_closing(),
            Some(Source::Datagram(datagram)) => datagram.socket.is_none(),
            Some(Source::Connector(_) | Source::Listener(_)) => false,
            #[cfg(unix)]
            Some(Source::Watch(_)) => false,
            Some(Source::DetachedSlot(_) | Source::Gone | Source::Lingering(_)) | None => true,
        }
    }

    /// Stops delivering data, until [`resume`](Self::resume). The system takes some more from the
    /// peer, then the peer has to wait. A peer that resets the connection is noticed all the same.
    #[doc(alias = "pause_reading")]
    #[doc(alias = "pauseProducing")]
    pub fn pause(&mut self, id: Id) {
        match self.sources.get_mut(id) {
            Some(Source::Stream(stream)) => {
                stream.input.reading = Reading::Paused;
                if stream.has_unnoticed_eof() {
                    self.enqueue(id);
                }
                self.end_if_broken(id);
            }
            Some(Source::Connector(connector)) => connector.paused = true,
            _ => {}
        }
    }

    /// Delivers data again after [`pause`](Self::pause), and tells the protocol so by
    /// [`reading_resumed`](crate::Protocol::reading_resumed).
    #[doc(alias = "resume_reading")]
    #[doc(alias = "resumeProducing")]
    pub fn resume(&mut self, id: Id) {
        match self.sources.get_mut(id) {
            Some(Source::Stream(stream)) if stream.input.reading == Reading::Paused => {
                stream.input.reading = Reading::Resumed;
                self.enqueue(id);
            }
            Some(Source::Connector(connector)) => connector.paused = false,
            _ => {}
        }
    }

    /// Whether data is being held back by [`pause`](Self::pause).
    pub fn is_paused(&self, id: Id) -> bool {
        match self.sources.get(id) {
            Some(Source::Stream(stream)) => stream.input.reading == Reading::Paused,
            Some(Source::Connector(connector)) => connector.paused,
            _ => false,
        }
    }

    /// How many bytes wait to be sent: written, and not yet taken by the system.
    #[doc(alias = "get_write_buffer_size")]
    pub fn write_buffer_size(&self, id: Id) -> usize {
        match self.sources.get(id) {
            Some(Source::Stream(stream)) => stream.output.queued(),
            Some(Source::Connector(connector)) => connector.output.queued(),
            Some(Source::Datagram(datagram)) => datagram.queued_bytes(),
            _ => 0,
        }
    }

    /// Sets the marks on what waits to be sent, in bytes: above `high` the protocol hears
    /// [`pause_writing`](crate::Protocol::pause_writing), then at `low` or below
    /// [`resume_writing`](crate::Protocol::resume_writing). Unless set they are at 64 KiB and
    /// 16 KiB. A `low` above `high` counts as `high`. Descriptors that wait have marks of their own, which
    /// are fixed.
    #[doc(alias = "bufferSize")]
    pub fn set_write_buffer_limits(&mut self, id: Id, high: usize, low: usize) {
        if let Some(limits) = self.limits_mut(id) {
            limits.set_marks(high, low);
            self.check_marks(id);
        }
    }

    /// Sets how many bytes may wait when more is written: 64 MiB unless set. A write that finds more
    /// ends the connection with [`Reason::WriteLimit`], so that a peer
    /// who never reads cannot take the memory.
    pub fn set_write_limit(&mut self, id: Id, bytes: usize) {
        if let Some(limits) = self.limits_mut(id) {
            limits.set_write_limit(bytes);
        }
    }

    /// Sets what to do if the peer reads too slowly. What waits already and may be dropped by what is
    /// set now, is not, except that no more than the new bound waits once something is written.
    pub fn set_slow_reader(&mut self, id: Id, slow_reader: SlowReader) {
        match self.sources.get_mut(id) {
            Some(Source::Stream(stream)) => {
                let running = self.running == Some(id);
                stream.set_slow_reader(slow_reader, running, &mut self.spares);
                self.check_marks(id);
            }
            Some(Source::Connector(connector)) => {
                connector.set_slow_reader(slow_reader, &mut self.spares);
            }
            _ => {}
        }
    }

    pub(super) fn limits_mut(&mut self, id: Id) -> Option<&mut Limits> {
        match self.sources.get_mut(id)? {
            Source::Stream(stream) => Some(&mut stream.output.limits),
            Source::Connector(connector) => Some(&mut connector.output.limits),
            _ => None,
        }
    }

    /// The address of our end, of a connection, a listener or a socket for datagrams.
    #[doc(alias = "getHost")]
    pub fn local_address(&self, id: Id) -> Option<Address> {
        match self.sources.get(id)? {
            Source::Datagram(datagram) => Some(datagram.address.clone()),
            Source::Listener(listener) => Some(listener.address.clone()),
            Source::Stream(stream) => stream.socket.local_address().ok(),
            _ => None,
        }
    }

    /// The address of the peer's end of a connection, or that with which a socket for datagrams is
    /// connected.
    #[doc(alias = "getPeer")]
    pub fn peer(&self, id: Id) -> Option<Address> {
        match self.sources.get(id)? {
            Source::Datagram(datagram) => datagram.peer.clone(),
            Source::DetachedSlot(departed) => Some(departed.peer.clone()),
            Source::Stream(stream) => Some(stream.peer.clone()),
            _ => None,
        }
    }

    /// The ids of all connections that are there, in no particular order.
    ///
    /// ```
    /// # let mut reactor = ropewalk::Reactor::new()?;
    /// # let context = reactor.context();
    /// let waiting: usize = context.connections().map(|id| context.write_buffer_size(id)).sum();
    /// assert_eq!(waiting, 0);
    /// # Ok::<(), ropewalk::Error>(())
    /// ```
    pub fn connections(&self) -> impl Iterator<Item = Id> {
        let streams = self.sources.iter().filter(|(_, source)| matches!(source, Source::Stream(_)));
        streams.map(|(id, _)| id)
    }
}

fn given_up() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the attempt was given up")
}
