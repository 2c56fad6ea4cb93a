//! What users implement. Floor 3.

use crate::api::context::Context;
use crate::api::transport::Transport;
#[cfg(unix)]
use crate::source::fd_passing::OwnedFd;
use crate::values::address::Address;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::logging::TCP;
use crate::values::reason::Reason;
use std::any::type_name;

/// One connection's behaviour: an object with a method for each thing that can happen to it.
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
/// connection_lost                            last, once
/// ```
///
/// - [`connection_lost`](Self::connection_lost) comes for every connection that was made, whatever
///   ends it: a close, a reset, a panic, the reactor's stop or its being dropped.
/// - After a [`close`](Transport::close) or [`abort`](Transport::abort) only it is still to come.
/// - No callback runs inside another one. What a callback asks for happens after it has returned.
/// - A panic in a callback ends this connection, with [`Reason::Panicked`] and a reset, whatever the
///   callback asked for before, and nothing else. For that the end of our data is sent when the callback
///   that asked for it has returned. A panic in `connection_lost` changes nothing. (Where
///   panics abort the process, `panic = "abort"`, they do.)
///
/// # Long work
///
/// While a callback runs, the whole reactor waits. A callback that takes longer than 100 ms ([configurable](crate::Reactor::set_slow_callback_duration)) is logged as slow. Let a thread do long work, and
/// answer through a [`Handle`](crate::Handle).
///
/// # Testing
///
/// With the testing kit of the crate `ropewalk-simulation` a test takes a few lines, and neither sockets
/// nor sleeping: see the [guide](crate::guide#6-time-and-a-test).
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
    /// The connection is there: it can be written to.
    #[doc(alias = "connectionMade")]
    fn connection_made(&mut self, transport: &mut Transport<'_>) {}

    /// The peer has sent `data`: at least one byte, in the order sent, and in whatever pieces the
    /// network has made of it. It is lent for this call.
    #[doc(alias = "dataReceived")]
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]);

    /// The peer has sent `data`, as for [`data_received`](Self::data_received), and passed
    /// `descriptors` with it: of a Unix socket for which
    /// [that was wanted](crate::ListenOptions::descriptors).
    ///
    /// They come in the order in which they were passed, never later than the bytes with which they
    /// were sent, and no byte sent after those is in `data`. Bytes sent before may be, so
    /// a protocol has to say in its own words where descriptors belong, or how many to expect. Whatever is not
    /// kept is closed when it is dropped; unless overridden this closes all of them, and hands `data` to
    /// `data_received`.
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

    /// The peer has passed descriptors that are lost: this process could have no more of them
    /// (`ulimit -n`). It comes just before the data with which they were sent, and what could be had
    /// of them. A [`detach`](Transport::detach) is refused until that data has been delivered.
    ///
    /// Unless overridden this aborts the connection, since from here on the two sides are not of one
    /// mind about which descriptor is which.
    #[cfg(unix)]
    #[doc(alias = "MSG_CTRUNC")]
    fn descriptors_lost(&mut self, transport: &mut Transport<'_>) {
        transport.abort();
    }

    /// The peer has ended its side: it sends nothing more, and may still read.
    ///
    /// Unless overridden this closes the connection, after what was written has been sent. One that
    /// does not close here stays open for writing until it does.
    #[doc(alias = "readConnectionLost")]
    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        transport.close();
    }

    /// The peer has ended its side while reading is [paused](Transport::pause). It may still read, or
    /// may have gone altogether, which looks the same until something is written to it.
    ///
    /// It comes at most once, and nothing is lost by it: data that is held back and
    /// [`eof_received`](Self::eof_received) come after a [`resume`](Transport::resume). A peer that
    /// resets the connection, or that the system has given up, ends it at once, paused or not.
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

    /// More than the high-water mark waits to be sent: the peer reads more slowly than you write.
    ///
    /// It comes after the callback in which that happened, not in the middle of it; a long loop of
    /// writes can ask for [`write_buffer_size`](Transport::write_buffer_size). What is written
    /// nevertheless is kept, up to the [limit](Transport::set_write_limit). It comes as well when more than
    /// 256 descriptors wait: see [`Transport::send_descriptors`].
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

    /// After [`pause_writing`](Self::pause_writing): queued data has fallen to the low-water mark, and at most 64 descriptors are queued.
    #[doc(alias = "resumeProducing")]
    fn resume_writing(&mut self, transport: &mut Transport<'_>) {}

    /// [`resume`](Transport::resume) was called after a pause. A protocol with received data that it has not processed yet continues here: no new data may arrive. It comes
    /// before any data that was held back, and before the peer's end.
    fn reading_resumed(&mut self, transport: &mut Transport<'_>) {}

    /// The connection has ended. `transport` still tells its id and peer; what is written is
    /// dropped.
    #[doc(alias = "connectionLost")]
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

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        (**self).connection_lost(transport, reason);
    }

    fn type_name(&self) -> &'static str {
        (**self).type_name()
    }
}

/// What makes the protocols: one for each connection of a listener, or for the one of a connector.
///
/// Every closure that returns a protocol is a factory, `|| Echo`; implement the trait where the
/// peer's address matters, to refuse clients, or to handle failed connection attempts.
///
/// ```
/// use ropewalk::{Address, Factory, Protocol, Transport};
///
/// struct Echo;
/// # impl Protocol for Echo {
/// #     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
/// #         transport.write(data);
/// #     }
/// # }
///
/// /// An echo for this machine only.
/// struct LocalEcho;
///
/// impl Factory for LocalEcho {
///     fn build(&mut self, peer: &Address) -> Option<Box<dyn Protocol>> {
///         peer.ip()?.is_loopback().then(|| Box::new(Echo) as Box<dyn Protocol>)
///     }
/// }
/// ```
#[allow(unused_variables)] // The names are the documentation.
pub trait Factory: 'static {
    /// A protocol for a new connection with `peer`; `None` refuses it, and it is closed.
    ///
    /// A panic here costs that connection, which is reset, and leaves the listener as it was. A factory that was given to
    /// [`connect_tcp`](Context::connect_tcp) or its kin is dropped after a refusal or a panic, without
    /// [`connection_failed`](Self::connection_failed): the connection was there.
    #[doc(alias = "buildProtocol")]
    fn build(&mut self, peer: &Address) -> Option<Box<dyn Protocol>>;

    /// Returns true if a connection with `peer` is to have its [filters](crate::Filter) begin their
    /// handshakes; if not, it is closed. It is called only for connections with filters, before
    /// [`build`](Self::build), which then receives the address that the filters know.
    fn accepts(&mut self, peer: &Address) -> bool {
        true
    }

    /// The handshake of the [filters](crate::Filter) of an accepted connection has failed: there will be no
    /// protocol. The default logs `error`, which says on which address, and why.
    fn handshake_failed(&mut self, context: &mut Context, peer: &Address, error: Error) {
        log::info!(target: TCP, "{error}");
    }

    /// The attempt to connect, which [`connect_tcp`](Context::connect_tcp) began and named `id`, has
    /// failed: no connection is made of it. `error` says on which address, and why.
    #[doc(alias = "clientConnectionFailed")]
    fn connection_failed(&mut self, context: &mut Context, id: Id, error: Error) {}

    /// Returns the name of this type, for the logs and for [`Backend::called`](crate::backend::Backend::called). A
    /// wrapper returns the name of the wrapped object.
    fn type_name(&self) -> &'static str {
        type_name::<Self>()
    }
}

impl<F, P> Factory for F
where
    F: FnMut() -> P + 'static,
    P: Protocol,
{
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(self()))
    }
}
