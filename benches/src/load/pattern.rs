//! What is sent, and so what must come back.

use rustix::fs::{MemfdFlags, memfd_create, sendfile};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

/// After how many bytes the pattern begins anew. It is prime, so that a piece which is lost or doubled
/// by some buffer, whose size is a power of two, does not go unnoticed; and as many as the fastest
/// cache of a processor keeps.
const PERIOD: usize = 4_093;

/// From so many bytes on it is cheaper to send the file than a copy of it.
const FILE_FROM: usize = 16 * 1024;

/// Bytes without end, of which each client sends its own part.
#[derive(Debug)]
pub(super) struct Pattern {
    /// A period, and behind it as much as is ever sent at once.
    bytes: Vec<u8>,
    /// The same, so that it can be sent without a copy.
    file: Option<File>,
}

impl Pattern {
    /// A pattern of which up to `longest` bytes are sent or compared at once.
    pub(super) fn new(longest: usize) -> io::Result<Self> {
        // Knuth's multiplier scatters the numbers, so that no place looks like its neighbours.
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

    /// The bytes that a client sends from `offset` of its stream on.
    pub(super) fn part(&self, client: usize, offset: u64, length: usize) -> &[u8] {
        let start = self.start(client, offset);
        &self.bytes[start..start + length]
    }

    /// Sends as much of that part as the socket takes. How many bytes it was.
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

    /// Clients begin in different places, so that one that gets another's bytes notices.
    fn start(&self, client: usize, offset: u64) -> usize {
        ((client as u64 * 61 + offset) % PERIOD as u64) as usize
    }
}
