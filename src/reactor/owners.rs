//! The callback objects of sockets, by slot.

use crate::api::datagram_protocol::DatagramProtocol;
use crate::api::protocol::{Factory, Protocol};
#[cfg(unix)]
use crate::api::watch::Watcher;
use crate::reactor::guard::name_of;
use crate::source::retention::give_back;
use crate::values::id::Id;

/// The callback object of a socket.
pub(super) enum Owner {
    Datagram(Box<dyn DatagramProtocol>),
    Factory(Box<dyn Factory>),
    Protocol(Box<dyn Protocol>),
    #[cfg(unix)]
    Watcher(Box<dyn Watcher>),
}

impl Owner {
    pub(super) fn name(&self) -> &'static str {
        name_of(|| match self {
            Self::Datagram(protocol) => protocol.type_name(),
            Self::Factory(factory) => factory.type_name(),
            Self::Protocol(protocol) => protocol.type_name(),
            #[cfg(unix)]
            Self::Watcher(watcher) => watcher.type_name(),
        })
    }
}

/// All owners.
///
/// They are found by the slot of an id alone; the serial is not compared. That is safe for two reasons:
///
/// 1. A slot is freed after its owner has been removed, in `Dispatcher::free`, and never by a callback.
///    So an owner belongs to the socket that has its slot in [`Sources`](crate::source::table::Sources).
/// 2. Whoever asks for an owner has looked the id up there before, in the same step, or holds a notice
///    of that socket, which comes before the notice that frees its slot.
///
/// The comparison would be made for each callback, and it can only fail if one of the two is broken. So
/// builds with debug assertions make it, and with them all tests.
///
/// The last seat is never empty.
#[derive(Default)]
pub(super) struct Owners(Vec<Option<Seat>>);

struct Seat {
    owner: Owner,
    #[cfg(debug_assertions)]
    id: Id,
}

impl Seat {
    #[inline(always)]
    fn check(&self, id: Id) {
        #[cfg(debug_assertions)]
        assert_eq!(self.id, id, "an owner is asked for by the id of another socket");
        let _ = id;
    }
}

impl Owners {
    pub(super) fn insert(&mut self, id: Id, owner: Owner) {
        if self.0.len() <= id.slot() {
            self.0.resize_with(id.slot() + 1, || None);
        }
        self.0[id.slot()] = Some(Seat {
            owner,
            #[cfg(debug_assertions)]
            id,
        });
    }

    pub(super) fn get(&self, id: Id) -> Option<&Owner> {
        let set_owner = self.0.get(id.slot())?.as_ref()?;
        set_owner.check(id);
        Some(&set_owner.owner)
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Owner> {
        let set_owner = self.0.get_mut(id.slot())?.as_mut()?;
        set_owner.check(id);
        Some(&mut set_owner.owner)
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<Owner> {
        let set_owner = self.0.get_mut(id.slot())?.take()?;
        set_owner.check(id);
        while let Some(None) = self.0.last() {
            self.0.pop();
        }
        give_back(&mut self.0);
        Some(set_owner.owner)
    }

    /// All of them, when the reactor ends.
    pub(super) fn into_all(self) -> impl Iterator<Item = Owner> {
        self.0.into_iter().flatten().map(|set_owner| set_owner.owner)
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;
    use crate::api::transport::Transport;

    struct Quiet;

    impl Protocol for Quiet {
        fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    }

    #[test]
    #[should_panic(expected = "by the id of another socket")]
    fn an_owner_that_is_asked_for_by_an_old_id_of_its_slot_ends_a_test() {
        let mut owners = Owners::default();
        owners.insert(Id::new(3, 8), Owner::Protocol(Box::new(Quiet)));
        assert!(owners.get_mut(Id::new(3, 8)).is_some() && owners.get(Id::new(4, 8)).is_none());
        owners.get_mut(Id::new(3, 7));
    }
}
