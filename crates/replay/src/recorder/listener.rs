//! Recorded listeners.

use crate::record::Method;
use crate::recorder::stream::{Registered, recorded};
use crate::recording::Recording;
use ropewalk::backend::{ListenerBackend, SocketBackend, StreamSocket};
use ropewalk::{Address, Id, SocketOption};
use std::io;
#[cfg(unix)]
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;

/// A listener of the wrapped backend.
#[derive(Debug)]
pub(super) struct RecordedListener {
    socket: Box<dyn ListenerBackend>,
    registered: Registered,
}

impl RecordedListener {
    pub(super) fn new(
        socket: Box<dyn ListenerBackend>,
        number: u32,
        recording: &Rc<Recording>,
    ) -> Self {
        Self { socket, registered: Registered::new(number, recording) }
    }
}

impl SocketBackend for RecordedListener {
    fn register(&mut self, id: Id) -> io::Result<()> {
        self.registered.register(self.socket.as_mut(), id)
    }

    fn deregister(&mut self) -> io::Result<()> {
        self.registered.deregister(self.socket.as_mut())
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
    fn into_descriptor(self: Box<Self>) -> io::Result<OwnedFd> {
        self.registered.recording.refuse("a listener was detached");
        self.socket.into_descriptor()
    }
}

impl ListenerBackend for RecordedListener {
    fn accept(&self) -> io::Result<(StreamSocket, Address)> {
        let Registered { number, recording, .. } = &self.registered;
        recorded(recording, Method::Accept, *number, "", self.socket.accept())
    }
}
