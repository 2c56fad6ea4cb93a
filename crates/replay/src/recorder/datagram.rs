//! Recorded datagram sockets.

use crate::outcome::Outcome;
use crate::record::{Call, Method};
use crate::recorder::stream::Registered;
use crate::recording::{Recording, written};
use crate::value::put_address;
use ropewalk::backend::{DatagramBackend, Multicast, SocketBackend};
use ropewalk::{Address, Id, SocketOption};
use std::io;
#[cfg(unix)]
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;

/// A datagram socket of the wrapped backend.
#[derive(Debug)]
pub(super) struct RecordedDatagram {
    socket: Box<dyn DatagramBackend>,
    registered: Registered,
}

impl RecordedDatagram {
    pub(super) fn new(
        socket: Box<dyn DatagramBackend>,
        number: u32,
        recording: &Rc<Recording>,
    ) -> Self {
        Self { socket, registered: Registered::new(number, recording) }
    }
}

impl SocketBackend for RecordedDatagram {
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
    fn share(&mut self) {
        self.socket.share();
        let call = self.registered.call(Method::Share, "");
        self.registered.recording.write(&call, &Outcome::Done);
    }

    #[cfg(unix)]
    fn into_descriptor(self: Box<Self>) -> io::Result<OwnedFd> {
        self.registered.recording.refuse("a datagram socket was detached");
        self.socket.into_descriptor()
    }
}

impl DatagramBackend for RecordedDatagram {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        let received = self.socket.receive(buffer);
        let call = Call::Receive { socket: self.registered.number, room: buffer.len() as u64 };
        let mut encoded = Vec::new();
        if let Ok((_, from)) = &received {
            put_address(&mut encoded, from);
        }
        self.registered.recording.result(&call, received, |(length, _)| Outcome::Datagram {
            length: *length as u64,
            from: &encoded,
            data: &buffer[..buffer.len().min(*length)],
        })
    }

    fn send(&self, data: &[u8], to: Option<&Address>) -> io::Result<()> {
        let sent = self.socket.send(data, to);
        let (length, hash) = written(data);
        let mut encoded = Vec::new();
        if let Some(to) = to {
            put_address(&mut encoded, to);
        }
        let call = Call::Send { socket: self.registered.number, length, hash, to: &encoded };
        self.registered.recording.done(&call, sent)
    }

    fn connect(&self, peer: &Address) -> io::Result<()> {
        let connected = self.socket.connect(peer);
        self.registered.done(Method::ConnectPeer, &peer.to_string(), connected)
    }

    fn peer_address(&self) -> Option<Address> {
        let peer = Ok(self.socket.peer_address());
        self.registered.address(Method::PeerAddress, peer).ok().flatten()
    }

    fn multicast(&self, change: Multicast<'_>) -> io::Result<()> {
        let changed = self.socket.multicast(change);
        self.registered.done(Method::Multicast, &format!("{change:?}"), changed)
    }

    fn watch_writable(&mut self, id: Id, watch: bool) -> io::Result<()> {
        let watched = self.socket.watch_writable(id, watch);
        let text = if watch { "on" } else { "off" };
        self.registered.done(Method::WatchWritable, text, watched)
    }
}
