//! The bytes that are sent and compared.

use rustix::fs::{MemfdFlags, memfd_create, sendfile};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

/// The period of the pattern. Prime, while buffers have a power of two as their size, so that a
/// lost or doubled buffer is noticed; and small enough for the first-level cache.
const PERIOD: usize = 4_093;

/// From this length on, sending the file is cheaper than sending a copy.
const FILE_FROM: usize = 16 * 1024;

/// An endless pattern, of which each client sends its own part.
#[derive(Debug)]
pub(super) struct Pattern {
    /// One period, followed by the longest part that is sent at once.
    bytes: Vec<u8>,
    /// The same as a file, to be sent without a copy.
    file: Option<File>,
}

impl Pattern {
    /// Returns a pattern of which up to `longest` bytes are sent or compared at once.
    pub(super) fn new(longest: usize) -> io::Result<Self> {
        // Knuth's multiplier scatters the numbers, so that no two positions look alike.
        let byte = |place: usize| ((place % PERIOD) as u32).wrapping_mul(2_654_435_761) >> 24;
        let bytes: Vec<u8> = (0..PERIOD + longest).map(|place| byte(place) as u8).collect();
        let file = if longest >= FILE_FROM {
            let mut file = File::from(memfd_create("pattern", MemfdFlags::CLOEXEC)?);
            file.write_all(&bytes)?;
            Some(file)
        } else {
            None
        };
        Ok(Self { bytes, file })
    }

    /// Returns the bytes that a client sends from `offset` of its stream.
    pub(super) fn part(&self, client: usize, offset: u64, length: usize) -> &[u8] {
        let start = self.start(client, offset);
        &self.bytes[start..start + length]
    }

    /// Sends as much of that part as the socket accepts. Returns the number of bytes.
    pub(super) fn send(
        &self,
        socket: &OwnedFd,
        client: usize,
        offset: u64,
        length: usize,
    ) -> io::Result<usize> {
        let sent = match &self.file {
            Some(file) if length >= FILE_FROM => {
                let mut start = self.start(client, offset) as u64;
                sendfile(socket, file, Some(&mut start), length)
            }
            _ => send(socket, self.part(client, offset, length), SendFlags::NOSIGNAL),
        };
        match sent {
            Err(Errno::AGAIN) => Ok(0),
            sent => Ok(sent?),
        }
    }

    /// Clients begin at different positions, so that bytes of another client are noticed.
    fn start(&self, client: usize, offset: u64) -> usize {
        ((client as u64 * 61 + offset) % PERIOD as u64) as usize
    }
}
