//! What users of lines implement.

use crate::line::LineTransport;
use ropewalk::Reason;
use std::borrow::Cow;

/// One connection's behaviour, in lines: what [`Protocol`](ropewalk::Protocol) is in bytes.
///
/// [`LineReceiver`](crate::LineReceiver) makes a protocol of it, and says what it does with the
/// bytes. The order of callbacks is that of a protocol. After each the next line is delivered only
/// if the connection is neither closing nor paused: a handler that closes hears of no line that came
/// in the same piece, and one that pauses hears of the next when somebody has called
/// [`resume`](ropewalk::Transport::resume).
///
/// # Text or bytes
///
/// With `type Line = str` lines come as text. UTF-8 is handed through without a copy; what is not
/// UTF-8 comes as U+FFFD, the replacement character, one for each wrong sequence, as
/// [`String::from_utf8_lossy`] has it. With `type Line = [u8]` lines come as they are.
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
    /// What a line is: `str` or `[u8]`.
    type Line: Line + ?Sized;

    /// The connection is there: it can be written to.
    #[doc(alias = "connectionMade")]
    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {}

    /// A line has come: without its delimiter, and maybe empty. It is lent for this call.
    #[doc(alias = "lineReceived")]
    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &Self::Line);

    /// A line is longer than the [limit](LineTransport::set_max_length), of which this is the
    /// `beginning`: as many bytes as the limit allows. (As text it may end in half a character,
    /// which comes as U+FFFD.)
    ///
    /// Unless overridden this closes the connection. If it does not close, the rest of that line is
    /// skipped, however long it is, and the next line is delivered; it is told of once.
    #[doc(alias = "lineLengthExceeded")]
    fn line_length_exceeded(&mut self, lines: &mut LineTransport<'_>, beginning: &Self::Line) {
        lines.close();
    }

    /// In [raw mode](LineTransport::set_raw_mode): `data` has come, at least one byte. It is lent
    /// for this call.
    ///
    /// # Panics
    ///
    /// Unless overridden: nobody sets raw mode in order to lose what comes.
    #[doc(alias = "rawDataReceived")]
    fn raw_data_received(&mut self, lines: &mut LineTransport<'_>, data: &[u8]) {
        unimplemented!("raw mode was set, but there is no `raw_data_received`");
    }

    /// The peer has ended its side, in the middle of a line if `unfinished` is not empty. That is
    /// not delivered as a line, for nobody knows whether it is a whole one.
    ///
    /// Unless overridden this closes the connection, after what was written has been sent.
    #[doc(alias = "readConnectionLost")]
    fn eof_received(&mut self, lines: &mut LineTransport<'_>, unfinished: &Self::Line) {
        lines.close();
    }

    /// The peer has ended its side while reading is paused: see
    /// [`Protocol::eof_noticed`](ropewalk::Protocol::eof_noticed). Lines that came before are still to be
    /// delivered, and then [`eof_received`](Self::eof_received) comes, once reading is resumed.
    fn eof_noticed(&mut self, lines: &mut LineTransport<'_>) {}

    /// The peer reads more slowly than you write: see
    /// [`Protocol::pause_writing`](ropewalk::Protocol::pause_writing).
    #[doc(alias = "pauseProducing")]
    fn pause_writing(&mut self, lines: &mut LineTransport<'_>) {}

    /// After [`pause_writing`](Self::pause_writing): the peer has caught up.
    #[doc(alias = "resumeProducing")]
    fn resume_writing(&mut self, lines: &mut LineTransport<'_>) {}

    /// The connection has ended. Lines that were held back by a pause are not delivered any more.
    #[doc(alias = "connectionLost")]
    fn connection_lost(&mut self, lines: &mut LineTransport<'_>, reason: Reason) {}
}

/// What a line can be taken for: `str` or `[u8]`. See [`LineHandler`].
pub trait Line: ToOwned + sealed::Sealed {
    /// The line that these bytes are.
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
