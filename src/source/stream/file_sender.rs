//! File transmission: sendfile(2), or copying where that is impossible.

use crate::source::send_buffer::Spares;
use crate::source::stream::Stream;
use crate::source::stream::transfer::WRITE_BUDGET;
use crate::sys::{Readiness, StreamBackend};
use crate::values::logging::TCP;
use log::trace;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// The number of bytes copied at a time where a file has to be copied: four gathered writes.
const PIECE: u64 = 64 * 1024;

/// The cause of a failure to send a file.
#[derive(Debug)]
pub(crate) enum FileSendError {
    File(io::Error),
    Socket(io::Error),
}

impl Stream {
    /// Sends at most `count` bytes of a file from `offset` on, within the budget. Returns the number of bytes,
    /// zero at the end of the file, or `None` if the socket would block.
    pub(crate) fn send_from_file(
        &mut self,
        file: &mut File,
        offset: u64,
        count: u64,
        spares: &mut Spares,
    ) -> Result<Option<u64>, FileSendError> {
        if self.output.queued() > 0 || !self.is_writable() {
            return Ok(None);
        }
        if self.filtered().is_some() {
            let piece = read_piece(file, offset, count).map_err(FileSendError::File)?;
            self.push(&piece, true, spares).map_err(FileSendError::Socket)?;
            return Ok(Some(piece.len() as u64));
        }
        let most = count.min(WRITE_BUDGET as u64) as usize; // At most the budget, a `usize`.
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
            // sendfile(2) does not report whether the file or the socket has failed; a read of the file does.
            Err(error) => {
                let piece = read_piece(file, offset, count).map_err(FileSendError::File)?;
                self.push(&piece, true, spares)
                    .map_err(|later| FileSendError::Socket(first(error, later)))?;
                Ok(Some(piece.len() as u64))
            }
        }
    }
}

/// Returns the error that gives the cause. The socket reports each error once, so it is the first.
fn first(first: io::Error, later: io::Error) -> io::Error {
    match first.kind() {
        // The system cannot send this file itself.
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
