//! From the reactor's pieces to the handler's callbacks.

use crate::line::framing::{Framing, Piece};
use crate::line::rest::Rest;
use crate::line::{Delimiter, Line, LineHandler, LineTransport};
use ropewalk::{Protocol, Reason, Transport};
use std::mem;

/// How long a line may be, unless set, in bytes: Twisted's default.
const MAX_LENGTH: usize = 16 * 1024;

/// Cuts what comes into lines, and gives them to a [`LineHandler`].
///
/// - Lines end in LF or CR LF, unless [set](Self::delimiter); they may be 16,384 bytes long, unless
///   [set](Self::max_length). The handler can change both as it goes.
/// - Between lines the handler can turn to [raw mode](LineTransport::set_raw_mode) and back, in the
///   middle of what has come; no byte is lost or comes twice.
/// - A line that is all there is delivered where it lies, without a copy. What is unfinished is kept,
///   at most as many bytes as the longest line may have; what a pause holds back is kept too, at
///   most one read, 256 KiB, more. With nothing to keep no memory is held.
/// - A line that is too long costs no more memory than a good one, however long it is.
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
    rest: Rest,
}

impl<H: LineHandler> LineReceiver<H> {
    /// A protocol that gives its lines to `handler`.
    pub fn new(handler: H) -> Self {
        let framing = Framing::new(Delimiter::default(), MAX_LENGTH);
        Self { handler, framing, rest: Rest::default() }
    }

    /// What ends a line: [`Delimiter::NEWLINE`] unless set.
    #[must_use]
    pub fn delimiter(mut self, delimiter: Delimiter) -> Self {
        self.framing.set_delimiter(delimiter);
        self
    }

    /// How long a line may be, in bytes, without its delimiter: 16,384 unless set. One that is
    /// longer is told to [`line_length_exceeded`](LineHandler::line_length_exceeded).
    #[must_use]
    #[doc(alias = "MAX_LENGTH")]
    pub fn max_length(mut self, bytes: usize) -> Self {
        self.framing.max_length = bytes;
        self
    }

    /// Delivers what stands in `data`, until nothing is left, something is unfinished, or the
    /// handler wants no more. Returns how many bytes are done with.
    fn deliver(&mut self, transport: &mut Transport<'_>, data: &[u8]) -> usize {
        let mut done = 0;
        while done < data.len() && wants_more(transport) {
            let piece = self.framing.next(&data[done..]);
            let raw = if let Piece::Raw(raw) = piece { raw } else { &[] };
            let lines = &mut LineTransport::new(transport.reborrow(), &mut self.framing, raw);
            match piece {
                Piece::Line(line, length) => {
                    done += length;
                    self.handler.line_received(lines, &H::Line::from_bytes(line));
                }
                Piece::Raw(raw) => {
                    self.handler.raw_data_received(lines, raw);
                    done += raw.len() - lines.given_back();
                }
                Piece::Skipped(length) => done += length,
                Piece::TooLong(beginning) => {
                    done += beginning.len();
                    self.handler.line_length_exceeded(lines, &H::Line::from_bytes(beginning));
                }
                Piece::Unfinished => break,
            }
        }
        done
    }

    /// Delivers what was kept, as far as it can be.
    fn deliver_rest(&mut self, transport: &mut Transport<'_>) {
        // Taken out, since the handler is lent lines of it. A panic loses it, and the connection.
        let mut rest = mem::take(&mut self.rest);
        let done = self.deliver(transport, rest.as_slice());
        rest.take(done);
        self.rest = rest;
        self.forget_if_closing(transport);
    }

    fn forget_if_closing(&mut self, transport: &Transport<'_>) {
        if transport.is_closing() {
            self.rest.clear();
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
        while !self.rest.is_empty() && !data.is_empty() && wants_more(transport) {
            // Only the rest of the line that has begun joins its beginning; what follows can be
            // delivered where it lies.
            let (joining, later) = data.split_at(self.framing.first_possible_end(data));
            self.rest.push(joining);
            data = later;
            self.deliver_rest(transport);
        }
        if self.rest.is_empty() {
            data = &data[self.deliver(transport, data)..];
        }
        if !data.is_empty() {
            self.rest.push(data);
        }
        self.forget_if_closing(transport);
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        let rest = mem::take(&mut self.rest);
        let unfinished = if self.framing.is_in_line() { rest.as_slice() } else { &[] };
        let (handler, mut lines) = self.lines(transport);
        handler.eof_received(&mut lines, &H::Line::from_bytes(unfinished));
    }

    fn eof_noticed(&mut self, transport: &mut Transport<'_>) {
        let (handler, mut lines) = self.lines(transport);
        handler.eof_noticed(&mut lines);
        self.forget_if_closing(transport);
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        let (handler, mut lines) = self.lines(transport);
        handler.pause_writing(&mut lines);
        // It may have changed what a line is.
        self.deliver_rest(transport);
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        let (handler, mut lines) = self.lines(transport);
        handler.resume_writing(&mut lines);
        self.deliver_rest(transport);
    }

    fn reading_resumed(&mut self, transport: &mut Transport<'_>) {
        self.deliver_rest(transport);
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        self.rest.clear();
        let (handler, mut lines) = self.lines(transport);
        handler.connection_lost(&mut lines, reason);
    }
}

/// Looked at before every delivery: a handler that has closed or paused hears no more for now.
fn wants_more(transport: &Transport<'_>) -> bool {
    !transport.is_closing() && !transport.is_paused()
}
