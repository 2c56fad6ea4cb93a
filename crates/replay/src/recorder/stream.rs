//! Recorded streams.

use crate::outcome::{Outcome, same_error};
use crate::record::{Call, Method};
use crate::recording::{Recording, written};
#[cfg(all(unix, feature = "credentials"))]
use crate::socket::record_credentials;
use crate::socket::{StreamShape, file_text};
use crate::value::put_address;
#[cfg(all(unix, feature = "credentials"))]
use ropewalk::Credentials;
#[cfg(unix)]
use ropewalk::backend::ReceivedMessage;
use ropewalk::backend::{SocketBackend, StreamBackend, StreamSocket};
use ropewalk::{Address, Id, SocketOption};
use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice};
#[cfg(unix)]
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;

/// Records the opening of a stream, by the method of a listener or, if `on` is 0, of the backend.
pub(super) fn recorded(
    recording: &Rc<Recording>,
    method: Method,
    on: u32,
    text: &str,
    opened: io::Result<(StreamSocket, Address)>,
) -> io::Result<(StreamSocket, Address)> {
    let call = Call::Other { method, socket: on, text };
    let (mut shape, mut encoded) = (StreamShape::default(), Vec::new());
    if let Ok((socket, peer)) = &opened {
        shape = StreamShape::of(socket);
        put_address(&mut encoded, peer);
    }
    let opened = recording.result(&call, opened, |_| Outcome::Socket(shape.bits(), &encoded));
    let (socket, peer) = opened?;
    let registered = Registered::new(recording.number_socket(), recording);
    Ok((StreamSocket::new(RecordedStream { socket, shape, registered }), peer))
}

/// The number of a socket and the id under which it is registered.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) number: u32,
    pub(super) recording: Rc<Recording>,
    id: Option<Id>,
}

impl Registered {
    pub(super) fn new(number: u32, recording: &Rc<Recording>) -> Self {
        Self { number, recording: Rc::clone(recording), id: None }
    }

    pub(super) fn call<'a>(&self, method: Method, text: &'a str) -> Call<'a> {
        Call::Other { method, socket: self.number, text }
    }

    /// Records a call that returns nothing.
    pub(super) fn done(
        &self,
        method: Method,
        text: &str,
        result: io::Result<()>,
    ) -> io::Result<()> {
        self.recording.done(&self.call(method, text), result)
    }

    pub(super) fn register(
        &mut self,
        socket: &mut (impl SocketBackend + ?Sized),
        id: Id,
    ) -> io::Result<()> {
        let registered = socket.register(id);
        if registered.is_ok() {
            self.forget();
            self.recording.register(id, self.number);
            self.id = Some(id);
        }
        self.done(Method::Register, &id.to_string(), registered)
    }

    pub(super) fn deregister(
        &mut self,
        socket: &mut (impl SocketBackend + ?Sized),
    ) -> io::Result<()> {
        self.forget();
        self.done(Method::Deregister, "", socket.deregister())
    }

    pub(super) fn address(
        &self,
        method: Method,
        result: io::Result<Option<Address>>,
    ) -> io::Result<Option<Address>> {
        let mut encoded = Vec::new();
        if let Ok(Some(address)) = &result {
            put_address(&mut encoded, address);
        }
        self.recording.result(&self.call(method, ""), result, |found| match found {
            Some(_) => Outcome::Bytes(&encoded),
            None => Outcome::Nothing,
        })
    }

    pub(super) fn local_address(&self, result: io::Result<Address>) -> io::Result<Address> {
        let found = self.address(Method::LocalAddress, result.map(Some))?;
        Ok(found.unwrap_or(Address::Unknown))
    }

    pub(super) fn take_error(
        &self,
        result: io::Result<Option<io::Error>>,
    ) -> io::Result<Option<io::Error>> {
        let call = self.call(Method::TakeError, "");
        let mut encoded = Vec::new();
        if let Ok(Some(error)) = &result {
            crate::value::put_error(&mut encoded, error);
        }
        self.recording.result(&call, result, |found| match found {
            Some(_) => Outcome::Bytes(&encoded),
            None => Outcome::Nothing,
        })
    }

    fn forget(&mut self) {
        if let Some(id) = self.id.take() {
            self.recording.deregister(id, self.number);
        }
    }
}

/// The socket is closed.
impl Drop for Registered {
    fn drop(&mut self) {
        self.forget();
        self.recording.write(&self.call(Method::Close, ""), &Outcome::Done);
    }
}

/// A stream of the wrapped backend. The socket is closed before that is recorded.
struct RecordedStream {
    socket: StreamSocket,
    shape: StreamShape,
    registered: Registered,
}

impl RecordedStream {
    /// Returns the call of a write.
    fn write_call(&self, slices: &[IoSlice<'_>], descriptors: usize) -> (Call<'static>, u64) {
        let (length, hash) = match slices {
            [only] => written(only),
            _ => {
                written(&slices.iter().flat_map(|slice| slice.iter().copied()).collect::<Vec<_>>())
            }
        };
        let (socket, descriptors) = (self.registered.number, descriptors as u32);
        (Call::Write { socket, length, hash, descriptors }, length)
    }

    fn recording(&self) -> &Recording {
        &self.registered.recording
    }
}

impl fmt::Debug for RecordedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecordedStream").field(&self.socket).finish()
    }
}

