//! Chats of several reactors, linked to one network.

use crate::address_limits::AddressUsage;
use ropewalk::{Id, Sender};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The maximum number of batches queued for another server before clients here are read more slowly. A server that
/// keeps up has received all of them by its next turn.
const MAX_QUEUED: usize = 8;

/// The shared state of the chats of several reactors. Clone it and send it to each thread, where a chat is
/// [linked](crate::Chat::linked) to it.
///
/// The term is IRC's ([RFC 1459](https://www.rfc-editor.org/rfc/rfc1459), 1): each server has its own users, knows
/// those of the other servers, and forwards lines. Each chat is such a server. Names are unique in the network,
/// and a room includes members on all servers.
#[derive(Clone, Default)]
pub struct Network {
    shared: Arc<Shared>,
}

/// A line of a client takes no lock, except if its address is limited.
#[derive(Default)]
struct Shared {
    /// By each of the [keys](crate::name::keys). Uniqueness of names cannot depend on updates, which are delayed.
    names: Mutex<BTreeMap<String, MemberId>>,
    /// The usage of limited addresses, on all servers together.
    address_usage: Mutex<AddressUsage>,
    /// The linked servers.
    servers: Mutex<Servers>,
}

#[derive(Default)]
struct Servers {
    /// The number of the next server. Numbers are not reused.
    next: usize,
    linked: BTreeMap<usize, Server>,
}

/// A handle to a server, for the other servers.
#[derive(Clone)]
pub(super) struct Server {
    sender: Sender<Batch>,
    /// Another server has detected that it receives no updates any more.
    unlinked: Arc<AtomicBool>,
}

impl Server {
    /// Returns true if it receives no updates any more. After the end of its run a server has closed its connections,
    /// and may never run again.
    fn is_gone(&self) -> bool {
        self.unlinked.load(Ordering::Acquire) || self.sender.is_between_runs()
    }
}

/// Identifies a member: its server and its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MemberId {
    pub(super) server: usize,
    pub(super) id: Id,
}

/// The updates of a turn, in order, for another server.
pub(super) struct Batch {
    pub(super) from: usize,
    pub(super) updates: Vec<Update>,
}

/// An update, with the line for the members of the room, which may be empty.
#[derive(Clone)]
pub(super) enum Update {
    Entered {
        room: String,
        id: Id,
        name: String,
        line: String,
    },
    Left {
        room: String,
        id: Id,
        line: String,
    },
    /// Another server was linked.
    Linked(Server),
    Renamed {
        room: String,
        id: Id,
        name: String,
        line: String,
    },
    /// One or more lines for a room.
    Lines {
        room: String,
        lines: String,
    },
    /// A line for one member.
    Message {
        id: Id,
        line: String,
    },
}

impl Network {
    /// Returns a network without servers.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn names(&self) -> MutexGuard<'_, BTreeMap<String, MemberId>> {
        self.shared.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn address_usage(&self) -> MutexGuard<'_, AddressUsage> {
        self.shared.address_usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn servers(&self) -> MutexGuard<'_, Servers> {
        self.shared.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of a new server.
    pub(super) fn number(&self) -> usize {
        let mut servers = self.servers();
        servers.next += 1;
        servers.next - 1
    }

    /// Links the server `here`, which receives updates through `sender`, and notifies the others. Returns the
    /// links to them.
    pub(super) fn link(&self, here: usize, sender: Sender<Batch>) -> Links {
        let server = Server { sender, unlinked: Arc::default() };
        let others = {
            let mut servers = self.servers();
            let others = servers.linked.clone();
            servers.linked.insert(here, server.clone());
            others
        };
        let links = Links {
            here,
            unlinked: server.unlinked.clone(),
            network: self.clone(),
            table: Rc::default(),
        };
        for (number, other) in others {
            links.add(number, other, vec![Update::Linked(server.clone())]);
        }
        links
    }

    /// Unlinks a server that receives no updates any more, and releases the names of its members. Other servers
    /// detect it by themselves, and so does the server if it runs again.
    fn unlink(&self, number: usize) {
        let server = self.servers().linked.remove(&number);
        if let Some(server) = server {
            server.unlinked.store(true, Ordering::Release);
            self.names().retain(|_, member_id| member_id.server != number);
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("names", &self.names().len()).finish_non_exhaustive()
    }
}

/// The links of a server to the others. A chat outside of a network has none.
#[derive(Clone, Default)]
pub(super) struct Links {
    /// The number of this server.
    pub(super) here: usize,
    /// The others have unlinked this server.
    unlinked: Arc<AtomicBool>,
    network: Network,
    /// Shared with the timer that flushes queued updates.
    table: Rc<RefCell<LinkTable>>,
}

#[derive(Default)]
struct LinkTable {
    /// In no particular order.
    links: Vec<Link>,
    /// Unlinked servers with members that are not removed yet.
    removed: Vec<usize>,
}

/// The link to one other server.
struct Link {
    number: usize,
    server: Server,
    /// Updates to send at the end of the turn.
    updates: Vec<Update>,
    /// It has been slow to receive updates.
    behind: bool,
}

impl Links {
    /// Adds a link to another server, and sends it `updates` first.
    pub(super) fn add(&self, number: usize, server: Server, updates: Vec<Update>) {
        self.table.borrow_mut().links.push(Link { number, server, updates, behind: false });
        self.flush();
    }

