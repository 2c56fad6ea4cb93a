//! The callback objects. The reactor owns them; the sockets, timers and channels that they belong to are in
//! the context.

use crate::api::channel::{ChannelId, Receiver};
use crate::api::datagram_protocol::DatagramProtocol;
use crate::api::factory::Factory;
use crate::api::journal::Observer;
use crate::api::names::{Resolution, Resolver};
use crate::api::producer::Producer;
use crate::api::protocol::Protocol;
#[cfg(unix)]
use crate::api::watch::Watcher;
use crate::reactor::chain::{Chain, Handshakes};
#[cfg(all(unix, feature = "process"))]
use crate::reactor::process_owner::ProcessOwner;
use crate::source::retention::give_back;
use crate::values::guard::name_of;
use crate::values::id::Id;
use std::collections::BTreeMap;

/// The callback object of a socket.
pub(super) enum Owner {
    Datagram(Box<dyn DatagramProtocol>),
    Factory(Box<dyn Factory>),
    /// A pipe: its protocol is that of the process.
    #[cfg(all(unix, feature = "process"))]
    Pipe(Id),
    #[cfg(all(unix, feature = "process"))]
    Process(Box<ProcessOwner>),
    Protocol(Box<dyn Protocol>),
    Resolution(Box<dyn Resolution>),
    #[cfg(unix)]
    Watcher(Box<dyn Watcher>),
}

impl Owner {
    pub(super) fn type_name(&self) -> &'static str {
        name_of(|| match self {
            Self::Datagram(protocol) => protocol.type_name(),
            Self::Factory(factory) => factory.type_name(),
            #[cfg(all(unix, feature = "process"))]
            Self::Pipe(_) => "a pipe",
            #[cfg(all(unix, feature = "process"))]
            Self::Process(owner) => owner.type_name(),
            Self::Protocol(protocol) => protocol.type_name(),
            Self::Resolution(resolution) => resolution.name(),
            #[cfg(unix)]
            Self::Watcher(watcher) => watcher.type_name(),
        })
    }
}

/// All callback objects that outlive a call.
#[derive(Default)]
pub(super) struct Owners {
    /// The owners of sockets by slot, each with the whole id of its socket. The last entry is never `None`.
    sockets: Vec<Option<(Id, Owner)>>,
    /// The producers, each with the number of its registration.
    pub(super) producers: BTreeMap<Id, (u32, Box<dyn Producer>)>,
    /// The filters of connections.
    pub(super) filters: BTreeMap<Id, Chain>,
    pub(super) handshakes: Handshakes,
    /// The receivers of channels.
    pub(super) channels: BTreeMap<ChannelId, Box<dyn Receiver>>,
    /// The observers of the journal. One that has panicked is taken.
    pub(super) observers: Vec<Option<Box<dyn Observer>>>,
    /// What looks names up in place of the backend.
    pub(super) resolver: Option<Box<dyn Resolver>>,
}

impl Owners {
    pub(super) fn insert(&mut self, id: Id, owner: Owner) {
        if self.sockets.len() <= id.slot() {
            self.sockets.resize_with(id.slot() + 1, || None);
        }
        self.sockets[id.slot()] = Some((id, owner));
    }

    /// Returns true if the socket has its owner.
    pub(super) fn contains(&self, id: Id) -> bool {
        matches!(self.sockets.get(id.slot()), Some(Some((of, _))) if *of == id)
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Owner> {
        match self.sockets.get_mut(id.slot()) {
            Some(Some((of, owner))) if *of == id => Some(owner),
            _ => None,
        }
    }

    /// Returns the process that a pipe belongs to.
    #[cfg(all(unix, feature = "process"))]
    pub(super) fn process_of(&self, pipe: Id) -> Option<Id> {
        match self.sockets.get(pipe.slot())?.as_ref()? {
            (of, Owner::Pipe(process)) if *of == pipe => Some(*process),
            _ => None,
        }
    }

    /// Returns the protocol of a pipe.
    #[cfg(all(unix, feature = "process"))]
    pub(super) fn protocol_of_pipe(&mut self, pipe: Id) -> Option<&mut dyn Protocol> {
        let process = self.process_of(pipe)?;
        match self.get_mut(process)? {
            Owner::Process(owner) => Some(owner.as_mut()),
            _ => None,
        }
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<Owner> {
        let place = self.sockets.get_mut(id.slot())?;
        let (_, owner) = place.take_if(|(of, _)| *of == id)?;
        while let Some(None) = self.sockets.last() {
            self.sockets.pop();
        }
        give_back(&mut self.sockets);
        Some(owner)
    }

    /// Removes the owners of all sockets.
    pub(super) fn take_sockets(&mut self) -> impl Iterator<Item = Owner> + use<> {
        std::mem::take(&mut self.sockets).into_iter().flatten().map(|(_, owner)| owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::transport::Transport;

    struct Quiet;

    impl Protocol for Quiet {
        fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    }

    #[test]
    fn old_id_of_a_slot_finds_no_owner() {
        let (old, id) = (Id::new(3, 7), Id::new(3, 8));
        let mut owners = Owners::default();
        owners.insert(id, Owner::Protocol(Box::new(Quiet)));
        assert!(!owners.contains(old) && owners.get_mut(old).is_none());
        assert!(owners.remove(old).is_none());
        assert!(owners.contains(id) && owners.get_mut(id).is_some());
        assert!(owners.remove(id).is_some() && !owners.contains(id));
    }
}
