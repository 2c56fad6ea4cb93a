//! Stream sockets of a backend: the system's, or those of another backend.

use crate::sys::backend::{SocketBackend, StreamBackend};
#[cfg(feature = "system")]
use crate::sys::platform::SHORT_MEANS_WOULD_BLOCK;
#[cfg(unix)]
use crate::sys::received::ReceivedMessage;
#[cfg(feature = "system")]
use crate::sys::stream::SystemStream;
#[cfg(unix)]
use crate::sys::{BorrowedFd, OwnedFd};
use crate::values::address::Address;
#[cfg(all(unix, feature = "credentials"))]
use crate::values::credentials::Credentials;
use crate::values::id::Id;
use crate::values::socket_option::SocketOption;
use std::fs::File;
use std::io::{self, IoSlice};

/// The socket of a connection or connection attempt: one of the system, or any other [`StreamBackend`].
///
/// It implements [`StreamBackend`] itself, so a recording backend can wrap it.
#[derive(Debug)]
pub struct StreamSocket(Kind);

/// A socket of the system. It is not boxed: see [`backend`](crate::backend).
#[derive(Debug)]
enum Kind {
    #[cfg(feature = "system")]
    System(SystemStream),
    Backend(Box<dyn StreamBackend>),
}

/// Calls a method of either kind of socket.
macro_rules! either {
    ($self:expr, $socket:ident => $call:expr) => {
        match $self {
            #[cfg(feature = "system")]
            Kind::System($socket) => $call,
            Kind::Backend($socket) => $call,
        }
    };
}

impl StreamSocket {
    /// Wraps a socket of a backend.
    pub fn new(socket: impl StreamBackend + 'static) -> Self {
        Self(Kind::Backend(Box::new(socket)))
    }

    #[cfg(feature = "system")]
    pub(in crate::sys) fn system(socket: SystemStream) -> Self {
        Self(Kind::System(socket))
    }

    /// Reads. Inlined into the event loop if it is the system's, observed or not.
    #[inline(always)]
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            #[cfg(feature = "system")]
            Kind::System(socket) => socket.read(buffer),
            Kind::Backend(socket) => {
                #[cfg(feature = "system")]
                if let Some(system) = observed(socket.as_mut()) {
                    let read = system.read(buffer);
                    return note_read(socket.as_mut(), buffer, read);
                }
                receive_from(socket.as_mut(), buffer)
            }
        }
    }

    /// Writes. Inlined like [`receive`](Self::receive).
    #[inline(always)]
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            #[cfg(feature = "system")]
            Kind::System(socket) => socket.write(bytes),
            Kind::Backend(socket) => {
                #[cfg(feature = "system")]
                if let Some(system) = observed(socket.as_mut()) {
                    let written = system.write(bytes);
                    return note_write(socket.as_mut(), bytes, written);
                }
                send_to(socket.as_mut(), bytes)
            }
        }
    }

    /// Turns the socket into its descriptor, which stays open.
    #[cfg(unix)]
    pub(crate) fn detach(self) -> io::Result<OwnedFd> {
        Box::new(self).into_descriptor()
    }
}

/// Returns the system's socket that this one observes.
#[cfg(feature = "system")]
#[cold]
#[inline(never)]
fn observed(socket: &mut dyn StreamBackend) -> Option<&mut SystemStream> {
    match socket.observed() {
        Some(StreamSocket(Kind::System(system))) => Some(system),
        _ => None,
    }
}

/// The result goes through by value, so that it stays in registers for sockets that are not observed.
#[cfg(feature = "system")]
#[cold]
#[inline(never)]
fn note_read(
    socket: &mut dyn StreamBackend,
    buffer: &[u8],
    read: io::Result<usize>,
) -> io::Result<usize> {
    socket.has_read(buffer, &read);
    read
}

#[cfg(feature = "system")]
#[cold]
#[inline(never)]
fn note_write(
    socket: &mut dyn StreamBackend,
    bytes: &[u8],
    written: io::Result<usize>,
) -> io::Result<usize> {
    socket.has_written(bytes, &written);
    written
}

