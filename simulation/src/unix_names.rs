//! Names of a node's Unix sockets.

use crate::net::{no_socket_at, system, wrong_type};
use crate::schedule::Key;
use ropewalk::UnixAddress;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};

/// Type of a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UnixKind {
    Datagrams,
    Stream,
}

impl UnixKind {
    fn other(self) -> Self {
        match self {
            Self::Datagrams => Self::Stream,
            Self::Stream => Self::Datagrams,
        }
    }
}

/// The socket that has each name.
#[derive(Debug, Default)]
pub(crate) struct UnixNames {
    sockets: BTreeMap<(UnixKind, UnixAddress), Key>,
    /// The last name that the system has chosen.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    chosen: u32,
}

impl UnixNames {
    /// Returns the name for a new socket if no other socket has it. Each type has abstract names of its own.
    pub(crate) fn free(&mut self, kind: UnixKind, name: &UnixAddress) -> io::Result<UnixAddress> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if name.is_unnamed() {
            return Ok(self.choose());
        }
        let is_file = name.path().is_some();
        let is_taken = |kind| self.sockets.contains_key(&(kind, name.clone()));
        match is_taken(kind) || is_file && is_taken(kind.other()) {
            true => Err(system(ErrorKind::AddrInUse)),
            false => Ok(name.clone()),
        }
    }

    /// Chooses an abstract name that no socket has (unix(7), "Autobind feature").
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn choose(&mut self) -> UnixAddress {
        loop {
            self.chosen = (self.chosen + 1) & 0xf_ffff;
            let name = UnixAddress::abstract_name(format!("{:05x}", self.chosen));
            let kinds = [UnixKind::Datagrams, UnixKind::Stream];
            if !kinds.iter().any(|kind| self.sockets.contains_key(&(*kind, name.clone()))) {
                return name;
            }
        }
    }

    pub(crate) fn take(&mut self, kind: UnixKind, name: UnixAddress, key: Key) {
        self.sockets.insert((kind, name), key);
    }

    pub(crate) fn release(&mut self, kind: UnixKind, name: &UnixAddress) {
        self.sockets.remove(&(kind, name.clone()));
    }

    /// Returns the socket of a type that has a name.
    pub(crate) fn find(&self, kind: UnixKind, name: &UnixAddress) -> io::Result<Key> {
        let at = |kind| self.sockets.get(&(kind, name.clone()));
        match at(kind) {
            Some(key) => Ok(*key),
            None if name.path().is_some() && at(kind.other()).is_some() => Err(wrong_type()),
            None => Err(no_socket_at(name)),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.sockets.clear();
    }
}
