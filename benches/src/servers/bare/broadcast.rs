//! The bare broadcast.
//!
//! All lines of a turn are in one buffer, sender after sender. At the end of the turn each
//! connection is sent that buffer in one call, without a copy; a sender is sent the parts before
//! and after its own. The limit polls until nothing more arrives, and sends all of that in one
//! call.

use super::super::{Lines, READ_SIZE, Served};
use super::{Closed, ENDS, Idle, READS, accept, end, flush, no_events, rearm, wait};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use std::io::IoSlice;
use std::net::TcpListener;
use std::ops::Range;
use std::os::fd::OwnedFd;

/// The limit sends after this many polls in a row without data: some 20 µs, in which data of
/// another sender that began at the same moment arrives.
const LOOKS: usize = 128;

/// A connection with more queued bytes than this is closed. It is ropewalk's limit.
const WAITING_LIMIT: usize = 64 * 1024 * 1024;

struct Connection {
    socket: OwnedFd,
    lines: Lines,
    /// The position of its own lines in the turn's buffer.
    own: Range<usize>,
    /// Data that the socket has not accepted.
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
            if !connection.own.is_empty() {
                // It has sent in this turn already; its lines must be contiguous.
                send_all(&mut connections, &mut turn);
            }
            let Some(Some(connection)) = connections.get_mut(token) else { continue };
            if connection.read_lines(poll, event.flags, &mut buffer, &mut turn).is_err() {
                end(&mut connections, token);
            }
        }
        empty = if count == 0 { empty + 1 } else { 0 };
        if idle == Idle::Sleep || empty >= LOOKS {
            send_all(&mut connections, &mut turn);
            empty = 0;
        }
    }
}

/// Sends the lines of this turn to all connections.
fn send_all(connections: &mut [Option<Connection>], turn: &mut Vec<u8>) {
    if turn.is_empty() {
        return;
    }
    for place in connections {
        if place.as_mut().is_some_and(|connection| connection.send_others(turn).is_err()) {
            *place = None;
        }
    }
    turn.clear();
}

impl Connection {
    fn new(socket: OwnedFd) -> Self {
        Self { socket, lines: Lines::default(), own: 0..0, waiting: Vec::new() }
    }

    /// Sends queued data, and reads.
    fn read_lines(
        &mut self,
        poll: &OwnedFd,
        flags: EventFlags,
        buffer: &mut [u8],
        turn: &mut Vec<u8>,
    ) -> Result<(), Closed> {
        if !self.waiting.is_empty() {
            flush(&self.socket, &mut self.waiting)?;
        }
        self.own = turn.len()..turn.len();
        for _ in 0..READS {
            let count = match rustix::io::read(&self.socket, &mut *buffer) {
                Ok(0) => return Err(Closed),
                Ok(count) => count,
                Err(Errno::AGAIN) => return Ok(()),
                Err(_) => return Err(Closed),
            };
            self.lines.cut(&buffer[..count], |lines| turn.extend_from_slice(lines));
            self.own.end = turn.len();
            if count < buffer.len() && !flags.intersects(ENDS) {
                return Ok(());
            }
        }
        rearm(poll, &self.socket)
    }

    /// Sends the lines of the others in this turn, after queued data.
    fn send_others(&mut self, turn: &[u8]) -> Result<(), Closed> {
        let own = std::mem::take(&mut self.own);
        let (before, after) = (&turn[..own.start], &turn[own.end..]);
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
        if self.waiting.len() > WAITING_LIMIT { Err(Closed) } else { Ok(()) }
    }
}