/// Returns the outcome of a write of `length` bytes.
fn taken(count: usize, length: u64) -> Outcome<'static> {
    if count as u64 == length { Outcome::All } else { Outcome::Count(count as u64) }
}

impl SocketBackend for RecordedStream {
    fn register(&mut self, id: Id) -> io::Result<()> {
        self.registered.register(&mut self.socket, id)
    }

    fn deregister(&mut self) -> io::Result<()> {
        self.registered.deregister(&mut self.socket)
    }

    fn local_address(&self) -> io::Result<Address> {
        self.registered.local_address(self.socket.local_address())
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.registered.take_error(self.socket.take_error())
    }

    fn set_option(&self, option: &SocketOption) -> io::Result<()> {
        let set = self.socket.set_option(option);
        self.registered.done(Method::SetOption, &format!("{option:?}"), set)
    }

    #[cfg(unix)]
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.socket.descriptor()
    }

    #[cfg(unix)]
    fn share(&mut self) {
        self.socket.share();
        self.recording().write(&self.registered.call(Method::Share, ""), &Outcome::Done);
    }

    /// The program does with the descriptor what no backend sees.
    #[cfg(unix)]
    fn into_descriptor(self: Box<Self>) -> io::Result<OwnedFd> {
        self.recording().refuse("a connection was detached");
        Box::new(self.socket).into_descriptor()
    }
}

impl StreamBackend for RecordedStream {
    fn connected_to(&self) -> io::Result<Option<Address>> {
        self.registered.address(Method::ConnectedTo, self.socket.connected_to())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.socket.read(buffer);
        self.has_read(buffer, &read);
        read
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let result = self.socket.write(slices);
        let (call, length) = self.write_call(slices, 0);
        self.recording().result(&call, result, |count| taken(*count, length))
    }

    fn observed(&mut self) -> Option<&mut StreamSocket> {
        Some(&mut self.socket)
    }

    fn has_read(&mut self, buffer: &[u8], read: &io::Result<usize>) {
        let (socket, room) = (self.registered.number, buffer.len() as u64);
        let call = Call::Read { socket, room, with_descriptors: false };
        let outcome = match read {
            Ok(count) => Outcome::Bytes(&buffer[..*count]),
            Err(error) => Outcome::Failed(same_error(error)),
        };
        self.recording().write(&call, &outcome);
    }

    fn has_written(&mut self, bytes: &[u8], result: &io::Result<usize>) {
        let (length, hash) = written(bytes);
        let call = Call::Write { socket: self.registered.number, length, hash, descriptors: 0 };
        let outcome = match result {
            Ok(count) => taken(*count, length),
            Err(error) => Outcome::Failed(same_error(error)),
        };
        self.recording().write(&call, &outcome);
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        let result = self.socket.shutdown_write();
        self.registered.done(Method::ShutdownWrite, "", result)
    }

    fn reset_on_close(&self) -> io::Result<()> {
        self.registered.done(Method::ResetOnClose, "", self.socket.reset_on_close())
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        let text = if nodelay { "on" } else { "off" };
        self.registered.done(Method::SetNodelay, text, self.socket.set_nodelay(nodelay))
    }

    fn short_means_would_block(&self) -> bool {
        self.shape.short_means_would_block
    }

    fn lingers(&self) -> bool {
        self.shape.lingers
    }

    fn write_from_file(&mut self, file: &File, offset: u64, count: usize) -> io::Result<usize> {
        let result = self.socket.write_from_file(file, offset, count);
        let text = file_text(offset, count);
        let call = self.registered.call(Method::WriteFromFile, &text);
        self.recording().result(&call, result, |count| Outcome::Count(*count as u64))
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
        take: bool,
    ) -> io::Result<ReceivedMessage> {
        let read = self.socket.read_with_descriptors(buffer, take);
        if read.as_ref().is_ok_and(|message| !message.descriptors.is_empty()) {
            self.recording().refuse("descriptors were received");
        }
        let room = buffer.len() as u64;
        let call = Call::Read { socket: self.registered.number, room, with_descriptors: true };
        self.recording().result(&call, read, |message| Outcome::Message {
            data: &buffer[..message.count],
            cut: message.cut,
            stopped: message.stopped,
        })
    }

    #[cfg(unix)]
    fn write_with_descriptors(
        &mut self,
        slices: &[IoSlice<'_>],
        descriptors: &[OwnedFd],
    ) -> io::Result<usize> {
        let result = self.socket.write_with_descriptors(slices, descriptors);
        let (call, length) = self.write_call(slices, descriptors.len());
        self.recording().result(&call, result, |count| taken(*count, length))
    }

    #[cfg(unix)]
    fn is_too_many_descriptors(&self, error: &io::Error) -> bool {
        let too_many = self.socket.is_too_many_descriptors(error);
        let call = self.registered.call(Method::TooManyDescriptors, "");
        self.recording().write(&call, &Outcome::Flag(too_many));
        too_many
    }

    #[cfg(all(unix, feature = "credentials"))]
    fn peer_credentials(&self) -> Option<io::Result<Credentials>> {
        let found = self.socket.peer_credentials();
        let call = self.registered.call(Method::PeerCredentials, "");
        record_credentials(self.recording(), &call, found)
    }
}
