//! The bare echo.

use super::super::{READ_SIZE, Served};
use super::{ENDS, Gone, READS, accept, call_again, end, flush, no_events, sent, wait};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use std::net::TcpListener;
use std::os::fd::OwnedFd;

struct Connection {
    socket: OwnedFd,
    /// What it was not willing to take. Nothing is read meanwhile, so this is a part of one read.
    waiting: Vec<u8>,
}

pub(super) fn serve(poll: &OwnedFd, listener: &TcpListener) -> Served {
    let mut connections = Vec::new();
    let mut events = no_events();
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let count = wait(poll, &mut events)?;
        for event in &events[..count] {
            let token = event.data.u64() as usize;
            let Some(Some(connection)) = connections.get_mut(token) else {
                accept(poll, listener, &mut connections, Connection::new)?;
                continue;
            };
            if connection.serve(poll, event.flags, &mut buffer).is_err() {
                end(&mut connections, token);
            }
        }
    }
}

impl Connection {
    fn new(socket: OwnedFd) -> Self {
        Self { socket, waiting: Vec::new() }
    }

    /// The short road, which nearly every event takes: one read, one write. What is rare is kept
    /// out of it, in functions marked cold: that took an echo from 70 instructions to 55,
    /// its share of the wait included.
    #[inline]
    fn serve(&mut self, poll: &OwnedFd, flags: EventFlags, buffer: &mut [u8]) -> Result<(), Gone> {
        if !self.waiting.is_empty() {
            return self.catch_up(poll, flags, buffer);
        }
        if self.echo(flags, buffer)? { self.go_on(poll, flags, buffer) } else { Ok(()) }
    }

    /// Whether there may be more to read, and room for it.
    #[inline]
    fn echo(&mut self, flags: EventFlags, buffer: &mut [u8]) -> Result<bool, Gone> {
        let count = match rustix::io::read(&self.socket, &mut *buffer) {
            Ok(0) => return Err(Gone),
            Ok(count) => count,
            Err(Errno::AGAIN) => return Ok(false),
            Err(_) => return Err(Gone),
        };
        match rustix::io::write(&self.socket, &buffer[..count]) {
            Ok(sent) if sent == count => Ok(count == buffer.len() || flags.intersects(ENDS)),
            outcome => self.keep(outcome, &buffer[..count]),
        }
    }

    /// Keeps what was not sent of `data`. There is no room for more.
    #[cold]
    fn keep(&mut self, outcome: Result<usize, Errno>, data: &[u8]) -> Result<bool, Gone> {
        let sent = sent(outcome)?;
        self.waiting.extend_from_slice(&data[sent..]);
        Ok(false)
    }

    /// There is room again for what waits; then for more.
    #[cold]
    fn catch_up(
        &mut self,
        poll: &OwnedFd,
        flags: EventFlags,
        buffer: &mut [u8],
    ) -> Result<(), Gone> {
        flush(&self.socket, &mut self.waiting)?;
        if self.waiting.is_empty() { self.go_on(poll, flags, buffer) } else { Ok(()) }
    }

    /// Reads on, as often as one may before the others are served.
    #[cold]
    fn go_on(&mut self, poll: &OwnedFd, flags: EventFlags, buffer: &mut [u8]) -> Result<(), Gone> {
        for _ in 0..READS {
            if !self.echo(flags, buffer)? {
                return Ok(());
            }
        }
        call_again(poll, &self.socket)
    }
}
