//! Descriptors that are not sockets of ours, and what the poll can know of them.

use crate::sys::{Borrowed, OwnedFd, Watchable, Watched};
use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Registry, Token};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// For what a descriptor is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "addReader")]
#[doc(alias = "addWriter")]
pub enum Interest {
    /// For nothing, for the time being.
    Nothing,
    /// For something to read; the end and an error count, too.
    Readable,
    /// For room to write; an error counts, too.
    Writable,
    /// For both.
    Both,
}

impl Interest {
    pub(crate) fn wants_readable(self) -> bool {
        matches!(self, Self::Readable | Self::Both)
    }

    pub(crate) fn wants_writable(self) -> bool {
        matches!(self, Self::Writable | Self::Both)
    }
}

/// Any descriptor, in a copy of our own.
///
/// The poll goes by the descriptor's number. Whoever watches one may close it before its time, and the
/// number may be given to a stranger; of the copy only we dispose.
#[derive(Debug)]
pub(crate) struct Descriptor {
    copy: OwnedFd,
}

/// For what a descriptor is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

const NO_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

impl Descriptor {
    pub(super) fn new(descriptor: Borrowed<'_>) -> io::Result<Self> {
        Ok(Self { copy: descriptor.try_clone_to_owned()? })
    }

    /// For what it is ready now, of what is asked for (poll(2)). Its end and its errors count as
    /// ready: whoever reads or writes then learns of them.
    pub(crate) fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let mut asked = PollFlags::empty();
        asked.set(PollFlags::IN, interest.wants_readable());
        asked.set(PollFlags::OUT, interest.wants_writable());
        if asked.is_empty() {
            return Ok(Ready::default());
        }
        let mut polled = [PollFd::new(&self.copy, asked)];
        while let Err(error) = poll(&mut polled, Some(&NO_WAIT)) {
            if error != Errno::INTR {
                return Err(error.into());
            }
        }
        let is = |flag| polled[0].revents().intersects(flag | PollFlags::ERR | PollFlags::HUP);
        Ok(Ready {
            readable: interest.wants_readable() && is(PollFlags::IN),
            writable: interest.wants_writable() && is(PollFlags::OUT),
        })
    }
}

impl Source for Descriptor {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: mio::Interest,
    ) -> io::Result<()> {
        SourceFd(&self.copy.as_raw_fd()).register(registry, token, interest)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: mio::Interest,
    ) -> io::Result<()> {
        SourceFd(&self.copy.as_raw_fd()).reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.copy.as_raw_fd()).deregister(registry)
    }
}

impl Watched for Descriptor {
    fn interest(&self) -> mio::Interest {
        mio::Interest::READABLE | mio::Interest::WRITABLE
    }

    fn watchable(&mut self) -> Watchable<'_> {
        Watchable::System(self)
    }

    fn descriptor(&self) -> Option<Borrowed<'_>> {
        Some(self.copy.as_fd())
    }
}
