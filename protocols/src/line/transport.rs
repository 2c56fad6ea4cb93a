//! The connection, as a line handler sees it.

use crate::line::Delimiter;
use crate::line::framing::Framing;
use ropewalk::Transport;
use std::ops::{Deref, DerefMut};

/// The connection of a [`LineHandler`](crate::LineHandler) during a callback: a [`Transport`] with methods for
/// lines.
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
    /// The data that is delivered in raw mode.
    raw: &'a [u8],
    /// The number of bytes at its end that were returned.
    returned: usize,
}

impl<'a> LineTransport<'a> {
    pub(super) fn new(transport: Transport<'a>, framing: &'a mut Framing, raw: &'a [u8]) -> Self {
        Self { transport, framing, raw, returned: 0 }
    }

    pub(super) fn returned(&self) -> usize {
        self.returned
    }

    /// Sends `line` and the delimiter. A delimiter within the line is sent as well, so the peer receives two
    /// lines.
    #[doc(alias = "sendLine")]
    pub fn send_line(&mut self, line: impl AsRef<[u8]>) {
        self.transport.write(line.as_ref());
        self.transport.write(self.framing.delimiter.as_bytes());
    }

    /// Switches to raw mode: all data after the current line, already received or not, is delivered as it arrives
    /// to [`raw_data_received`](crate::LineHandler::raw_data_received).
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

    /// Switches to line mode, beginning with `rest`: the end of the raw data that was not used. Outside of
    /// `raw_data_received`, `rest` must be empty.
    ///
    /// # Panics
    ///
    /// If `rest` is not the end of the data that is delivered.
    #[doc(alias = "setLineMode")]
    pub fn set_line_mode(&mut self, rest: &[u8]) {
        // Usually `rest` is a part of the data itself. Comparing all of it each time would take quadratic time for
        // many short frames in one long read.
        let is_part = rest.as_ptr_range().end == self.raw.as_ptr_range().end;
        assert!(
            is_part || self.raw.ends_with(rest),
            "`rest` must be the end of the delivered data"
        );
        self.returned = rest.len();
        self.framing.set_line_mode();
    }

    /// Sets the delimiter of received lines, and of [`send_line`](Self::send_line).
    pub fn set_delimiter(&mut self, delimiter: Delimiter) {
        self.framing.set_delimiter(delimiter);
    }

    /// Sets the maximum length of a line in bytes, without its delimiter.
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
