//! The line protocol: from chunks of data to the handler's callbacks.

use crate::line::buffer::Buffer;
use crate::line::framing::{Frame, Framing};
use crate::line::{Delimiter, Line, LineHandler, LineTransport};
use ropewalk::{Protocol, Reason, TimerId, Transport};
use std::mem;

/// The default maximum length of a line in bytes, as in Twisted.
const MAX_LENGTH: usize = 16 * 1024;

/// Splits received data into lines, for a [`LineHandler`].
///
/// - The default delimiter is LF or CR LF ([`delimiter`](Self::delimiter)), the default maximum length 16,384
///   bytes ([`max_length`](Self::max_length)). The handler can change both.
/// - The handler can switch to [raw mode](LineTransport::set_raw_mode) and back between lines, in the middle of
///   received data. No byte is lost or delivered twice.
/// - A complete line is delivered without a copy. Unfinished data is kept, up to the maximum length of a line.
///   Data held back by a pause is kept as well, up to one read of 256 KiB. With no data to keep, no memory is
///   held.
/// - A line that is too long costs no more memory than one within the limit.
///
/// ```
/// use ropewalk::{Error, Reactor};
/// use ropewalk_protocols::{Delimiter, LineHandler, LineReceiver, LineTransport};
/// # use std::io::{Read, Write};
///
/// struct Reverse;
///
/// impl LineHandler for Reverse {
///     type Line = str;
///
///     fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
///         lines.send_line(line.chars().rev().collect::<String>());
///     }
/// }
///
/// let mut reactor = Reactor::new()?;
/// let port = reactor.listen_tcp("127.0.0.1:0", || {
///     LineReceiver::new(Reverse).delimiter(Delimiter::CRLF).max_length(512)
/// })?;
/// # let mut client = std::net::TcpStream::connect(port.address()).unwrap();
/// # client.write_all(b"drawer\r\n").unwrap();
/// # client.set_nonblocking(true).unwrap();
/// # let mut answer = Vec::new();
/// # while answer.len() < 8 {
/// #     reactor.turn(None)?;
/// #     let _ = client.read_to_end(&mut answer);
/// # }
/// # assert_eq!(answer, b"reward\r\n");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "LineOnlyReceiver")]
pub struct LineReceiver<H> {
    handler: H,
    framing: Framing,
    buffer: Buffer,
}

impl<H: LineHandler> LineReceiver<H> {
    /// Returns a protocol that delivers lines to `handler`.
    pub fn new(handler: H) -> Self {
        let framing = Framing::new(Delimiter::default(), MAX_LENGTH);
        Self { handler, framing, buffer: Buffer::default() }
    }

    /// Sets the delimiter. Default: [`Delimiter::NEWLINE`].
    #[must_use]
    pub fn delimiter(mut self, delimiter: Delimiter) -> Self {
        self.framing.set_delimiter(delimiter);
        self
    }

    /// Sets the maximum length of a line in bytes, without its delimiter. Default: 16,384. For a longer line,
    /// [`line_length_exceeded`](LineHandler::line_length_exceeded) is called.
    #[must_use]
    #[doc(alias = "MAX_LENGTH")]
    pub fn max_length(mut self, bytes: usize) -> Self {
        self.framing.max_length = bytes;
        self
    }

    /// Delivers `data` until nothing is left, a line is unfinished, or the handler has paused or closed. Returns
    /// the number of bytes delivered.
    fn deliver(&mut self, transport: &mut Transport<'_>, data: &[u8]) -> usize {
        let mut delivered = 0;
        while delivered < data.len() && can_deliver(transport) {
            let frame = self.framing.next(&data[delivered..]);
            let raw = if let Frame::Raw(raw) = frame { raw } else { &[] };
            let lines = &mut LineTransport::new(transport.reborrow(), &mut self.framing, raw);
            match frame {
                Frame::Line(line, length) => {
                    delivered += length;
                    self.handler.line_received(lines, &H::Line::from_bytes(line));
                }
                Frame::Raw(raw) => {
                    self.handler.raw_data_received(lines, raw);
                    delivered += raw.len() - lines.returned();
                }
                Frame::Skipped(length) => delivered += length,
                Frame::TooLong(beginning) => {
                    delivered += beginning.len();
                    self.handler.line_length_exceeded(lines, &H::Line::from_bytes(beginning));
                }
                Frame::Unfinished => break,
            }
        }
        delivered
    }

