//! The traits that users of lines implement.

use crate::line::LineTransport;
use ropewalk::{Reason, TimerId};
use std::borrow::Cow;

/// The behaviour of a connection in lines, as [`Protocol`](ropewalk::Protocol) is in bytes.
///
/// [`LineReceiver`](crate::LineReceiver) makes a protocol of it. The order of callbacks is that of a protocol.
/// After each callback, the next line is delivered only if the connection is neither closing nor paused: after a
/// close, further lines of the same chunk are not delivered; after a pause, they are delivered when
/// [`resume`](ropewalk::Transport::resume) is called.
///
/// # Text or bytes
///
/// With `type Line = str`, lines are text. UTF-8 is delivered without a copy; each invalid sequence is replaced by
/// U+FFFD, as in [`String::from_utf8_lossy`]. With `type Line = [u8]`, lines are bytes.
///
/// ```
/// use ropewalk_protocols::{LineHandler, LineTransport};
///
/// struct Shout;
///
/// impl LineHandler for Shout {
///     type Line = str;
///
///     fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
///         lines.send_line(line.to_uppercase());
///     }
/// }
/// ```
#[allow(unused_variables)] // The names are the documentation.
pub trait LineHandler: 'static {
    /// The type of a line: `str` or `[u8]`.
    type Line: Line + ?Sized;

    /// The connection is made and can be written to.
    #[doc(alias = "connectionMade")]
    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {}

    /// A line was received, without its delimiter. It may be empty. It is borrowed for this call.
    #[doc(alias = "lineReceived")]
    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &Self::Line);

    /// A line exceeds the [limit](LineTransport::set_max_length). `beginning` has as many of its bytes as the
    /// limit. (As text it may end within a character, which is replaced by U+FFFD.)
    ///
    /// Default: closes the connection. Otherwise, the rest of that line is skipped, and the next line is
    /// delivered.
    #[doc(alias = "lineLengthExceeded")]
    fn line_length_exceeded(&mut self, lines: &mut LineTransport<'_>, beginning: &Self::Line) {
        lines.close();
    }

    /// Data was received in [raw mode](LineTransport::set_raw_mode): at least one byte. It is borrowed for this
    /// call.
    ///
    /// # Panics
    ///
    /// By default, since raw mode without this method would lose data.
    #[doc(alias = "rawDataReceived")]
    fn raw_data_received(&mut self, lines: &mut LineTransport<'_>, data: &[u8]) {
        unimplemented!("raw mode requires an implementation of `raw_data_received`");
    }

    /// The peer has ended its side, within a line if `unfinished` is not empty. That line is not delivered, since
    /// it may be incomplete.
    ///
    /// Default: closes the connection after the queued data.
    #[doc(alias = "readConnectionLost")]
    fn eof_received(&mut self, lines: &mut LineTransport<'_>, unfinished: &Self::Line) {
        lines.close();
    }

    /// The peer has ended its side while reading is paused: see
    /// [`Protocol::eof_noticed`](ropewalk::Protocol::eof_noticed). Lines received before, and then
    /// [`eof_received`](Self::eof_received), are delivered after reading is resumed.
    fn eof_noticed(&mut self, lines: &mut LineTransport<'_>) {}

    /// The peer reads more slowly than the handler writes: see
    /// [`Protocol::pause_writing`](ropewalk::Protocol::pause_writing).
    #[doc(alias = "pauseProducing")]
    fn pause_writing(&mut self, lines: &mut LineTransport<'_>) {}

    /// The peer has caught up after [`pause_writing`](Self::pause_writing).
    #[doc(alias = "resumeProducing")]
    fn resume_writing(&mut self, lines: &mut LineTransport<'_>) {}

    /// A timer of this handler, which [`Transport::set_timer`](ropewalk::Transport::set_timer) has set, has fired.
    fn timer_fired(&mut self, lines: &mut LineTransport<'_>, timer: TimerId) {}

    /// The run is stopping: see [`Protocol::draining`](ropewalk::Protocol::draining). Returns true to keep the
    /// connection open. Default: false, which closes it.
    fn draining(&mut self, lines: &mut LineTransport<'_>) -> bool {
        false
    }

    /// The connection has ended. Lines held back by a pause are not delivered any more.
    #[doc(alias = "connectionLost")]
    fn connection_lost(&mut self, lines: &mut LineTransport<'_>, reason: Reason) {}
}

/// The type of a line: `str` or `[u8]`. See [`LineHandler`].
pub trait Line: ToOwned + sealed::Sealed {
    /// Converts the bytes of a line.
    ///
    /// ```
    /// use ropewalk_protocols::Line;
    ///
    /// assert_eq!(str::from_bytes(b"caf\xC3\xA9"), "café");
    /// assert_eq!(str::from_bytes(b"caf\xE9"), "caf\u{FFFD}");
    /// assert_eq!(<[u8]>::from_bytes(b"caf\xE9"), b"caf\xE9".as_slice());
    /// ```
    fn from_bytes(bytes: &[u8]) -> Cow<'_, Self>;
}

impl Line for [u8] {
    fn from_bytes(bytes: &[u8]) -> Cow<'_, Self> {
        Cow::Borrowed(bytes)
    }
}

impl Line for str {
    fn from_bytes(bytes: &[u8]) -> Cow<'_, Self> {
        String::from_utf8_lossy(bytes)
    }
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for [u8] {}

    impl Sealed for str {}
}
