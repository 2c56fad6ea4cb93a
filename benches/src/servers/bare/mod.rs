//! No framework: a plain loop on epoll in one thread, which sleeps when there is nothing to do, and
//! writes each answer immediately. All others are compared to it. A framework may be faster: one
//! that falls asleep later need not be woken, and one that polls again before it writes sends more
//! in one call.
//!
//! The limit is the same loop with both: it never sleeps, and before a broadcast it polls until
//! nothing more has arrived. It occupies its processor, so its processor time says nothing when the
//! load is slower.
//!
//! Each socket is registered once, edge-triggered, for reading and for writing. An event causes one
//! read and one write, since a short read shows that nothing is left. One buffer serves all reads.
//! Data that a socket does not accept is queued, and sent when epoll reports space.

mod broadcast;
mod echo;

use super::listener::listen;
use super::{Served, Work, announce, refusal};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::SocketFlags;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// How many events one wait may return.
const EVENTS: usize = 1024;

/// How many full reads one connection may have before other connections are served.
const READS: usize = 16;

/// The events that are reported of a connection.
const CONNECTION: EventFlags = EventFlags::IN.union(EventFlags::OUT).union(EventFlags::RDHUP);

/// Events after which more may follow a short read: the peer's end, or an error.
const ENDS: EventFlags = EventFlags::RDHUP.union(EventFlags::HUP).union(EventFlags::ERR);

/// The peer has closed, or the connection is broken.
struct Closed;

/// What a loop does when nothing has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idle {
    Sleep,
    /// Polls again immediately.
    Spin,
}

impl Idle {
    /// Returns how long a wait may last.
    #[inline]
    fn limit(self) -> Option<&'static Timespec> {
        match self {
            Self::Sleep => None,
            Self::Spin => Some(&Timespec { tv_sec: 0, tv_nsec: 0 }),
        }
    }
}

pub(super) fn serve(work: Work, address: SocketAddr) -> Served {
    run(work, address, Idle::Sleep)
}

/// Serves as the limit: it never sleeps, and gathers.
pub(super) fn serve_limit(work: Work, address: SocketAddr) -> Served {
    run(work, address, Idle::Spin)
}

fn run(work: Work, address: SocketAddr, idle: Idle) -> Served {
    let listener = listen(address)?;
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    register(&poll, &listener, EventFlags::IN)?;
    announce(listener.local_addr()?)?;
    match work {
        Work::Echo => echo::serve(&poll, &listener, idle),
        Work::Broadcast => broadcast::serve(&poll, &listener, idle),
        Work::Digest => Err(refusal("bare", work)),
    }
}

/// Returns an empty buffer of events.
fn no_events() -> [Event; EVENTS] {
    [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; EVENTS]
}

/// Waits for events, or polls. Returns the number of events.
fn wait(poll: &OwnedFd, events: &mut [Event], idle: Idle) -> io::Result<usize> {
    match epoll::wait(poll, events, idle.limit()) {
        Err(Errno::INTR) => Ok(0),
        waited => Ok(waited?),
    }
}

/// The token is the descriptor's number. The system uses each number once, and small ones first, so
/// a vector of connections by number needs no free list.
fn register(poll: &OwnedFd, socket: &impl AsFd, flags: EventFlags) -> io::Result<()> {
    let socket = socket.as_fd();
    Ok(epoll::add(poll, socket, token(socket), flags | EventFlags::ET)?)
}

/// Registering again causes an event immediately if there is data: so a connection that has used
/// its budget is queued after all others.
fn rearm(poll: &OwnedFd, socket: &OwnedFd) -> Result<(), Closed> {
    let flags = CONNECTION | EventFlags::ET;
    epoll::modify(poll, socket, token(socket.as_fd()), flags).map_err(|_| Closed)
}

fn token(socket: BorrowedFd<'_>) -> EventData {
    EventData::new_u64(socket.as_raw_fd() as u64)
}

/// Closes a connection.
#[cold]
fn end<C>(connections: &mut [Option<C>], number: usize) {
    connections[number] = None;
}

/// Accepts all waiting clients into `connections`, by their numbers.
#[inline(never)]
fn accept<C>(
    poll: &OwnedFd,
    listener: &TcpListener,
    connections: &mut Vec<Option<C>>,
    connection: impl Fn(OwnedFd) -> C,
) -> io::Result<()> {
    loop {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = match rustix::net::accept_with(listener, flags) {
            Ok(socket) => socket,
            Err(Errno::CONNABORTED | Errno::INTR) => continue,
            // No client is left, or no descriptor: then the next client causes the next attempt.
            Err(_) => return Ok(()),
        };
        register(poll, &socket, CONNECTION)?;
        let number = socket.as_raw_fd() as usize;
        if number >= connections.len() {
            connections.resize_with(number + 1, || None);
        }
        connections[number] = Some(connection(socket));
    }
}

/// Returns how many bytes a write has sent, if the connection is open.
fn sent(outcome: Result<usize, Errno>) -> Result<usize, Closed> {
    match outcome {
        Ok(sent) => Ok(sent),
        Err(Errno::AGAIN) => Ok(0),
        Err(_) => Err(Closed),
    }
}

/// Sends as much queued data as the socket accepts.
fn flush(socket: &OwnedFd, waiting: &mut Vec<u8>) -> Result<(), Closed> {
    let sent = sent(rustix::io::write(socket, waiting))?;
    waiting.drain(..sent);
    if waiting.is_empty() {
        *waiting = Vec::new(); // An empty queue holds no memory.
    }
    Ok(())
}
