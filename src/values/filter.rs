//! Filters: objects that turn the bytes of a connection into other bytes.

use crate::values::address::Address;
use std::any::type_name;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The most bytes that a filter may deliver in one call. One read returns at most as many, and a cipher does not
/// make them longer.
pub(crate) const ROOM: usize = 64 * 1024;

/// Turns the bytes of one connection into other bytes, in both directions: encryption, compression, a
/// header before the first byte.
///
/// A filter lies below [`Transport`](crate::Transport). Protocols, producers, marks and limits work as
/// without it. The bytes that a protocol writes are *plaintext* to the filter; the bytes on the socket are
/// *encoded*. Filters are given to [`ListenOptions::filter`](crate::ListenOptions::filter) or
/// [`ConnectOptions::filter`](crate::ConnectOptions::filter), or added to a connection that exists by
/// [`Transport::add_filter`](crate::Transport::add_filter). Several filters form a stack: the first lies next to the
/// socket, and each later one above it.
///
/// # Order of calls
///
/// 1. [`start`](Self::start), once, when the socket is connected and all filters below are established.
/// 2. [`decode`](Self::decode), when bytes have been received, until the filter calls
///    [`FilterLink::establish`]. This is the handshake. When all filters of a new connection are established,
///    [`Factory::build`](crate::Factory::build) runs.
/// 3. `decode` and [`encode`](Self::encode), in any order.
/// 4. [`close`](Self::close) once, when our side ends and all plaintext has been encoded. No `encode` follows.
/// 5. [`eof`](Self::eof) at most once, when the bytes from below have ended. No `decode` follows.
///
/// # Failure
///
/// An error from any method ends the connection, after the bytes that the filter sent in the same call, such as an
/// alert. During the first handshake the error is reported to the factory:
/// [`Factory::connection_failed`](crate::Factory::connection_failed) of a client,
/// [`Factory::handshake_failed`](crate::Factory::handshake_failed) of a server. After it, the protocol receives
/// `connection_lost` with [`Reason::Failed`](crate::Reason::Failed), or with
/// [`Reason::Truncated`](crate::Reason::Truncated) if the error is of the kind
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof). A panic ends the connection with
/// [`Reason::Panicked`](crate::Reason::Panicked).
///
/// # Limits
///
/// Plaintext is encoded after the callback that wrote it has returned, in pieces of up to 64 KiB, and only while less
/// than 64 KiB of encoded bytes are queued. Plaintext and encoded bytes both count towards
/// [`write_buffer_size`](crate::Transport::write_buffer_size), the marks and the write limit. Received
/// bytes are decoded while the protocol reads; a pause leaves them queued.
///
/// ```
/// use ropewalk::{Error, Filter, FilterLink, ListenOptions, Protocol, Reactor, Transport};
/// use std::io;
///
/// /// Flips all bits.
/// struct Inverted;
///
/// impl Filter for Inverted {
///     fn decode(&mut self, input: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
///         let count = input.len().min(link.room());
///         let plaintext: Vec<u8> = input[..count].iter().map(|byte| !byte).collect();
///         link.deliver(&plaintext);
///         Ok(count)
///     }
///
///     fn encode(&mut self, plaintext: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
///         let encoded: Vec<u8> = plaintext.iter().map(|byte| !byte).collect();
///         link.send(&encoded);
///         Ok(plaintext.len())
///     }
/// }
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
///         assert_eq!(data, b"hello");
///         transport.write(data);
///     }
/// }
///
/// let mut reactor = Reactor::new()?;
/// let options = ListenOptions::new().filter(|| Inverted);
/// let port = options.listen_tcp(reactor.context(), "127.0.0.1:0", || Echo)?;
/// # use std::io::{Read, Write};
/// # use std::net::TcpStream;
/// # let inverted: Vec<u8> = b"hello".iter().map(|byte| !byte).collect();
/// # let mut client = TcpStream::connect(port.address()).unwrap();
/// # client.write_all(&inverted).unwrap();
/// # client.set_nonblocking(true).unwrap();
/// # let mut answer = [0; 5];
/// # while client.read_exact(&mut answer).is_err() {
/// #     reactor.turn(Some(std::time::Duration::from_millis(1)))?;
/// # }
/// # assert_eq!(answer[..], inverted);
/// # Ok::<(), Error>(())
/// ```
#[allow(unused_variables)] // The names are the documentation.
pub trait Filter: 'static {
    /// Starts the handshake. A filter with a handshake sends its first message here, or waits for the peer's. By
    /// default there is no handshake: the filter is established at once.
    ///
    /// # Errors
    ///
    /// End the connection: see [Failure](#failure).
    fn start(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        link.establish();
        Ok(())
    }

    /// Turns received bytes into plaintext, and returns how many bytes of `input` were consumed. The others are passed
    /// again, with the bytes that follow them.
    ///
    /// It is called again at once if it consumed or delivered something, and input is left or the filter
    /// [asked for it](FilterLink::call_again). A filter that consumes nothing of 64 KiB and delivers nothing ends the
    /// connection: a filter that needs more input than that has to consume it and keep it.
    ///
    /// # Errors
    ///
    /// End the connection: see [Failure](#failure).
    fn decode(&mut self, input: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize>;

    /// Turns plaintext into bytes that are [sent](FilterLink::send), and returns how many bytes of
    /// `plaintext` were consumed. If that is 0, `encode` is called again after the next `decode`.
    ///
    /// # Errors
    ///
    /// End the connection: see [Failure](#failure).
    fn encode(&mut self, plaintext: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize>;

    /// Sends the goodbye, which tells the peer that our side has ended on purpose. By default there is none.
    ///
    /// # Errors
    ///
    /// End the connection: see [Failure](#failure).
    fn close(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Handles the end of the bytes from below, if the filter has not [ended](FilterLink::end) its plaintext. By
    /// default the plaintext ends with them.
    ///
    /// # Errors
    ///
    /// End the connection: see [Failure](#failure). A filter that expects a goodbye returns
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) here if there was none: the peer's data may have
    /// been cut off.
    fn eof(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        Ok(())
    }

    /// The timer that [`FilterLink::set_timer`] has set has fired. Nothing can be delivered in this call. Afterwards
    /// `decode` is called, with the bytes from below that were not consumed, if any, and `encode` if plaintext is queued.
    ///
    /// # Errors
    ///
    /// End the connection: see [Failure](#failure).
    fn timer_fired(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Returns the name of this type, for the logs and for [`Backend::called`](crate::backend::Backend::called). A
    /// wrapper returns the name of the wrapped filter.
    fn type_name(&self) -> &'static str {
        type_name::<Self>()
    }
}

impl Filter for Box<dyn Filter> {
    fn start(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        (**self).start(link)
    }

    fn decode(&mut self, input: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        (**self).decode(input, link)
    }

    fn encode(&mut self, plaintext: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        (**self).encode(plaintext, link)
    }

    fn close(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        (**self).close(link)
    }

    fn eof(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        (**self).eof(link)
    }

    fn timer_fired(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        (**self).timer_fired(link)
    }

    fn type_name(&self) -> &'static str {
        (**self).type_name()
    }
}

