//! Replayed streams.

use crate::bytes::Bytes;
use crate::outcome::Outcome;
use crate::player::Player;
use crate::record::{Call, Method};
use crate::recording::written;
use crate::replayer::over;
use crate::socket::{StreamShape, file_text};
use crate::value;
#[cfg(all(unix, feature = "credentials"))]
use ropewalk::Credentials;
#[cfg(unix)]
use ropewalk::backend::ReceivedMessage;
use ropewalk::backend::{SocketBackend, StreamBackend, StreamSocket};
use ropewalk::{Address, Id, SocketOption};
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice};
#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// Replays the opening of a stream, by the method of a listener or, if `on` is 0, of the backend.
pub(super) fn replayed(
    player: &Rc<Player>,
    method: Method,
    on: u32,
    text: &str,
) -> io::Result<(StreamSocket, Address)> {
    let call = Call::Other { method, socket: on, text };
    let opened = player.result(&call, |outcome| match outcome {
        Outcome::Socket(shape, peer) => Some((shape, value::address(&mut Bytes(peer)).ok()?)),
        _ => None,
    });
    let (shape, peer) = opened.unwrap_or_else(|| {
        // A listener of a replay that has ended has no more clients.
        Err(if on == 0 { over() } else { ErrorKind::WouldBlock.into() })
    })?;
    let (shape, socket) = (StreamShape::from_bits(shape), Replayed::new(player));
    Ok((StreamSocket::new(ReplayedStream { shape, socket }), peer))
}

/// Replays a pipe of a process, if it has this one.
#[cfg(all(unix, feature = "process"))]
pub(super) fn replayed_pipe(player: &Rc<Player>, process: u32) -> Option<StreamSocket> {
    let shape = player.answer(&Call::plain(Method::Pipe, process), &[], |outcome| match outcome {
        Outcome::Socket(shape, _) => Some(Some(shape)),
        Outcome::Nothing => Some(None),
        _ => None,
    });
    let shape = StreamShape::from_bits(shape??);
    Some(StreamSocket::new(ReplayedStream { shape, socket: Replayed::new(player) }))
}

/// What all sockets have: the number, and the methods of [`SocketBackend`].
pub(super) struct Replayed {
    pub(super) number: u32,
    pub(super) player: Rc<Player>,
}

impl Replayed {
    pub(super) fn new(player: &Rc<Player>) -> Self {
        Self { number: player.number_socket(), player: Rc::clone(player) }
    }

    pub(super) fn call<'a>(&self, method: Method, text: &'a str) -> Call<'a> {
        Call::Other { method, socket: self.number, text }
    }

    pub(super) fn done(&self, method: Method, text: &str) -> io::Result<()> {
        self.player.done(&self.call(method, text))
    }

    pub(super) fn register(&self, id: Id) -> io::Result<()> {
        self.done(Method::Register, &id.to_string())?;
        self.player.register(id, self.number);
        Ok(())
    }

    pub(super) fn deregister(&self) -> io::Result<()> {
        self.done(Method::Deregister, "")
    }

    pub(super) fn address(&self, method: Method) -> io::Result<Option<Address>> {
        let found = self.player.result(&self.call(method, ""), |outcome| match outcome {
            Outcome::Bytes(address) => Some(Some(value::address(&mut Bytes(address)).ok()?)),
            Outcome::Nothing => Some(None),
            _ => None,
        });
        found.unwrap_or(Ok(None))
    }

    pub(super) fn local_address(&self) -> io::Result<Address> {
        Ok(self.address(Method::LocalAddress)?.unwrap_or(Address::Unknown))
    }

    pub(super) fn take_error(&self) -> io::Result<Option<io::Error>> {
        let call = self.call(Method::TakeError, "");
        let found = self.player.result(&call, |outcome| match outcome {
            Outcome::Bytes(error) => Some(Some(value::error(&mut Bytes(error)).ok()?)),
            Outcome::Nothing => Some(None),
            _ => None,
        });
        found.unwrap_or(Ok(None))
    }

    pub(super) fn set_option(&self, option: &SocketOption) -> io::Result<()> {
        self.done(Method::SetOption, &format!("{option:?}"))
    }
}

impl fmt::Debug for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Replayed").field(&self.number).finish()
    }
}

/// The socket is closed.
impl Drop for Replayed {
    fn drop(&mut self) {
        self.done(Method::Close, "").unwrap_or(());
    }
}

/// A recorded stream.
#[derive(Debug)]
struct ReplayedStream {
    shape: StreamShape,
    socket: Replayed,
}

