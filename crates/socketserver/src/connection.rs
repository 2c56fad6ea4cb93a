//! The connection of a handler.

use crate::link::HandlerLink;
use ropewalk::Address;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::time::Duration;

/// A connection, as its handler uses it: reads and writes block until they can do something.
///
/// Reads are buffered ([`BufRead`]), writes are not: each is passed to the reactor at once. While the handler does not read, at
/// most some 64 KiB are received for it, and the peer has to wait; while the peer does not read, writes wait, once
/// some 64 KiB and the transport's own buffer are full.
///
/// A read returns 0 bytes after the peer has ended its side, and when the reactor stops. A write fails with
/// [`BrokenPipe`](ErrorKind::BrokenPipe) after the connection has ended.
#[derive(Debug)]
pub struct Connection {
    link: HandlerLink,
    peer: Address,
    local: Address,
    buffer: Vec<u8>,
    /// The number of bytes of `buffer` that were read.
    read: usize,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl Connection {
    pub(crate) fn new(link: HandlerLink, peer: Address, local: Address) -> Self {
        let (buffer, read) = (Vec::new(), 0);
        Self { link, peer, local, buffer, read, read_timeout: None, write_timeout: None }
    }

    /// Notes that the handler has begun.
    pub(crate) fn begin(&self) {
        self.link.begin();
    }

    /// Returns the address of the peer.
    #[doc(alias = "client_address")]
    pub fn peer(&self) -> &Address {
        &self.peer
    }

    /// Returns the local address.
    pub fn local_address(&self) -> &Address {
        &self.local
    }

    /// Sets how long a read waits. Then it fails with [`TimedOut`](ErrorKind::TimedOut), and can be repeated.
    /// Default: `None`, for ever.
    #[doc(alias = "timeout")]
    pub fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.read_timeout = timeout;
    }

    /// Sets how long a write or a [`flush`](Write::flush) waits, as for reads.
    pub fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.write_timeout = timeout;
    }

    /// Reads a line of UTF-8 with its end, of at most `limit` bytes. Returns `None` at the end of the input. The last
    /// line may have no end.
    ///
    /// [`BufRead::read_line`] has no limit: a peer that sends no line end would fill the memory.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) if the line is longer or no UTF-8; those of a read. What was read
    /// is lost then.
    #[doc(alias = "readline")]
    pub fn read_line_within(&mut self, limit: usize) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        // One byte more would be too many.
        Read::by_ref(self).take(limit as u64 + 1).read_until(b'\n', &mut line)?;
        if line.len() > limit {
            let text = format!("a line is longer than {limit} bytes");
            return Err(io::Error::new(ErrorKind::InvalidData, text));
        }
        let text = String::from_utf8(line);
        let text = text.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// Ends our side of the connection after what was written. The peer reads the end. Input can still be read.
    pub fn shutdown_write(&mut self) {
        self.link.end_write();
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let filled = self.fill_buf()?;
        let count = filled.len().min(buffer.len());
        buffer[..count].copy_from_slice(&filled[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Connection {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read == self.buffer.len() {
            self.buffer.clear();
            self.read = 0;
            self.link.take(&mut self.buffer, self.read_timeout)?;
        }
        Ok(&self.buffer[self.read..])
    }

    fn consume(&mut self, count: usize) {
        self.read = (self.read + count).min(self.buffer.len());
    }
}

impl Write for Connection {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.link.put(data, self.write_timeout)
    }

    /// Waits until the reactor has taken all that was written.
    fn flush(&mut self) -> io::Result<()> {
        self.link.flush(self.write_timeout)
    }
}

/// Closes the connection after what was written.
impl Drop for Connection {
    fn drop(&mut self) {
        self.link.close();
    }
}
