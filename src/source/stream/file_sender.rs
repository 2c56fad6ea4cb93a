//! Bytes from a file to the socket.

use crate::source::send_buffer::Spares;
use crate::source::stream::Stream;
use crate::source::stream::transfer::WRITE_BUDGET;
use crate::sys::{Readiness, StreamBackend};
use crate::values::logging::TCP;
use log::trace;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// How much of a file is copied at a time, in bytes, where it has to be.
const PIECE: u64 = 64 * 1024;

/// What was in the way of sending a file.
#[derive(Debug)]
pub(crate) enum Trouble {
    File(io::Error),
    Socket(io::Error),
}

impl Stream {
    /// Sends what the socket takes of a file, within the budget: at most `count` bytes from `offset`
    /// on. Returns how many, zero at the end of the file; nothing if there is no room.
    pub(crate) fn send_from_file(
        &mut self,
        file: &mut File,
        offset: u64,
        count: u64,
        spares: &mut Spares,
    ) -> Result<Option<u64>, Trouble> {
        if self.output.queued() > 0 || !self.is_writable() {
            return Ok(None);
        }
        if self.filtered().is_some() {
            let piece = read_piece(file, offset, count).map_err(Trouble::File)?;
            self.push(&piece, true, spares).map_err(Trouble::Socket)?;
            return Ok(Some(piece.len() as u64));
        }
        let most = count.min(WRITE_BUDGET as u64) as usize; // The budget fits.
        let result = self.socket.write_from_file(file, offset, most);
        trace!(target: TCP, "{} write from a file: {result:?}", self.peer);
        match result {
            Ok(sent) => {
                self.traffic.sent += sent as u64;
                self.traffic.writes += u64::from(sent > 0);
                Ok(Some(sent as u64))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readiness.clear(Readiness::WRITABLE);
                Ok(None)
            }
            // sendfile(2) does not say which of the two has failed. A read tells.
            Err(error) => {
                let piece = read_piece(file, offset, count).map_err(Trouble::File)?;
                self.push(&piece, true, spares)
                    .map_err(|later| Trouble::Socket(first(error, later)))?;
                Ok(Some(piece.len() as u64))
            }
        }
    }
}

/// The socket reports each of its errors once, so it is the first that tells why it failed.
fn first(first: io::Error, later: io::Error) -> io::Error {
    match first.kind() {
        // The system cannot send this file by itself.
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => later,
        _ => first,
    }
}

fn read_piece(file: &mut File, offset: u64, count: u64) -> io::Result<Vec<u8>> {
    let mut piece = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(count.min(PIECE)).read_to_end(&mut piece)?;
    Ok(piece)
}
