//! Stream sockets on Unix: Unix sockets, adopted sockets, passed descriptors.

use crate::sys::backend::ConnectRequest;
use crate::sys::received::ReceivedMessage;
use crate::sys::stream::{StreamFamily, SystemStream};
use crate::sys::{BorrowedFd, OwnedFd, fd_passing, uninterrupted, unix};
use crate::values::address::Address;
#[cfg(feature = "credentials")]
use crate::values::credentials::Credentials;
use crate::values::unix_address::UnixAddress;
use mio::Registry;
use socket2::{Domain, Socket};
use std::io::{self, IoSlice};
use std::rc::Rc;

impl SystemStream {
    pub(in crate::sys) fn unix(
        poll: &Rc<Registry>,
        socket: mio::net::UnixStream,
        takes_descriptors: bool,
    ) -> Self {
        let poll = Rc::clone(poll);
        Self { poll, socket: StreamFamily::Unix(socket), takes_descriptors, shared: false }
    }

    /// Connects to a Unix socket, which succeeds or fails immediately. `WouldBlock` means that the listener's
    /// queue is full; no event reports when it has space again (connect(2), EAGAIN).
    pub(in crate::sys) fn connect_unix(
        poll: &Rc<Registry>,
        address: &UnixAddress,
        request: &ConnectRequest<'_>,
    ) -> io::Result<Self> {
        let socket = unix::connect(address, request.options)?;
        Ok(Self::unix(poll, socket, request.takes_descriptors))
    }

    /// Adopts a connected, non-blocking socket. Returns its peer's address as well.
    pub(in crate::sys) fn adopt(
        poll: &Rc<Registry>,
        socket: Socket,
        takes_descriptors: bool,
    ) -> io::Result<(Self, Address)> {
        let mut socket = match socket.local_addr()?.domain() {
            Domain::UNIX => {
                let socket = mio::net::UnixStream::from_std(socket.into());
                Self::unix(poll, socket, takes_descriptors)
            }
            _ => Self::new(poll, mio::net::TcpStream::from_std(socket.into())),
        };
        socket.share();
        let peer = socket.peer_address()?;
        Ok((socket, peer))
    }

    pub(in crate::sys) fn takes_descriptors(&self) -> bool {
        self.takes_descriptors
    }

    /// Sends bytes, and `descriptors` with the first of them.
    pub(in crate::sys) fn write_with_descriptors(
        &mut self,
        slices: &[IoSlice<'_>],
        descriptors: &[OwnedFd],
    ) -> io::Result<usize> {
        uninterrupted(|| fd_passing::send(self.borrowed(), slices, descriptors))
    }

    /// Returns true if too many descriptors are in flight (ETOOMANYREFS, unix(7)).
    pub(in crate::sys) fn is_too_many_descriptors(&self, error: &io::Error) -> bool {
        rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::TOOMANYREFS)
    }

    /// Reads, and takes the descriptors sent with the bytes if `take` is true. If not, the system closes them.
    pub(in crate::sys) fn read_with_descriptors(
        &mut self,
        buffer: &mut [u8],
        take: bool,
    ) -> io::Result<ReceivedMessage> {
        uninterrupted(|| fd_passing::receive(self.borrowed(), buffer, take))
    }

    /// Returns the credentials that the peer had when it connected, or began to listen.
    #[cfg(feature = "credentials")]
    pub(in crate::sys) fn peer_credentials(&self) -> Option<io::Result<Credentials>> {
        use crate::sys::platform::credentials;
        if self.passes_descriptors() { credentials(self.borrowed()) } else { None }
    }

    pub(in crate::sys) fn share(&mut self) {
        self.shared = true;
    }

    pub(in crate::sys) fn descriptor(&self) -> BorrowedFd<'_> {
        self.borrowed()
    }
}

impl From<SystemStream> for OwnedFd {
    fn from(stream: SystemStream) -> Self {
        stream.socket.into()
    }
}
