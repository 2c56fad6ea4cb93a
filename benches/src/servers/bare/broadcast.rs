//! The bare broadcast.
//!
//! All lines of a turn stand in one buffer, one speaker's behind the other's. At the end of the
//! turn each connection is sent that buffer in one call, without a copy; a speaker the parts
//! before and after what it said itself. The limit goes on looking until nothing more comes, and sends
//! all of that in one call.

use super::super::{Lines, READ_SIZE, Served};
use super::{ENDS, Gone, Idle, READS, accept, call_again, end, flush, no_events, wait};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use std::io::IoSlice;
use std::net::TcpListener;
use std::ops::Range;
use std::os::fd::OwnedFd;

/// So many looks in a row must bring nothing before the limit sends: some 20 µs, in which another speaker
/// that began at the same moment is heard.
const LOOKS: usize = 128;

/// Who lets more than this wait, in bytes, is not listening. It is ropewalk's limit.
const WAITING_LIMIT: usize = 64 * 1024 * 1024;

struct Connection {
    socket: OwnedFd,
    lines: Lines,
    /// Where in the turn's buffer stands what it said.
    said: Range<usize>,
    /// What it was not willing to take.
    waiting: Vec<u8>,
}

pub(super) fn serve(poll: &OwnedFd, listener: &TcpListener, idle: Idle) -> Served {
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut events = no_events();
    let mut buffer = vec![0; READ_SIZE];
    let mut turn = Vec::new();
    let mut empty = 0;
    loop {
        let count = wait(poll, &mut events, idle)?;
        for event in &events[..count] {
            let token = event.data.u64() as usize;
            let Some(Some(connection)) = connections.get_mut(token) else {
                accept(poll, listener, &mut connections, Connection::new)?;
                continue;
            };
            if !connection.said.is_empty() {
                // It spoke in this turn already; what it says must be in one place.
                tell_all(&mut connections, &mut turn);
            }
            let Some(Some(connection)) = connections.get_mut(token) else { continue };
            if connection.hear(poll, event.flags, &mut buffer, &mut turn).is_err() {
                end(&mut connections, token);
            }
        }
        empty = if count == 0 { empty + 1 } else { 0 };
        if idle == Idle::Sleep || empty >= LOOKS {
            tell_all(&mut connections, &mut turn);
            empty = 0;
        }
    }
}

/// Sends what was said in this turn.
fn tell_all(connections: &mut [Option<Connection>], turn: &mut Vec<u8>) {
    if turn.is_empty() {
        return;
    }
    for place in connections {
        if place.as_mut().is_some_and(|connection| connection.tell(turn).is_err()) {
            *place = None;
        }
    }
    turn.clear();
}

impl Connection {
    fn new(socket: OwnedFd) -> Self {
        Self { socket, lines: Lines::default(), said: 0..0, waiting: Vec::new() }
    }

    /// Sends what waits, and takes what came.
    fn hear(
        &mut self,
        poll: &OwnedFd,
        flags: EventFlags,
        buffer: &mut [u8],
        turn: &mut Vec<u8>,
    ) -> Result<(), Gone> {
        if !self.waiting.is_empty() {
            flush(&self.socket, &mut self.waiting)?;
        }
        self.said = turn.len()..turn.len();
        for _ in 0..READS {
            let count = match rustix::io::read(&self.socket, &mut *buffer) {
                Ok(0) => return Err(Gone),
                Ok(count) => count,
                Err(Errno::AGAIN) => return Ok(()),
                Err(_) => return Err(Gone),
            };
            self.lines.cut(&buffer[..count], |lines| turn.extend_from_slice(lines));
            self.said.end = turn.len();
            if count < buffer.len() && !flags.intersects(ENDS) {
                return Ok(());
            }
        }
        call_again(poll, &self.socket)
    }

    /// Sends what the others said in this turn, behind what waits.
    fn tell(&mut self, turn: &[u8]) -> Result<(), Gone> {
        let said = std::mem::take(&mut self.said);
        let (before, after) = (&turn[..said.start], &turn[said.end..]);
        let mut sent = 0;
        if self.waiting.is_empty() {
            let slices = [IoSlice::new(before), IoSlice::new(after)];
            let slices = if before.is_empty() { &slices[1..] } else { &slices };
            sent = super::sent(rustix::io::writev(&self.socket, slices))?;
        }
        for part in [before, after] {
            let taken = sent.min(part.len());
            self.waiting.extend_from_slice(&part[taken..]);
            sent -= taken;
        }
        if self.waiting.len() > WAITING_LIMIT { Err(Gone) } else { Ok(()) }
    }
}
