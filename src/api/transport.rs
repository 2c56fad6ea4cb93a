//! The transport: a connection, as protocols and the holders of its id use it.

use crate::api::context::Context;
use crate::values::address::Address;
use crate::values::id::Id;
use std::fmt::{self, Write};

/// A connection or a connection attempt.
///
/// A protocol's callback receives the transport of its own connection. [`Context::transport`] returns that
/// of any other connection.
///
/// Requests return no error; results arrive as callbacks.
///
/// Through [`context`](Self::context) a protocol reaches everything else: other connections by their
/// [`Id`], timers, listeners.
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
    pub(super) context: &'a mut Context,
    pub(super) id: Id,
    /// Whether it belongs to the running callback of its connection: then what is written is gathered.
    gathers: bool,
}

impl<'a> Transport<'a> {
    /// The transport of the connection of the running callback.
    pub(crate) fn new(context: &'a mut Context, id: Id) -> Self {
        Self { context, id, gathers: true }
    }

    /// The transport of any connection. Nothing is gathered while it exists: a running callback obtains
    /// it from [`context`](Self::context), which has moved what was gathered to the send buffer.
    pub(super) fn by_id(context: &'a mut Context, id: Id) -> Self {
        Self { context, id, gathers: false }
    }

    /// Returns the same transport with a shorter lifetime, for protocols that pass it on inside a type of
    /// their own.
    pub fn reborrow(&mut self) -> Transport<'_> {
        Transport { context: self.context, id: self.id, gathers: self.gathers }
    }

    /// Returns the context, which gives access to the rest of the reactor.
    pub fn context(&mut self) -> &mut Context {
        if self.context.gathered() > 0 {
            self.context.push_gathered(self.id, &[]);
        }
        self.context
    }

    /// Returns the id of this connection. It can be kept, and used later with [`Context::transport`].
    pub fn id(&self) -> Id {
        self.id
    }

    /// Returns the peer's address. It is known in
    /// [`connection_lost`](crate::Protocol::connection_lost) too. It is [`Address::Unknown`] before the
    /// connection is established and after it is gone.
    #[doc(alias = "getPeer")]
    #[doc(alias = "get_extra_info")]
    pub fn peer(&self) -> Address {
        self.context.peer_of(self.id).unwrap_or(Address::Unknown)
    }

    /// Returns the open connections that the same listener has accepted, this one included, in no particular order.
    /// There is none if no listener has accepted this connection.
    ///
    /// ```
    /// # fn broadcast(transport: &mut ropewalk::Transport<'_>, data: &[u8]) {
    /// for id in transport.siblings() {
    ///     transport.context().transport(id).write(data);
    /// }
    /// # }
    /// ```
    pub fn siblings(&self) -> impl ExactSizeIterator<Item = Id> + use<> {
        self.context.accepted_with(self.id)
    }

    /// Returns the local address. It is [`Address::Unknown`] unless the connection is established; the system forgets it
    /// when the connection breaks.
    #[doc(alias = "getHost")]
    pub fn local_address(&self) -> Address {
        self.context.local_address(self.id)
    }

    /// Sends `data` after all data written before.
    ///
    /// In a callback of this connection it is sent when the callback returns, together with all other
    /// writes of the callback. Through a transport [by id](Context::transport) it is sent when the turn
    /// ends, together with all other writes of the turn. Data of 16 KiB or more may be sent at once. Data
    /// written to a connection attempt is sent once the connection is established.
    ///
    /// What is written after [`close`](Self::close), [`abort`](Self::abort) or
    /// [`write_eof`](Self::write_eof) is dropped. A write that finds more queued data than the
    /// [limit](Self::set_write_limit) ends the connection with
    /// [`Reason::WriteLimit`](crate::Reason::WriteLimit); see also
    /// [`pause_writing`](crate::Protocol::pause_writing).
    #[inline]
    pub fn write(&mut self, data: &[u8]) {
        if self.gathers {
            self.context.gather(self.id, data);
        } else {
            self.context.write_by_id(self.id, data);
        }
    }

    /// Writes formatted text. `write!` and `writeln!` call it; there is no result to handle.
    ///
    /// ```
    /// # fn answer(transport: &mut ropewalk::Transport<'_>, status: u16) {
    /// write!(transport, "status {status}\r\n");
    /// # }
    /// ```
    pub fn write_fmt(&mut self, text: fmt::Arguments<'_>) {
        // Writing itself does not fail. A user's `Display` may fail; then its text ends there.
        let _ = Text(self).write_fmt(text);
    }

    /// Writes several pieces, one after the other.
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

    /// Returns true if it belongs to the running callback.
    pub(super) fn is_of_running(&self) -> bool {
        self.gathers
    }

    /// Returns the context and the id, for methods that act on the connection. Gathered data is moved to the send
    /// buffer.
    pub(super) fn parts(&mut self) -> (&mut Context, Id) {
        let id = self.id;
        (self.context(), id)
    }
}

/// An adapter from `fmt::Write` to a transport.
struct Text<'t, 'a>(&'t mut Transport<'a>);

impl Write for Text<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}
