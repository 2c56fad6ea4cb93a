//! The trait `Protocol`, which users implement.

use crate::api::transport::Transport;
#[cfg(unix)]
use crate::source::fd_passing::OwnedFd;
use crate::source::timer::TimerId;
use crate::values::reason::Reason;
use std::any::type_name;

/// The behaviour of one connection: an object with a method for each event.
///
/// # The order of callbacks
///
/// ```text
/// connection_made                            first, once
///   data_received                            any number of times, until
///   descriptors_received                     instead, if descriptors came with the data
///   eof_received                             at most once; no data after it
///   eof_noticed                              before it, while reading is paused
///   reading_resumed                          after each resume that follows a pause
///   pause_writing, resume_writing            in turns, beginning with a pause
///   timer_fired                              once for each timer that is not cancelled
///   draining                                 at most once, when the run stops
/// connection_lost                            last, once
/// ```
///
/// - [`connection_lost`](Self::connection_lost) is called for every established connection, whatever ends
///   it: a close, a reset, a panic, the stop or the drop of the reactor; but not after
///   [`Reactor::abandon`](crate::Reactor::abandon).
/// - After a [`close`](Transport::close) or [`abort`](Transport::abort) only `connection_lost` follows.
/// - No callback runs inside another one. Requests take effect after the callback has returned.
/// - A panic in a callback resets this connection, with [`Reason::Panicked`], and affects nothing else.
///   Therefore the end of our data is sent after the callback has returned. A panic in `connection_lost`
///   changes nothing. With `panic = "abort"` a panic ends the process.
///
/// # Long work
///
/// While a callback runs, the whole reactor waits. A callback that takes longer than 100 ms
/// ([configurable](crate::Reactor::set_slow_callback_duration)) is logged as slow. Let a thread do long
/// work, and answer through a [`Handle`](crate::Handle).
///
/// # Testing
///
/// With the testing kit of the crate `ropewalk-simulation` a test takes a few lines, without sockets and
/// sleeping: see the [guide](crate::guide#6-time-and-a-test).
///
/// ```
/// use ropewalk::{Protocol, Transport};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let mut connection = ropewalk_simulation::kit::TestConnection::new(|| Echo);
/// connection.feed("hello");
/// assert_eq!(connection.take_text(), "hello");
/// ```
#[allow(unused_variables)] // The names are the documentation.
pub trait Protocol: 'static {
    /// The connection is established and can be written to.
    #[doc(alias = "connectionMade")]
    fn connection_made(&mut self, transport: &mut Transport<'_>) {}

    /// The peer has sent `data`: at least one byte, in order, in pieces of any size. `data` is valid during
    /// the call.
    #[doc(alias = "dataReceived")]
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]);

    /// The peer has sent `data` and passed `descriptors` with it. This is called in place of
    /// [`data_received`](Self::data_received) on Unix sockets that [accept
    /// descriptors](crate::ListenOptions::descriptors).
    ///
    /// Descriptors arrive in the order in which they were passed, not later than the bytes with which they
    /// were sent, and no later byte is in `data`. Earlier bytes may be in `data`, so the protocol itself
    /// must say where descriptors belong, or how many to expect. A descriptor is closed when it is dropped.
    /// Default: closes all descriptors, and calls `data_received`.
    ///
    /// ```
    /// use ropewalk::{Protocol, Transport};
    /// use std::{fs::File, io::Write, os::fd::OwnedFd};
    ///
    /// /// Appends received data to the latest passed file.
    /// struct Scribe(Option<File>);
    ///
    /// impl Protocol for Scribe {
    ///     fn descriptors_received(
    ///         &mut self,
    ///         transport: &mut Transport<'_>,
    ///         data: &[u8],
    ///         descriptors: Vec<OwnedFd>,
    ///     ) {
    ///         self.0 = descriptors.into_iter().last().map(File::from);
    ///         self.data_received(transport, data);
    ///     }
    ///
    ///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
    ///         let written = self.0.as_mut().is_some_and(|file| file.write_all(data).is_ok());
    ///         if !written {
    ///             transport.abort();
    ///         }
    ///     }
    /// }
    /// ```
    #[cfg(unix)]
    #[doc(alias = "fileDescriptorReceived")]
    #[doc(alias = "SCM_RIGHTS")]
    fn descriptors_received(
        &mut self,
        transport: &mut Transport<'_>,
        data: &[u8],
        descriptors: Vec<OwnedFd>,
    ) {
        drop(descriptors);
        self.data_received(transport, data);
    }

    /// Descriptors of the peer were lost, since this process has reached its limit (`ulimit -n`). This is
    /// called just before the data with which they were sent, and before the descriptors that did arrive. A
    /// [`detach`](Transport::detach) is refused until that data has been delivered.
    ///
    /// Default: aborts the connection, since the two sides no longer agree on the descriptors.
    #[cfg(unix)]
    #[doc(alias = "MSG_CTRUNC")]
    fn descriptors_lost(&mut self, transport: &mut Transport<'_>) {
        transport.abort();
    }

    /// The peer has ended its side: it sends nothing more, and may still read.
    ///
    /// Default: closes the connection after queued data has been sent. A protocol that overrides this keeps
    /// the connection open for writing until it closes it.
    #[doc(alias = "readConnectionLost")]
    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        transport.close();
    }

    /// The peer has ended its side while reading is [paused](Transport::pause). It may still read, or it
    /// may have disconnected: a write is needed to tell.
    ///
    /// This is called at most once, and loses nothing: data that is held back and
    /// [`eof_received`](Self::eof_received) follow after a [`resume`](Transport::resume). A reset by the
    /// peer, or a timeout of the system, ends the connection at once, paused or not.
    ///
    /// ```
    /// use ropewalk::{Protocol, Transport};
    ///
    /// /// Does long work for a request, and cancels it when the client has left.
    /// struct Worker;
    ///
    /// impl Protocol for Worker {
    ///     fn data_received(&mut self, transport: &mut Transport<'_>, _request: &[u8]) {
    ///         transport.pause(); // one request at a time
    ///     }
    ///
    ///     fn eof_noticed(&mut self, transport: &mut Transport<'_>) {
    ///         transport.abort();
    ///     }
    /// }
    /// ```
    fn eof_noticed(&mut self, transport: &mut Transport<'_>) {}

    /// More data is queued than the high-water mark: the peer reads more slowly than data is written.
    ///
    /// This is called after the callback that caused it, not in the middle of it; a long loop of writes can
    /// check [`write_buffer_size`](Transport::write_buffer_size). Later writes are still queued, up to the
    /// [limit](Transport::set_write_limit). It is also called when more than 256 descriptors are queued:
    /// see [`Transport::send_descriptors`].
    ///
    /// ```
    /// use ropewalk::{Protocol, Transport};
    ///
    /// /// An echo that reads no more from a peer that does not read.
    /// struct PatientEcho;
    ///
    /// impl Protocol for PatientEcho {
    ///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
    ///         transport.write(data);
    ///     }
    ///
    ///     fn pause_writing(&mut self, transport: &mut Transport<'_>) {
    ///         transport.pause();
    ///     }
    ///
    ///     fn resume_writing(&mut self, transport: &mut Transport<'_>) {
    ///         transport.resume();
    ///     }
    /// }
    /// ```
    #[doc(alias = "pauseProducing")]
    fn pause_writing(&mut self, transport: &mut Transport<'_>) {}

    /// Called after [`pause_writing`](Self::pause_writing), when queued data has fallen to the low-water
    /// mark and at most 64 descriptors are queued.
    #[doc(alias = "resumeProducing")]
    fn resume_writing(&mut self, transport: &mut Transport<'_>) {}

    /// Called after [`resume`](Transport::resume) has ended a pause. A protocol with received data that it
    /// has not processed yet continues here: no new data may arrive. It is called before any data that was
    /// held back, and before the peer's end.
    fn reading_resumed(&mut self, transport: &mut Transport<'_>) {}

    /// A timer of this protocol, which [`Transport::set_timer`] has set, has fired.
    fn timer_fired(&mut self, transport: &mut Transport<'_>, timer: TimerId) {}

    /// The run is stopping: see [`Reactor::run`](crate::Reactor::run). A protocol that is in the middle of
    /// something returns true: its connection stays open, and data is still delivered, until the protocol closes
    /// it. What is open when the [grace period](crate::Reactor::set_grace) ends, or at a second signal, ends with
    /// [`Reason::Stopped`].
    ///
    /// Default: false, which closes the connection for [`Reason::Stopped`] after queued data has been sent. An idle
    /// connection should not delay a stop. This is called at most once in a run, for connections that are not
    /// closing; not if the poll has failed, nor if the reactor is dropped.
    ///
    /// ```
    /// use ropewalk::{Protocol, Transport};
    ///
    /// /// Receives messages that end in a dot, and finishes the last one when the server stops.
    /// struct Upload {
    ///     in_message: bool,
    /// }
    ///
    /// impl Protocol for Upload {
    ///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
    ///         self.in_message = !data.ends_with(b"\n.\n");
    ///         if !self.in_message && transport.context().is_stopping() {
    ///             transport.close();
    ///         }
    ///     }
    ///
    ///     fn draining(&mut self, _transport: &mut Transport<'_>) -> bool {
    ///         self.in_message
    ///     }
    /// }
    /// ```
    fn draining(&mut self, transport: &mut Transport<'_>) -> bool {
        false
    }

    /// The connection has ended. `transport` still has its id and peer; writes are dropped.
    #[doc(alias = "connectionLost")]
    #[doc(alias = "clientConnectionLost")]
    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {}

    /// Returns the name of this type, for the logs and for [`Backend::called`](crate::backend::Backend::called). A
    /// wrapper returns the name of the wrapped object.
    fn type_name(&self) -> &'static str {
        type_name::<Self>()
    }
}

impl<P: Protocol + ?Sized> Protocol for Box<P> {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        (**self).connection_made(transport);
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        (**self).data_received(transport, data);
    }

    #[cfg(unix)]
    fn descriptors_received(
        &mut self,
        transport: &mut Transport<'_>,
        data: &[u8],
        descriptors: Vec<OwnedFd>,
    ) {
        (**self).descriptors_received(transport, data, descriptors);
    }

    #[cfg(unix)]
    fn descriptors_lost(&mut self, transport: &mut Transport<'_>) {
        (**self).descriptors_lost(transport);
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        (**self).eof_received(transport);
    }

    fn eof_noticed(&mut self, transport: &mut Transport<'_>) {
        (**self).eof_noticed(transport);
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        (**self).pause_writing(transport);
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        (**self).resume_writing(transport);
    }

    fn reading_resumed(&mut self, transport: &mut Transport<'_>) {
        (**self).reading_resumed(transport);
    }

    fn timer_fired(&mut self, transport: &mut Transport<'_>, timer: TimerId) {
        (**self).timer_fired(transport, timer);
    }

    fn draining(&mut self, transport: &mut Transport<'_>) -> bool {
        (**self).draining(transport)
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        (**self).connection_lost(transport, reason);
    }

    fn type_name(&self) -> &'static str {
        (**self).type_name()
    }
}
