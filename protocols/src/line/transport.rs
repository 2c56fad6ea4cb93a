//! The connection, as a line handler sees it.

use crate::line::Delimiter;
use crate::line::framing::Framing;
use ropewalk::Transport;
use std::ops::{Deref, DerefMut};

/// A connection, as its own [`LineHandler`](crate::LineHandler) sees it during a callback: a
/// [`Transport`] that knows lines.
///
/// ```
/// use ropewalk_protocols::{LineHandler, LineTransport};
///
/// /// Says how long each line was.
/// struct Measure;
///
/// impl LineHandler for Measure {
///     type Line = [u8];
///
///     fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
///         let peer = lines.peer(); // all that a transport can do
///         lines.send_line(format!("hello, {peer}"));
///     }
///
///     fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &[u8]) {
///         lines.send_line(line.len().to_string());
///     }
/// }
/// ```
#[derive(Debug)]
pub struct LineTransport<'a> {
    transport: Transport<'a>,
    framing: &'a mut Framing,
    /// What is being delivered in raw mode.
    raw: &'a [u8],
    /// How many bytes at its end have been given back.
    given_back: usize,
}

impl<'a> LineTransport<'a> {
    pub(super) fn new(transport: Transport<'a>, framing: &'a mut Framing, raw: &'a [u8]) -> Self {
        Self { transport, framing, raw, given_back: 0 }
    }

    pub(super) fn given_back(&self) -> usize {
        self.given_back
    }

    /// Sends `line` and the delimiter. It is not looked whether the line contains the delimiter; if
    /// it does, the peer gets two lines.
    #[doc(alias = "sendLine")]
    pub fn send_line(&mut self, line: impl AsRef<[u8]>) {
        self.transport.write(line.as_ref());
        self.transport.write(self.framing.delimiter.as_bytes());
    }

    /// From here on data is delivered as it comes, to
    /// [`raw_data_received`](crate::LineHandler::raw_data_received): all that follows the line that
    /// is being delivered, be it here already or not.
    ///
    /// ```
    /// use ropewalk_protocols::{LineHandler, LineTransport};
    ///
    /// /// Takes `put LENGTH`, then as many bytes, then lines again.
    /// #[derive(Default)]
    /// struct Store {
    ///     bytes: Vec<u8>,
    ///     missing: usize,
    /// }
    ///
    /// impl LineHandler for Store {
    ///     type Line = str;
    ///
    ///     fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
    ///         match line.strip_prefix("put ").map(str::parse) {
    ///             Some(Ok(length)) if length > 0 => {
    ///                 self.missing = length;
    ///                 lines.set_raw_mode();
    ///             }
    ///             _ => lines.send_line("what?"),
    ///         }
    ///     }
    ///
    ///     fn raw_data_received(&mut self, lines: &mut LineTransport<'_>, data: &[u8]) {
    ///         let (ours, rest) = data.split_at(data.len().min(self.missing));
    ///         self.bytes.extend_from_slice(ours);
    ///         self.missing -= ours.len();
    ///         if self.missing == 0 {
    ///             lines.send_line("stored");
    ///             lines.set_line_mode(rest);
    ///         }
    ///     }
    /// }
    /// ```
    #[doc(alias = "setRawMode")]
    pub fn set_raw_mode(&mut self) {
        self.framing.set_raw_mode();
    }

    /// From here on data is delivered in lines again, beginning with `rest`: the end of the raw data
    /// that was not taken. Outside of `raw_data_received` there is no such data, and `rest` is empty.
    ///
    /// # Panics
    ///
    /// If `rest` is not the end of the data that is being delivered.
    #[doc(alias = "setLineMode")]
    pub fn set_line_mode(&mut self, rest: &[u8]) {
        // The usual `rest` is a part of the data itself; to compare it whole, each time, would make
        // many short pieces in one long read cost quadratic time.
        let is_part = rest.as_ptr_range().end == self.raw.as_ptr_range().end;
        assert!(
            is_part || self.raw.ends_with(rest),
            "what is given back must be the end of the data that is being delivered"
        );
        self.given_back = rest.len();
        self.framing.set_line_mode();
    }

    /// Sets what ends a line from here on, and what [`send_line`](Self::send_line) appends.
    pub fn set_delimiter(&mut self, delimiter: Delimiter) {
        self.framing.set_delimiter(delimiter);
    }

    /// Sets how long a line may be from here on: in bytes, without its delimiter.
    #[doc(alias = "MAX_LENGTH")]
    pub fn set_max_length(&mut self, bytes: usize) {
        self.framing.max_length = bytes;
    }
}

impl<'a> Deref for LineTransport<'a> {
    type Target = Transport<'a>;

    fn deref(&self) -> &Self::Target {
        &self.transport
    }
}

impl DerefMut for LineTransport<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.transport
    }
}
