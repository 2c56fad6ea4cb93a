//! A pair of descriptors as one stream: one is read, the other is written. They may be pipes, terminals, stream
//! sockets, files or devices.

use crate::sys::backend::{SocketBackend, StreamBackend, unsupported};
use crate::sys::platform::{PIPE_BUF, open_terminal};
use crate::sys::stream::calls::{SENDING_SLICES, receive, send};
#[cfg(feature = "process")]
use crate::sys::stream::standard_io::{self, Standard};
use crate::sys::{OwnedFd, uninterrupted, watch};
use crate::values::address::Address;
use crate::values::id::Id;
use crate::values::socket_option::SocketOption;
use crate::values::watch::Interest;
use mio::unix::SourceFd;
use mio::{Registry, Token};
use socket2::{SockRef, Type};
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, IsTerminal, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;

/// The stream. Either side may be absent.
#[derive(Debug)]
pub(in crate::sys) struct SystemPipes {
    poll: Rc<Registry>,
    input: Option<End>,
    output: Option<End>,
    address: Address,
}

/// One of the two descriptors.
#[derive(Debug)]
struct End {
    file: File,
    access: Access,
    #[cfg(feature = "process")]
    _standard: Option<Standard>,
}

/// How a descriptor is read and written without blocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Regular files and some devices, which the system cannot poll: they are always ready.
    AlwaysReady,
    /// O_NONBLOCK is not set: other processes share the descriptor, and would be surprised by it. It is polled
    /// before each read and each write.
    Blocking,
    NonBlocking,
    /// Each call has its own flag.
    Socket,
}

impl SystemPipes {
    pub(in crate::sys) fn new(
        poll: &Rc<Registry>,
        input: Option<OwnedFd>,
        output: Option<OwnedFd>,
    ) -> io::Result<Self> {
        if input.is_none() && output.is_none() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "there is no descriptor"));
        }
        let end = |descriptor: Option<OwnedFd>| match descriptor {
            Some(descriptor) => End::new(descriptor).map(End::of_own_terminal).map(Some),
            None => Ok(None),
        };
        let (input, output) = (end(input)?, end(output)?);
        Ok(Self { poll: Rc::clone(poll), input, output, address: Address::Pipes })
    }

    /// Makes a stream of pipes that no other process shares.
    #[cfg(feature = "process")]
    pub(in crate::sys) fn unshared(
        poll: &Rc<Registry>,
        input: Option<OwnedFd>,
        output: Option<OwnedFd>,
    ) -> io::Result<Self> {
        for end in [&input, &output].into_iter().flatten() {
            SockRef::from(end).set_nonblocking(true)?;
        }
        Self::new(poll, input, output)
    }

    #[cfg(feature = "process")]
    pub(in crate::sys) fn standard(poll: &Rc<Registry>) -> io::Result<Self> {
        let [input, output] = standard_io::copies()?;
        let end = |(copy, standard): (OwnedFd, Standard)| {
            let mut end = End::new(copy)?;
            // The flag may be another process's, which may clear it at any time.
            if end.access == Access::NonBlocking {
                end.access = Access::Blocking;
            }
            end._standard = Some(standard);
            Ok::<_, io::Error>(Some(end.of_own_terminal()))
        };
        let (input, output) = (end(input)?, end(output)?);
        Ok(Self { poll: Rc::clone(poll), input, output, address: Address::StandardIo })
    }

    /// Returns true if nothing takes what is written any more.
    fn output_has_failed(&self) -> bool {
        self.output.as_ref().is_some_and(|end| {
            end.access != Access::AlwaysReady && watch::has_failed(end.file.as_fd())
        })
    }
}

impl StreamBackend for SystemPipes {
    fn connected_to(&self) -> io::Result<Option<Address>> {
        Ok(Some(self.address.clone()))
    }

    /// If there is nothing to read, reports that the output has failed: this is noticed without a write.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.input.as_mut().map_or(Ok(0), |end| end.read(buffer)) {
            Err(error) if error.kind() == ErrorKind::WouldBlock && self.output_has_failed() => {
                Err(ErrorKind::BrokenPipe.into())
            }
            result => result,
        }
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.output {
            Some(end) => end.write(slices),
            None => Err(ErrorKind::BrokenPipe.into()),
        }
    }

    /// Ends the sending direction of a socket, and closes any other descriptor.
    fn shutdown_write(&mut self) -> io::Result<()> {
        let Some(mut end) = self.output.take() else { return Ok(()) };
        let deregistered = end.deregister(&self.poll);
        if end.access == Access::Socket {
            SockRef::from(&end.file).shutdown(Shutdown::Write)?;
        }
        deregistered
    }

    /// A pipe has no reset.
    fn reset_on_close(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_nodelay(&self, _nodelay: bool) -> io::Result<()> {
        Ok(())
    }

    /// A read of a terminal returns one line, and a write to a blocking pipe takes little, whatever remains.
    fn short_means_would_block(&self) -> bool {
        false
    }

    /// Closing a pipe destroys no data. What is not read may be for another process.
    fn lingers(&self) -> bool {
        false
    }
}

