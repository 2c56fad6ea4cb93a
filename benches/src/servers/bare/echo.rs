//! The bare echo: each answer is written immediately. While a socket is full the loop keeps reading
//! from it, so that one write sends all that was read meanwhile.

use super::super::Served;
use super::{Closed, ENDS, Idle, READS, accept, end, no_events, rearm, sent, wait};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use std::io::IoSlice;
use std::mem;
use std::net::TcpListener;
use std::os::fd::OwnedFd;

/// The size of the read buffer in bytes: that of libuv and asyncio, and of ropewalk's once it has
/// grown.
const READ_SIZE: usize = 256 * 1024;

/// With this many bytes queued, reading stops.
const QUEUE_LIMIT: usize = 512 * 1024;

struct Connection {
    socket: OwnedFd,
    /// Data that the socket has not accepted, from `taken` on.
    queue: Vec<u8>,
    taken: usize,
}

pub(super) fn serve(poll: &OwnedFd, listener: &TcpListener, idle: Idle) -> Served {
    let mut connections = Vec::new();
    let mut events = no_events();
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let count = wait(poll, &mut events, idle)?;
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
        Self { socket, queue: Vec::new(), taken: 0 }
    }

    /// The short path, which nearly every event takes: one read, one write. Rare cases are in
    /// functions marked cold, which reduced an echo from 70 instructions to 55, including its share
    /// of the wait.
    #[inline]
    fn serve(
        &mut self,
        poll: &OwnedFd,
        flags: EventFlags,
        buffer: &mut [u8],
    ) -> Result<(), Closed> {
        if !self.queue.is_empty() {
            return self.continue_reading(poll, flags, buffer);
        }
        if self.echo(flags, buffer)? { self.continue_reading(poll, flags, buffer) } else { Ok(()) }
    }

    /// Returns true if there may be more to read. Always inlined, so that nothing returns between
    /// the write of one event and the read of the next: see docs/costs.md.
    #[inline(always)]
    fn echo(&mut self, flags: EventFlags, buffer: &mut [u8]) -> Result<bool, Closed> {
        let count = match rustix::io::read(&self.socket, &mut *buffer) {
            Ok(0) => return Err(Closed),
            Ok(count) => count,
            Err(Errno::AGAIN) => return Ok(false),
            Err(_) => return Err(Closed),
        };
        match rustix::io::write(&self.socket, &buffer[..count]) {
            Ok(sent) if sent == count => {}
            outcome => self.queue.extend_from_slice(&buffer[sent(outcome)?..count]),
        }
        Ok(count == buffer.len() || flags.intersects(ENDS))
    }

    /// Continues reading, up to the limit before other connections are served.
    #[cold]
    fn continue_reading(
        &mut self,
        poll: &OwnedFd,
        flags: EventFlags,
        buffer: &mut [u8],
    ) -> Result<(), Closed> {
        for _ in 0..READS {
            let more = match self.queue.is_empty() {
                true => self.echo(flags, buffer)?,
                false => self.echo_behind_queue(flags, buffer)?,
            };
            if !more {
                return Ok(());
            }
        }
        rearm(poll, &self.socket)
    }

    /// Reads, if the queue has space, and sends the queue and the data in one write. Returns true
    /// if there may be more to read, and the queue has space for it. Otherwise the event that
    /// reports the socket as writable continues.
    fn echo_behind_queue(&mut self, flags: EventFlags, buffer: &mut [u8]) -> Result<bool, Closed> {
        let room = QUEUE_LIMIT.saturating_sub(self.queue.len() - self.taken).min(buffer.len());
        let count = match rustix::io::read(&self.socket, &mut buffer[..room]) {
            Ok(0) if room > 0 => return Err(Closed),
            Ok(count) => count,
            Err(Errno::AGAIN) => 0,
            Err(_) => return Err(Closed),
        };
        let (queued, new) = (&self.queue[self.taken..], &buffer[..count]);
        let slices = [IoSlice::new(queued), IoSlice::new(new)];
        let sent = sent(rustix::io::writev(&self.socket, &slices))?;
        if sent < queued.len() {
            self.taken += sent;
            if self.taken >= QUEUE_LIMIT {
                self.queue.drain(..mem::take(&mut self.taken));
            }
            self.queue.extend_from_slice(new);
        } else {
            let unsent = &new[sent - queued.len()..];
            (self.queue, self.taken) = (unsent.to_vec(), 0);
        }
        let ends = flags.intersects(ENDS) && count > 0;
        Ok(count == room && (room > 0 || self.queue.is_empty()) || ends)
    }
}
