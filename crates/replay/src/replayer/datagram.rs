//! Replayed datagram sockets.

use crate::bytes::Bytes;
use crate::outcome::Outcome;
use crate::player::Player;
use crate::record::{Call, Method};
use crate::recording::written;
use crate::replayer::stream::Replayed;
use crate::value::{self, put_address};
use ropewalk::backend::{DatagramBackend, Multicast, SocketBackend};
use ropewalk::{Address, Id, SocketOption};
use std::io::{self, ErrorKind};
use std::rc::Rc;

/// A recorded datagram socket.
#[derive(Debug)]
pub(super) struct ReplayedDatagram(Replayed);

impl ReplayedDatagram {
    pub(super) fn new(player: &Rc<Player>) -> Self {
        Self(Replayed::new(player))
    }
}

impl SocketBackend for ReplayedDatagram {
    fn register(&mut self, id: Id) -> io::Result<()> {
        self.0.register(id)
    }

    fn deregister(&mut self) -> io::Result<()> {
        self.0.deregister()
    }

    fn local_address(&self) -> io::Result<Address> {
        self.0.local_address()
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.take_error()
    }

    fn set_option(&self, option: &SocketOption) -> io::Result<()> {
        self.0.set_option(option)
    }

    #[cfg(unix)]
    fn share(&mut self) {
        self.0.done(Method::Share, "").unwrap_or(());
    }
}

impl DatagramBackend for ReplayedDatagram {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        let call = Call::Receive { socket: self.0.number, room: buffer.len() as u64 };
        let received = self.0.player.result(&call, |outcome| match outcome {
            Outcome::Datagram { length, from, data } => {
                buffer.get_mut(..data.len())?.copy_from_slice(data);
                let from = value::address(&mut Bytes(from)).ok()?;
                Some((usize::try_from(length).ok()?, from))
            }
            _ => None,
        });
        received.unwrap_or_else(|| Err(ErrorKind::WouldBlock.into()))
    }

    /// After the end everything is sent.
    fn send(&self, data: &[u8], to: Option<&Address>) -> io::Result<()> {
        let (length, hash) = written(data);
        let mut encoded = Vec::new();
        if let Some(to) = to {
            put_address(&mut encoded, to);
        }
        let call = Call::Send { socket: self.0.number, length, hash, to: &encoded };
        let sent = self.0.player.answer(&call, data, |outcome| match outcome {
            Outcome::Done => Some(Ok(())),
            Outcome::Failed(error) => Some(Err(error)),
            _ => None,
        });
        sent.unwrap_or(Ok(()))
    }

    fn connect(&self, peer: &Address) -> io::Result<()> {
        self.0.done(Method::ConnectPeer, &peer.to_string())
    }

    fn peer_address(&self) -> Option<Address> {
        self.0.address(Method::PeerAddress).ok().flatten()
    }

    fn multicast(&self, change: Multicast<'_>) -> io::Result<()> {
        self.0.done(Method::Multicast, &format!("{change:?}"))
    }

    fn watch_writable(&mut self, _id: Id, watch: bool) -> io::Result<()> {
        self.0.done(Method::WatchWritable, if watch { "on" } else { "off" })
    }
}