/// The interface of a [`Filter`] to its connection, during a call.
#[derive(Debug)]
pub struct FilterLink<'a> {
    sent: &'a mut Vec<u8>,
    delivered: &'a mut Vec<u8>,
    /// The length up to which `delivered` may grow.
    limit: usize,
    pub(crate) signals: Signals,
}

/// The events that a filter has reported in a call.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    pub(crate) established: bool,
    pub(crate) ended: bool,
    pub(crate) again: bool,
    pub(crate) peer: Option<Address>,
    pub(crate) timer: Option<TimerRequest>,
}

/// What a filter requests for its timer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TimerRequest {
    Set(Duration),
    Cancel,
}

impl<'a> FilterLink<'a> {
    /// A link by which at most `room` bytes can be delivered.
    pub(crate) fn new(sent: &'a mut Vec<u8>, delivered: &'a mut Vec<u8>, room: usize) -> Self {
        let limit = delivered.len() + room;
        Self { sent, delivered, limit, signals: Signals::default() }
    }

    /// Returns true if the filter has delivered more than it may in one call.
    pub(crate) fn is_overrun(&self) -> bool {
        self.delivered.len() > self.limit
    }

    /// Sends encoded bytes towards the socket.
    pub fn send(&mut self, encoded: &[u8]) {
        self.sent.extend_from_slice(encoded);
    }

    /// Delivers plaintext towards the protocol.
    pub fn deliver(&mut self, plaintext: &[u8]) {
        self.delivered.extend_from_slice(plaintext);
    }

    /// Returns how many bytes may still be delivered in this call: 64 KiB at its beginning. A filter that delivers
    /// more ends the connection.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.delivered.len())
    }

    /// Reports that the handshake is complete: plaintext can be encoded.
    pub fn establish(&mut self) {
        self.signals.established = true;
    }

    /// Reports that the peer has sent its goodbye: no plaintext follows.
    pub fn end(&mut self) {
        self.signals.ended = true;
    }

    /// Requests another call of [`decode`](Filter::decode) even if no input is left, since the filter holds more
    /// plaintext. It has no effect in a call that neither consumes nor delivers.
    pub fn call_again(&mut self) {
        self.signals.again = true;
    }

    /// Sets the timer of the filter: its [`timer_fired`](Filter::timer_fired) is called once, after `delay`, never
    /// earlier. A filter has one timer: an earlier one is replaced. It is removed when the connection ends. While a
    /// timer is set and input is left, [`eof`](Filter::eof) is not called.
    pub fn set_timer(&mut self, delay: Duration) {
        self.signals.timer = Some(TimerRequest::Set(delay));
    }

    /// Cancels the timer of the filter.
    pub fn cancel_timer(&mut self) {
        self.signals.timer = Some(TimerRequest::Cancel);
    }

    /// Replaces the address of the peer, which [`Factory::build`](crate::Factory::build) receives and
    /// [`Transport::peer`](crate::Transport::peer) returns. It has no effect after the protocol was built.
    pub fn set_peer(&mut self, peer: Address) {
        self.signals.peer = Some(peer);
    }
}

/// The filters of future connections.
#[derive(Clone)]
pub(crate) struct FilterOptions {
    /// The functions that make them, the lowest first.
    makers: Vec<Arc<MakeFilter>>,
    /// The most time that all their handshakes may take together.
    pub(crate) handshake_timeout: Duration,
}

type MakeFilter = dyn Fn() -> Box<dyn Filter> + Send + Sync;

/// Long enough for several round trips to a slow peer, and short enough that silent clients do not
/// pile up.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

impl Default for FilterOptions {
    fn default() -> Self {
        Self { makers: Vec::new(), handshake_timeout: HANDSHAKE_TIMEOUT }
    }
}

impl FilterOptions {
    pub(crate) fn add<F: Filter>(&mut self, make: impl Fn() -> F + Send + Sync + 'static) {
        self.makers.push(Arc::new(move || Box::new(make())));
    }

    pub(crate) fn makers(&self) -> &[Arc<MakeFilter>] {
        &self.makers
    }
}

impl fmt::Debug for FilterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilterOptions")
            .field("makers", &self.makers.len())
            .field("handshake_timeout", &self.handshake_timeout)
            .finish()
    }
}