impl SocketBackend for SystemPipes {
    fn register(&mut self, id: Id) -> io::Result<()> {
        let Self { poll, input, output, .. } = self;
        if let Some(end) = input {
            end.register(poll, id, mio::Interest::READABLE)?;
        }
        let registered = match output {
            Some(end) => end.register(poll, id, mio::Interest::WRITABLE),
            None => Ok(()),
        };
        if let (Err(_), Some(end)) = (&registered, input) {
            end.deregister(poll)?;
        }
        registered
    }

    fn deregister(&mut self) -> io::Result<()> {
        let Self { poll, input, output, .. } = self;
        let ends = [input, output].into_iter().flatten();
        ends.map(|end| end.deregister(poll)).fold(Ok(()), io::Result::and)
    }

    fn local_address(&self) -> io::Result<Address> {
        Ok(self.address.clone())
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        for end in [&self.input, &self.output].into_iter().flatten() {
            if end.access == Access::Socket
                && let Some(error) = SockRef::from(&end.file).take_error()?
            {
                return Ok(Some(error));
            }
        }
        Ok(self.output_has_failed().then(|| ErrorKind::BrokenPipe.into()))
    }

    fn set_option(&self, _option: &SocketOption) -> io::Result<()> {
        Err(unsupported())
    }
}

impl End {
    fn new(descriptor: OwnedFd) -> io::Result<Self> {
        let socket = SockRef::from(&descriptor);
        let access = match socket.r#type() {
            Ok(Type::STREAM) => Access::Socket,
            Ok(_) => {
                return Err(io::Error::new(
                    ErrorKind::InvalidInput,
                    "the socket is not a stream socket",
                ));
            }
            Err(_) if socket.nonblocking()? => Access::NonBlocking,
            Err(_) => Access::Blocking,
        };
        let file = File::from(descriptor);
        Ok(Self {
            file,
            access,
            #[cfg(feature = "process")]
            _standard: None,
        })
    }

    /// Opens a terminal once more. A terminal that poll(2) reports as writable may have room for one byte, and a blocking
    /// write of more waits for its reader.
    fn of_own_terminal(mut self) -> Self {
        if self.access == Access::Blocking
            && self.file.is_terminal()
            && let Some(file) = open_terminal(self.file.as_fd())
        {
            (self.file, self.access) = (file, Access::NonBlocking);
        }
        self
    }

    fn register(&mut self, poll: &Registry, id: Id, interest: mio::Interest) -> io::Result<()> {
        let mut source = SourceFd(&self.file.as_raw_fd());
        match poll.register(&mut source, Token(id.token()), interest) {
            // epoll_ctl(2), EPERM: the file does not support it. Others report readiness even for files.
            Err(error) if error.raw_os_error() == Some(crate::sys::errno::PERM) => {
                self.access = Access::AlwaysReady;
                Ok(())
            }
            result => result,
        }
    }

    fn deregister(&mut self, poll: &Registry) -> io::Result<()> {
        match self.access {
            Access::AlwaysReady => Ok(()),
            _ => poll.deregister(&mut SourceFd(&self.file.as_raw_fd())),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.access {
            Access::Socket => receive(self.file.as_fd(), buffer),
            Access::Blocking if !watch::ready(self.file.as_fd(), Interest::Readable)?.readable => {
                Err(ErrorKind::WouldBlock.into())
            }
            _ => uninterrupted(|| self.file.read(buffer)),
        }
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self.access, slices) {
            (Access::Socket, [only]) => send(self.file.as_fd(), only),
            (Access::Socket, _) => uninterrupted(|| {
                SockRef::from(&self.file).send_vectored_with_flags(slices, SENDING_SLICES)
            }),
            (Access::Blocking, _) => self.write_in_parts(slices),
            _ => uninterrupted(|| self.file.write_vectored(slices)),
        }
    }

    /// Writes as much as is certain not to block.
    fn write_in_parts(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut written = 0;
        for part in slices.iter().flat_map(|slice| slice.chunks(PIPE_BUF)) {
            let result = match watch::ready(self.file.as_fd(), Interest::Writable) {
                Ok(ready) if !ready.writable => Err(ErrorKind::WouldBlock.into()),
                Ok(_) => uninterrupted(|| self.file.write(part)),
                Err(error) => Err(error),
            };
            match result {
                Ok(count) => written += count,
                // The next call returns the error again.
                Err(_) if written > 0 => return Ok(written),
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }
}
