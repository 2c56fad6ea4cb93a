//! Replayed listeners.

use crate::player::Player;
use crate::record::Method;
use crate::replayer::stream::{Replayed, replayed};
use ropewalk::backend::{ListenerBackend, SocketBackend, StreamSocket};
use ropewalk::{Address, Id, SocketOption};
use std::io;
use std::rc::Rc;

/// A recorded listener.
#[derive(Debug)]
pub(super) struct ReplayedListener(Replayed);

impl ReplayedListener {
    pub(super) fn new(player: &Rc<Player>) -> Self {
        Self(Replayed::new(player))
    }
}

impl SocketBackend for ReplayedListener {
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
}

impl ListenerBackend for ReplayedListener {
    fn accept(&self) -> io::Result<(StreamSocket, Address)> {
        replayed(&self.0.player, Method::Accept, self.0.number, "")
    }
}
