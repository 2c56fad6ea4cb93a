//! Watched descriptors of users.

use crate::sys::backend::{SocketBackend, WatchBackend, unsupported};
use crate::sys::options::set_option;
use crate::sys::{BorrowedFd, OwnedFd, uninterrupted};
use crate::values::address::Address;
use crate::values::id::Id;
use crate::values::socket_option::SocketOption;
use crate::values::watch::{Interest, Ready};
use mio::unix::SourceFd;
use mio::{Registry, Token};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::time::Duration;

/// Returns which of the operations in `interest` would not block now, by poll(2). The end of the data and errors
/// count as ready.
pub(super) fn ready(descriptor: BorrowedFd<'_>, interest: Interest) -> io::Result<Ready> {
    let mut asked = PollFlags::empty();
    asked.set(PollFlags::IN, interest.wants_readable());
    asked.set(PollFlags::OUT, interest.wants_writable());
    if asked.is_empty() {
        return Ok(Ready::default());
    }
    let polled = look(descriptor, asked, Duration::ZERO)?;
    let is = |flag| polled.intersects(flag | PollFlags::ERR | PollFlags::HUP);
    Ok(Ready {
        readable: interest.wants_readable() && is(PollFlags::IN),
        writable: interest.wants_writable() && is(PollFlags::OUT),
    })
}

/// Returns true if a descriptor has an error: nothing reads the other end of a pipe, for example.
pub(super) fn has_failed(descriptor: BorrowedFd<'_>) -> bool {
    look(descriptor, PollFlags::empty(), Duration::ZERO)
        .is_ok_and(|polled| polled.contains(PollFlags::ERR))
}

/// Returns true if no process has the other side of a pseudo-terminal open.
#[cfg(feature = "pty")]
pub(super) fn has_hung_up(descriptor: BorrowedFd<'_>) -> bool {
    look(descriptor, PollFlags::empty(), Duration::ZERO)
        .is_ok_and(|polled| polled.contains(PollFlags::HUP))
}

/// Waits until a descriptor is readable, at most `limit`.
#[cfg(feature = "process")]
pub(super) fn wait_readable(descriptor: BorrowedFd<'_>, limit: Duration) -> io::Result<()> {
    look(descriptor, PollFlags::IN, limit).map(drop)
}

fn look(descriptor: BorrowedFd<'_>, asked: PollFlags, limit: Duration) -> io::Result<PollFlags> {
    let limit = Timespec::try_from(limit).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut polled = [PollFd::new(&descriptor, asked)];
    uninterrupted(|| Ok(poll(&mut polled, Some(&limit))?))?;
    Ok(polled[0].revents())
}

/// A copy of a user's descriptor.
///
/// The poll identifies a descriptor by its number. The user may close the descriptor early, and the
/// number may be assigned to another file; the copy is closed only here.
#[derive(Debug)]
pub(super) struct SystemWatch {
    poll: Rc<Registry>,
    copy: OwnedFd,
}

impl SystemWatch {
    pub(super) fn new(poll: &Rc<Registry>, descriptor: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self { poll: Rc::clone(poll), copy: descriptor.try_clone_to_owned()? })
    }
}

impl WatchBackend for SystemWatch {
    fn ready(&self, interest: Interest) -> io::Result<Ready> {
        ready(self.copy.as_fd(), interest)
    }
}

impl SocketBackend for SystemWatch {
    fn register(&mut self, id: Id) -> io::Result<()> {
        let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
        self.poll.register(&mut SourceFd(&self.copy.as_raw_fd()), Token(id.token()), interest)
    }

    fn deregister(&mut self) -> io::Result<()> {
        self.poll.deregister(&mut SourceFd(&self.copy.as_raw_fd()))
    }

    /// The descriptor may not be a socket.
    fn local_address(&self) -> io::Result<Address> {
        Err(unsupported())
    }

    fn set_option(&self, option: &SocketOption) -> io::Result<()> {
        set_option(&SockRef::from(&self.copy), option)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.copy.as_fd())
    }
}