    /// Delivers buffered data, as far as possible.
    fn deliver_buffered(&mut self, transport: &mut Transport<'_>) {
        // The buffer is moved out, since the handler borrows lines of it. A panic loses it together with the
        // connection.
        let mut buffer = mem::take(&mut self.buffer);
        let delivered = self.deliver(transport, buffer.as_slice());
        buffer.take(delivered);
        self.buffer = buffer;
        self.clear_if_closing(transport);
    }

    fn clear_if_closing(&mut self, transport: &Transport<'_>) {
        if transport.is_closing() {
            self.buffer.clear();
        }
    }

    fn lines<'a>(&'a mut self, transport: &'a mut Transport<'_>) -> (&'a mut H, LineTransport<'a>) {
        let lines = LineTransport::new(transport.reborrow(), &mut self.framing, &[]);
        (&mut self.handler, lines)
    }
}

impl<H: LineHandler> Protocol for LineReceiver<H> {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let (handler, mut lines) = self.lines(transport);
        handler.connection_made(&mut lines);
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, mut data: &[u8]) {
        while !self.buffer.is_empty() && !data.is_empty() && can_deliver(transport) {
            // Only the rest of the unfinished line is appended to its beginning. Later data is delivered without a
            // copy.
            let (joining, later) = data.split_at(self.framing.first_possible_end(data));
            self.buffer.push(joining);
            data = later;
            self.deliver_buffered(transport);
        }
        if self.buffer.is_empty() {
            data = &data[self.deliver(transport, data)..];
        }
        if !data.is_empty() {
            self.buffer.push(data);
        }
        self.clear_if_closing(transport);
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        let buffer = mem::take(&mut self.buffer);
        let unfinished = if self.framing.is_in_line() { buffer.as_slice() } else { &[] };
        let (handler, mut lines) = self.lines(transport);
        handler.eof_received(&mut lines, &H::Line::from_bytes(unfinished));
    }

    fn eof_noticed(&mut self, transport: &mut Transport<'_>) {
        let (handler, mut lines) = self.lines(transport);
        handler.eof_noticed(&mut lines);
        self.clear_if_closing(transport);
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        let (handler, mut lines) = self.lines(transport);
        handler.pause_writing(&mut lines);
        // The handler may have changed the framing.
        self.deliver_buffered(transport);
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        let (handler, mut lines) = self.lines(transport);
        handler.resume_writing(&mut lines);
        self.deliver_buffered(transport);
    }

    fn reading_resumed(&mut self, transport: &mut Transport<'_>) {
        self.deliver_buffered(transport);
    }

    fn timer_fired(&mut self, transport: &mut Transport<'_>, timer: TimerId) {
        let (handler, mut lines) = self.lines(transport);
        handler.timer_fired(&mut lines, timer);
        self.deliver_buffered(transport);
    }

    fn draining(&mut self, transport: &mut Transport<'_>) -> bool {
        let (handler, mut lines) = self.lines(transport);
        let stays_open = handler.draining(&mut lines);
        if stays_open {
            // The handler may have changed the framing.
            self.deliver_buffered(transport);
        }
        stays_open
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        self.buffer.clear();
        let (handler, mut lines) = self.lines(transport);
        handler.connection_lost(&mut lines, reason);
    }
}

/// Returns true if the connection is neither closing nor paused. Checked before each delivery.
fn can_deliver(transport: &Transport<'_>) -> bool {
    !transport.is_closing() && !transport.is_paused()
}