impl ReplayedStream {
    /// Replays a write. After the end it takes everything.
    fn write_slices(&self, slices: &[IoSlice<'_>], descriptors: usize) -> io::Result<usize> {
        let joined: Vec<u8>;
        let bytes: &[u8] = match slices {
            [only] => only,
            _ => {
                joined = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
                &joined
            }
        };
        let (length, hash) = written(bytes);
        let (socket, descriptors) = (self.socket.number, descriptors as u32);
        let call = Call::Write { socket, length, hash, descriptors };
        let taken = self.socket.player.answer(&call, bytes, |outcome| match outcome {
            Outcome::All => Some(Ok(bytes.len())),
            Outcome::Count(count) if count <= length => Some(Ok(count as usize)),
            Outcome::Failed(error) => Some(Err(error)),
            _ => None,
        });
        taken.unwrap_or(Ok(bytes.len()))
    }
}

impl SocketBackend for ReplayedStream {
    fn register(&mut self, id: Id) -> io::Result<()> {
        self.socket.register(id)
    }

    fn deregister(&mut self) -> io::Result<()> {
        self.socket.deregister()
    }

    fn local_address(&self) -> io::Result<Address> {
        self.socket.local_address()
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }

    fn set_option(&self, option: &SocketOption) -> io::Result<()> {
        self.socket.set_option(option)
    }

    #[cfg(unix)]
    fn share(&mut self) {
        self.socket.done(Method::Share, "").unwrap_or(());
    }
}

impl StreamBackend for ReplayedStream {
    fn connected_to(&self) -> io::Result<Option<Address>> {
        self.socket.address(Method::ConnectedTo)
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (socket, room) = (self.socket.number, buffer.len() as u64);
        let call = Call::Read { socket, room, with_descriptors: false };
        let read = self.socket.player.result(&call, |outcome| match outcome {
            Outcome::Bytes(data) => {
                buffer.get_mut(..data.len())?.copy_from_slice(data);
                Some(data.len())
            }
            _ => None,
        });
        read.unwrap_or_else(|| Err(ErrorKind::WouldBlock.into()))
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_slices(slices, 0)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.socket.done(Method::ShutdownWrite, "")
    }

    fn reset_on_close(&self) -> io::Result<()> {
        self.socket.done(Method::ResetOnClose, "")
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.done(Method::SetNodelay, if nodelay { "on" } else { "off" })
    }

    fn short_means_would_block(&self) -> bool {
        self.shape.short_means_would_block
    }

    fn lingers(&self) -> bool {
        self.shape.lingers
    }

    fn write_from_file(&mut self, _file: &File, offset: u64, count: usize) -> io::Result<usize> {
        let text = file_text(offset, count);
        let call = self.socket.call(Method::WriteFromFile, &text);
        let taken = self.socket.player.result(&call, |outcome| match outcome {
            Outcome::Count(taken) => usize::try_from(taken).ok().filter(|taken| *taken <= count),
            _ => None,
        });
        taken.unwrap_or(Ok(count))
    }

    fn passes_descriptors(&self) -> bool {
        self.shape.passes_descriptors
    }

    #[cfg(unix)]
    fn takes_descriptors(&self) -> bool {
        self.shape.takes_descriptors
    }

    #[cfg(unix)]
    fn read_with_descriptors(
        &mut self,
        buffer: &mut [u8],
        _take: bool,
    ) -> io::Result<ReceivedMessage> {
        let (socket, room) = (self.socket.number, buffer.len() as u64);
        let call = Call::Read { socket, room, with_descriptors: true };
        let read = self.socket.player.result(&call, |outcome| match outcome {
            Outcome::Message { data, cut, stopped } => {
                buffer.get_mut(..data.len())?.copy_from_slice(data);
                Some(ReceivedMessage { count: data.len(), descriptors: Vec::new(), cut, stopped })
            }
            _ => None,
        });
        read.unwrap_or_else(|| Err(ErrorKind::WouldBlock.into()))
    }

    #[cfg(unix)]
    fn write_with_descriptors(
        &mut self,
        slices: &[IoSlice<'_>],
        descriptors: &[OwnedFd],
    ) -> io::Result<usize> {
        self.write_slices(slices, descriptors.len())
    }

    #[cfg(unix)]
    fn is_too_many_descriptors(&self, _error: &io::Error) -> bool {
        self.socket.player.flag(&self.socket.call(Method::TooManyDescriptors, ""))
    }

    #[cfg(all(unix, feature = "credentials"))]
    fn peer_credentials(&self) -> Option<io::Result<Credentials>> {
        let call = self.socket.call(Method::PeerCredentials, "");
        let found = self.socket.player.answer(&call, &[], |outcome| match outcome {
            Outcome::Nothing => Some(None),
            Outcome::Failed(error) => Some(Some(Err(error))),
            _ => None,
        });
        found.flatten()
    }
}