#[cold]
#[inline(never)]
fn receive_from(socket: &mut dyn StreamBackend, buffer: &mut [u8]) -> io::Result<usize> {
    socket.read(buffer)
}

#[cold]
#[inline(never)]
fn send_to(socket: &mut dyn StreamBackend, bytes: &[u8]) -> io::Result<usize> {
    socket.write(&[IoSlice::new(bytes)])
}

impl SocketBackend for StreamSocket {
    fn register(&mut self, id: Id) -> io::Result<()> {
        either!(&mut self.0, socket => socket.register(id))
    }

    fn deregister(&mut self) -> io::Result<()> {
        either!(&mut self.0, socket => socket.deregister())
    }

    fn local_address(&self) -> io::Result<Address> {
        either!(&self.0, socket => socket.local_address())
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        either!(&self.0, socket => socket.take_error())
    }

    fn set_option(&self, option: &SocketOption) -> io::Result<()> {
        either!(&self.0, socket => socket.set_option(option))
    }

    #[cfg(unix)]
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.0 {
            #[cfg(feature = "system")]
            Kind::System(socket) => Some(socket.descriptor()),
            Kind::Backend(socket) => socket.descriptor(),
        }
    }

    #[cfg(unix)]
    fn share(&mut self) {
        either!(&mut self.0, socket => socket.share());
    }

    #[cfg(unix)]
    fn into_descriptor(self: Box<Self>) -> io::Result<OwnedFd> {
        match self.0 {
            #[cfg(feature = "system")]
            Kind::System(socket) => Ok(socket.into()),
            Kind::Backend(socket) => socket.into_descriptor(),
        }
    }
}

impl StreamBackend for StreamSocket {
    fn connected_to(&self) -> io::Result<Option<Address>> {
        either!(&self.0, socket => socket.connected_to())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        either!(&mut self.0, socket => socket.read(buffer))
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.0 {
            #[cfg(feature = "system")]
            Kind::System(socket) => socket.write_slices(slices),
            Kind::Backend(socket) => socket.write(slices),
        }
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        either!(&mut self.0, socket => socket.shutdown_write())
    }

    fn reset_on_close(&self) -> io::Result<()> {
        either!(&self.0, socket => socket.reset_on_close())
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        either!(&self.0, socket => socket.set_nodelay(nodelay))
    }

    fn short_means_would_block(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "system")]
            Kind::System(_) => SHORT_MEANS_WOULD_BLOCK,
            Kind::Backend(socket) => socket.short_means_would_block(),
        }
    }

    fn lingers(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "system")]
            Kind::System(_) => true,
            Kind::Backend(socket) => socket.lingers(),
        }
    }

    fn write_from_file(&mut self, file: &File, offset: u64, count: usize) -> io::Result<usize> {
        either!(&mut self.0, socket => socket.write_from_file(file, offset, count))
    }

    fn passes_descriptors(&self) -> bool {
        either!(&self.0, socket => socket.passes_descriptors())
    }

    #[cfg(unix)]
    fn takes_descriptors(&self) -> bool {
        either!(&self.0, socket => socket.takes_descriptors())
    }

    #[cfg(unix)]
    fn read_with_descriptors(
        &mut self,
        buffer: &mut [u8],
        take: bool,
    ) -> io::Result<ReceivedMessage> {
        either!(&mut self.0, socket => socket.read_with_descriptors(buffer, take))
    }

    #[cfg(unix)]
    fn write_with_descriptors(
        &mut self,
        slices: &[IoSlice<'_>],
        descriptors: &[OwnedFd],
    ) -> io::Result<usize> {
        either!(&mut self.0, socket => socket.write_with_descriptors(slices, descriptors))
    }

    #[cfg(unix)]
    fn is_too_many_descriptors(&self, error: &io::Error) -> bool {
        either!(&self.0, socket => socket.is_too_many_descriptors(error))
    }

    #[cfg(all(unix, feature = "credentials"))]
    fn peer_credentials(&self) -> Option<io::Result<Credentials>> {
        either!(&self.0, socket => socket.peer_credentials())
    }
}
