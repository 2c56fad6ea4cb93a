//! No framework: a plain loop on epoll in one thread, which sleeps when there is nothing to do, and writes
//! each answer at once. All others are compared to it. A framework may do better: one that is slower to
//! fall asleep need not be woken, and one that looks again before it writes sends more with one call.
//!
//! The limit is the same loop with both: it never sleeps, and before it broadcasts it looks until nothing
//! more has come. It takes all of its processor, so its processor time says nothing when the load is slower.
//!
//! Each socket is registered once, edge-triggered, for reading and for writing. An event brings one
//! read and one write, since a short read says that nothing is left. One buffer serves all reads.
//! What a socket does not take waits, and goes when epoll says that there is room again.

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

/// How many events one wait may bring.
const EVENTS: usize = 1024;

/// How many full reads one connection may have before the others are served.
const READS: usize = 16;

/// What is to be told of a connection.
const CONNECTION: EventFlags = EventFlags::IN.union(EventFlags::OUT).union(EventFlags::RDHUP);

/// What says that more may follow a short read: the peer's end, or an error.
const ENDS: EventFlags = EventFlags::RDHUP.union(EventFlags::HUP).union(EventFlags::ERR);

/// Its other side has ended, or it is broken.
struct Gone;

/// What a loop does when nothing has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idle {
    Sleep,
    /// Asks again at once.
    Spin,
}

impl Idle {
    /// For how long a wait may last.
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

/// The limit: it never sleeps, and gathers.
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

/// A place for the events of a wait.
fn no_events() -> [Event; EVENTS] {
    [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; EVENTS]
}

/// Waits until something happens, or looks whether something has. How many events it was.
fn wait(poll: &OwnedFd, events: &mut [Event], idle: Idle) -> io::Result<usize> {
    match epoll::wait(poll, events, idle.limit()) {
        Err(Errno::INTR) => Ok(0),
        waited => Ok(waited?),
    }
}

/// The token is the descriptor's number. The system gives each number once, and small ones first;
/// so a vector of connections by number needs no list of free places.
fn register(poll: &OwnedFd, socket: &impl AsFd, flags: EventFlags) -> io::Result<()> {
    let socket = socket.as_fd();
    Ok(epoll::add(poll, socket, token(socket), flags | EventFlags::ET)?)
}

/// To register anew brings an event at once if there is still something to read: so a connection
/// that has had its share goes behind all others.
fn call_again(poll: &OwnedFd, socket: &OwnedFd) -> Result<(), Gone> {
    let flags = CONNECTION | EventFlags::ET;
    epoll::modify(poll, socket, token(socket.as_fd()), flags).map_err(|_| Gone)
}

fn token(socket: BorrowedFd<'_>) -> EventData {
    EventData::new_u64(socket.as_raw_fd() as u64)
}

/// Closes a connection.
#[cold]
fn end<C>(connections: &mut [Option<C>], number: usize) {
    connections[number] = None;
}

/// Puts all who wait into `connections`, by their numbers.
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
            // None is left, or there are no descriptors for them: then the next client brings the
            // next attempt.
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

/// How many bytes a write has sent, if the connection is there still.
fn sent(outcome: Result<usize, Errno>) -> Result<usize, Gone> {
    match outcome {
        Ok(sent) => Ok(sent),
        Err(Errno::AGAIN) => Ok(0),
        Err(_) => Err(Gone),
    }
}

/// Sends what the socket takes of what waits.
fn flush(socket: &OwnedFd, waiting: &mut Vec<u8>) -> Result<(), Gone> {
    let sent = sent(rustix::io::write(socket, waiting))?;
    waiting.drain(..sent);
    if waiting.is_empty() {
        *waiting = Vec::new(); // Who waits for nothing holds no memory.
    }
    Ok(())
}
