//! One connection's face on the context. Floor 2.

use crate::api::context::Context;
use crate::api::producer::Producer;
#[cfg(unix)]
use crate::source::detach::Detached;
#[cfg(unix)]
use crate::source::fd_passing::OwnedFd;
use crate::values::address::Address;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::values::credentials::Credentials;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::slow_reader::SlowReader;
use crate::values::socket_option::SocketOption;
use crate::values::statistics::ConnectionCounts;
use std::fmt::{self, Write};
use std::time::Duration;

/// A connection, as its own protocol sees it during a callback.
///
/// All requests are thrown over the wall: they return nothing and never fail. What comes of them
/// comes as a callback.
///
/// Everything beyond its own connection a protocol reaches through [`context`](Self::context):
/// other connections by their [`Id`], timers, listeners.
///
/// ```
/// use ropewalk::{Protocol, Transport};
///
/// struct Greeter;
///
/// impl Protocol for Greeter {
///     fn connection_made(&mut self, transport: &mut Transport<'_>) {
///         let peer = transport.peer();
///         write!(transport, "Hello, {peer}. Goodbye.\r\n");
///         transport.close();
///     }
///
///     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
/// }
/// ```
#[derive(Debug)]
pub struct Transport<'a> {
    context: &'a mut Context,
    id: Id,
}

impl<'a> Transport<'a> {
    pub(crate) fn new(context: &'a mut Context, id: Id) -> Self {
        Self { context, id }
    }