    /// Returns true if the others have unlinked this server while it did not run.
    pub(super) fn is_unlinked(&self) -> bool {
        self.unlinked.load(Ordering::Acquire)
    }

    /// Returns true if there is a link to this server.
    pub(super) fn has_link_to(&self, number: usize) -> bool {
        self.table.borrow().links.iter().any(|link| link.number == number)
    }

    /// Returns the servers that were unlinked since the last call.
    pub(super) fn take_removed(&self) -> Vec<usize> {
        std::mem::take(&mut self.table.borrow_mut().removed)
    }

    /// Queues an update for all servers. Returns true if it is the first of this turn.
    pub(super) fn send_to_all(&self, update: &Update) -> bool {
        self.queue_updates(|link| link.updates.push(update.clone()))
    }

    /// Queues an update for one server. Returns true if it is the first of this turn.
    pub(super) fn send_to(&self, number: usize, update: Update) -> bool {
        let mut update = Some(update);
        self.queue_updates(|link| {
            if link.number == number {
                link.updates.extend(update.take());
            }
        })
    }

    /// Queues a line for a room, for all servers: one of them may have a new member in the room that is not known
    /// here yet.
    pub(super) fn say(&self, room: &str, line: &str) -> bool {
        self.queue_updates(|link| match link.updates.last_mut() {
            // Successive lines for the same room are joined, so that they are one write for each member.
            Some(Update::Lines { room: last, lines }) if last == room => lines.push_str(line),
            _ => link.updates.push(Update::Lines { room: room.to_owned(), lines: line.to_owned() }),
        })
    }

    /// Returns true if another server cannot keep up with the updates.
    pub(super) fn is_behind(&self) -> bool {
        let is_behind = |link: &Link| {
            link.behind && link.server.sender.waiting() > MAX_QUEUED && !link.server.is_gone()
        };
        self.table.borrow().links.iter().any(is_behind)
    }

    /// Queues updates until the end of the turn. Returns true if they are the first of this turn.
    fn queue_updates(&self, add: impl FnMut(&mut Link)) -> bool {
        let links = &mut self.table.borrow_mut().links;
        let first = links.iter().all(|link| link.updates.is_empty());
        links.iter_mut().for_each(add);
        first && links.iter().any(|link| !link.updates.is_empty())
    }

    /// Sends the queued updates. Servers that receive nothing any more are unlinked, since their queues would grow
    /// without limit.
    pub(super) fn flush(&self) {
        let table = &mut *self.table.borrow_mut();
        table.links.retain_mut(|link| {
            let mut removed = link.server.is_gone();
            if !removed && !link.updates.is_empty() {
                let updates = std::mem::take(&mut link.updates);
                removed = link.server.sender.send(Batch { from: self.here, updates }).is_err();
                link.behind = link.server.sender.waiting() > MAX_QUEUED;
            }
            if removed {
                self.network.unlink(link.number);
                table.removed.push(link.number);
            }
            !removed
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ropewalk::Reactor;

    #[test]
    fn a_server_whose_run_has_ended_is_unlinked() {
        let (network, mut other, mut reactor) =
            (Network::new(), Reactor::new().unwrap(), Reactor::new().unwrap());
        let [stopped, here] = [network.number(), network.number()];
        let sender = other.context().channel(|_, _: Batch| {});
        let to_those = network.link(stopped, sender.clone());
        let links = network.link(here, reactor.context().channel(|_, _: Batch| {}));
        links.say("lobby", "hello\n");
        links.flush();
        assert_eq!(sender.waiting(), 2, "the other server has not run yet");
        other.context().stop();
        other.run().unwrap();
        let waiting = sender.waiting();
        for _ in 0..100 {
            links.say("lobby", "hello\n");
            links.flush();
        }
        assert_eq!(sender.waiting(), waiting);
        assert!(!links.is_behind() && !links.has_link_to(stopped));
        assert_eq!(links.take_removed(), [stopped]);
        assert!(network.servers().linked.keys().eq([&here]));
        assert!(to_those.is_unlinked(), "the server detects it when it runs again");
    }
}