    /// The same transport for a shorter time: for protocols that hand it on to others, inside a
    /// type of their own.
    pub fn reborrow(&mut self) -> Transport<'_> {
        Transport { context: self.context, id: self.id }
    }

    /// The whole reactor, as far as callbacks may use it.
    pub fn context(&mut self) -> &mut Context {
        if self.context.gathered() > 0 {
            self.context.push_gathered(self.id, &[]);
        }
        self.context
    }

    /// The name of this connection, by which others can reach it.
    pub fn id(&self) -> Id {
        self.id
    }

    /// The address of the peer's end. It is known in
    /// [`connection_lost`](crate::Protocol::connection_lost) too.
    ///
    /// # Panics
    ///
    /// Never in a callback of this connection, and nowhere else can a transport be had.
    #[doc(alias = "getPeer")]
    #[doc(alias = "get_extra_info")]
    pub fn peer(&self) -> Address {
        self.context
            .peer(self.id)
            .expect("a connection exists until its last callback has returned")
    }

    /// The address of our end, if the system still knows it: it forgets when a connection breaks.
    #[doc(alias = "getHost")]
    pub fn local_address(&self) -> Option<Address> {
        self.context.local_address(self.id)
    }

    /// Sends `data` after all that was written before. It is sent when this callback returns,
    /// together with all else that this callback writes; a long piece may be sent at once.
    ///
    /// What is written after [`close`](Self::close), [`abort`](Self::abort) or
    /// [`write_eof`](Self::write_eof) is dropped. There is no need to keep `data`, and no need to
    /// wait; but see [`pause_writing`](crate::Protocol::pause_writing).
    pub fn write(&mut self, data: &[u8]) {
        self.context.gather(self.id, data);
    }

    /// What `write!` and `writeln!` call, with nothing to unwrap.
    ///
    /// ```
    /// # fn answer(transport: &mut ropewalk::Transport<'_>, status: u16) {
    /// write!(transport, "status {status}\r\n");
    /// # }
    /// ```
    pub fn write_fmt(&mut self, text: fmt::Arguments<'_>) {
        // Writing itself does not fail. A `Display` of the user's may, and then its text ends there.
        let _ = Text(self).write_fmt(text);
    }

    /// Sends several pieces, one after the other, as though they were one.
    ///
    /// ```
    /// # fn answer(transport: &mut ropewalk::Transport<'_>, body: &[u8]) {
    /// transport.write_sequence([b"answer: ".as_slice(), body, b"\r\n"]);
    /// # }
    /// ```
    #[doc(alias = "writeSequence")]
    #[doc(alias = "writelines")]
    pub fn write_sequence<'d>(&mut self, pieces: impl IntoIterator<Item = &'d [u8]>) {
        for piece in pieces {
            self.write(piece);
        }
    }

    /// Has `producer` told when it has to pause, and when it may go on: when more than the
    /// [high-water mark](Self::set_write_buffer_limits) waits, and when what waits has gone down to
    /// the low-water mark. It begins by producing.
    ///
    /// [`close`](Self::close) and [`write_eof`](Self::write_eof) wait until it is
    /// [unregistered](Self::unregister_producer); until then what is written is sent, and if nothing is
    /// written and sent for 60 seconds, the connection ends with
    /// [`Reason::CloseTimeout`](crate::Reason::CloseTimeout). If the reactor stops before, the connection
    /// is reset: the peer must not take a part for the whole. By id, a producer can be registered for an
    /// attempt to connect as well. If the connection is ending or gone already, the producer is stopped at
    /// once.
    ///
    /// # Errors
    ///
    /// If the connection has a producer.
    #[doc(alias = "registerProducer")]
    pub fn register_push_producer(&mut self, producer: impl Producer) -> Result<(), Error> {
        let id = self.id;
        self.context().register_push_producer(id, producer)
    }

    /// Has `producer` asked for more each time there is room; for the first time soon. All else is as
    /// for [`register_push_producer`](Self::register_push_producer).
    ///
    /// # Errors
    ///
    /// If the connection has a producer.
    #[doc(alias = "registerProducer")]
    pub fn register_pull_producer(&mut self, producer: impl Producer) -> Result<(), Error> {
        let id = self.id;
        self.context().register_pull_producer(id, producer)
    }

    /// The producer has nothing more, and hears nothing more. A [`close`](Self::close) or
    /// [`write_eof`](Self::write_eof) that waited for it goes on.
    #[doc(alias = "unregisterProducer")]
    pub fn unregister_producer(&mut self) {
        let id = self.id;
        self.context().unregister_producer(id);
    }

    /// Sends `data`, and passes `descriptors` with its first byte: see
    /// [`Context::send_descriptors`].
    ///
    /// # Errors
    ///
    /// As there.
    #[cfg(unix)]
    #[doc(alias = "sendFileDescriptor")]
    pub fn send_descriptors(
        &mut self,
        data: &[u8],
        descriptors: impl IntoIterator<Item = impl Into<OwnedFd>>,
    ) -> Result<(), Error> {
        let id = self.id;
        self.context().send_descriptors(id, data, descriptors)
    }

    /// How many descriptors wait to be sent: see [`Context::send_descriptors`].
    #[cfg(unix)]
    pub fn descriptors_waiting(&self) -> usize {
        self.context.descriptors_waiting(self.id)
    }

    /// Who the peer was when it connected, or began to listen, if this is a Unix socket (Linux:
    /// SO_PEERCRED, unix(7)).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn peer_credentials(&self) -> Option<Credentials> {
        self.context.peer_credentials(self.id)
    }

    /// Ends our side once all that was written has been sent; the peer sees the end of the data and
    /// may go on sending. The connection ends when both sides have.
    ///
    /// ```
    /// use ropewalk::{Protocol, Transport};
    ///
    /// /// Asks one question, and says that it was the last.
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
        let id = self.id;
        self.context().write_eof(id);
    }

    /// Ends the connection once all that was written has been sent. No more data is delivered, and
    /// what is written after this is dropped.
    ///
    /// If nothing is sent for 60 seconds although data is queued or a producer is registered, the
    /// connection ends with
    /// [`Reason::CloseTimeout`](crate::Reason::CloseTimeout). For other times there is
    /// [`close_within`](Self::close_within).
    #[doc(alias = "loseConnection")]
    pub fn close(&mut self) {
        let id = self.id;
        self.context().close(id);
    }

    /// [`close`](Self::close), and if what was written has not been sent after `timeout`, the
    /// connection ends with [`Reason::CloseTimeout`](crate::Reason::CloseTimeout), however much the
    /// peer has taken by then.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # fn refuse(transport: &mut ropewalk::Transport<'_>) {
    /// transport.write(b"too many connections\r\n");
    /// transport.close_within(Duration::from_secs(1)); // a courtesy that shall cost little
    /// # }
    /// ```
    #[doc(alias = "abortTimeout")]
    pub fn close_within(&mut self, timeout: Duration) {
        let id = self.id;
        self.context().close_within(id, timeout);
    }

    /// Ends the connection at once: what waits to be sent is dropped, and the peer is sent a reset
    /// (RST), so that it cannot take what it got for the whole.
    #[doc(alias = "abortConnection")]
    pub fn abort(&mut self) {
        let id = self.id;
        self.context().abort(id);
    }

    /// Whether the connection is going: it takes no more writes and delivers no more data.
    pub fn is_closing(&self) -> bool {
        self.context.is_closing(self.id)
    }

    /// Stops delivering data, until [`resume`](Self::resume). The system takes some more from the
    /// peer, then the peer has to wait. A peer that resets the connection is noticed all the same.
    #[doc(alias = "pause_reading")]
    #[doc(alias = "pauseProducing")]
    pub fn pause(&mut self) {
        let id = self.id;
        self.context().pause(id);
    }

    /// Delivers data again after [`pause`](Self::pause).
    #[doc(alias = "resume_reading")]
    #[doc(alias = "resumeProducing")]
    pub fn resume(&mut self) {
        let id = self.id;
        self.context().resume(id);
    }

    /// Whether data is being held back by [`pause`](Self::pause).
    pub fn is_paused(&self) -> bool {
        self.context.is_paused(self.id)
    }

    /// How many bytes wait to be sent: written, and not yet taken by the system.
    #[doc(alias = "get_write_buffer_size")]
    pub fn write_buffer_size(&self) -> usize {
        self.context.write_buffer_size(self.id) + self.context.gathered()
    }

    /// Sets the marks on what waits to be sent, in bytes: see
    /// [`Context::set_write_buffer_limits`].
    pub fn set_write_buffer_limits(&mut self, high: usize, low: usize) {
        let id = self.id;
        self.context().set_write_buffer_limits(id, high, low);
    }

    /// Sets how many bytes may wait when more is written: 64 MiB unless set. A write that finds more
    /// ends the connection with [`Reason::WriteLimit`](crate::Reason::WriteLimit).
    ///
    /// ```
    /// # fn connection_made(transport: &mut ropewalk::Transport<'_>) {
    /// // One who does not read a megabyte of what others say is not listening.
    /// transport.set_write_limit(1024 * 1024);
    /// # }
    /// ```
    pub fn set_write_limit(&mut self, bytes: usize) {
        let id = self.id;
        self.context().set_write_limit(id, bytes);
    }

    /// Lets this connection go: see [`Context::detach`].
    ///
    /// # Errors
    ///
    /// As there.
    #[cfg(unix)]
    pub fn detach(&mut self) -> Result<Detached, Error> {
        let id = self.id;
        self.context().detach(id)
    }

    /// Sets what to do if the peer reads too slowly.
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
        let id = self.id;
        self.context().set_slow_reader(id, slow_reader);
    }

    /// What became of the bytes of this connection so far: see [`Context::connection_counts`].
    pub fn counts(&self) -> ConnectionCounts {
        let mut counts = self.context.connection_counts(self.id).unwrap_or_default();
        counts.waiting += self.context.gathered();
        counts
    }

    /// Sets an option of the socket: see [`Context::set_option`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn set_option(&mut self, option: SocketOption) -> Result<(), Error> {
        let id = self.id;
        self.context().set_option(id, option)
    }
}

/// Text on its way to a transport.
struct Text<'t, 'a>(&'t mut Transport<'a>);

impl Write for Text<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}
