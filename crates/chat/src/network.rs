//! Several chats, each on a reactor of its own, that are one to those who are in it.

use crate::guests::Guests;
use ropewalk::{Id, Sender};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many turns' news may wait with another server before those who make news here are read more
/// slowly. One that keeps up has taken them all by its next turn.
const BEHIND: usize = 8;

/// What the chats of several reactors have in common: cloned freely, and sent to each thread, where
/// a chat is [linked](crate::Chat::linked) to it.
///
/// The word is IRC's ([RFC 1459](https://www.rfc-editor.org/rfc/rfc1459), 1): each server has users
/// of its own, knows of those of the others, and passes on what is said. So does each chat here.
/// Names are unique in all of it, and a room is one wherever its people are connected.
#[derive(Clone, Default)]
pub struct Network {
    shared: Arc<Shared>,
}

/// For a line that is said no lock is taken, unless its speaker's address is limited.
#[derive(Default)]
struct Shared {
    /// By each of its [keys](crate::name::keys). That nobody has a name twice cannot be left to news,
    /// which come too late.
    names: Mutex<BTreeMap<String, Place>>,
    /// What limited addresses have taken, on all servers together.
    guests: Mutex<Guests>,
    /// The servers that there are.
    servers: Mutex<Servers>,
}

#[derive(Default)]
struct Servers {
    /// Each that is linked has a number of its own, which is never used again.
    next: usize,
    linked: BTreeMap<usize, Server>,
}

/// A server, as far as the others reach it.
#[derive(Clone)]
pub(super) struct Server {
    sender: Sender<Batch>,
    /// One of the others has found out that it takes no news any more.
    unlinked: Arc<AtomicBool>,
}

impl Server {
    /// Whether it takes no news any more. One whose run has ended has ended its connections, and may
    /// never run again.
    fn is_gone(&self) -> bool {
        self.unlinked.load(Ordering::Acquire) || self.sender.is_between_runs()
    }
}

/// Where someone is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) server: usize,
    pub(super) id: Id,
}

/// What a server has to tell another: the news of a turn, in their order.
pub(super) struct Batch {
    pub(super) from: usize,
    pub(super) news: Vec<News>,
}

/// What has happened, and the line for those in the room, which may be empty.
#[derive(Clone)]
pub(super) enum News {
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
    /// There is another server, and this is the way to it.
    Linked(Server),
    Renamed {
        room: String,
        id: Id,
        name: String,
        line: String,
    },
    /// One or more lines for everybody in a room.
    Said {
        room: String,
        lines: String,
    },
    /// A line for one person.
    Told {
        id: Id,
        line: String,
    },
}

impl Network {
    /// A network without servers.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn names(&self) -> MutexGuard<'_, BTreeMap<String, Place>> {
        self.shared.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn guests(&self) -> MutexGuard<'_, Guests> {
        self.shared.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn servers(&self) -> MutexGuard<'_, Servers> {
        self.shared.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a server that is about to be linked.
    pub(super) fn number(&self) -> usize {
        let mut servers = self.servers();
        servers.next += 1;
        servers.next - 1
    }

    /// Adds server `here`, which `sender` leads to, and tells the others. Returns the ways to those.
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
            ways: Rc::default(),
        };
        for (number, other) in others {
            links.add(number, other, vec![News::Linked(server.clone())]);
        }
        links
    }

    /// A server takes no news any more: it and the names of its people are forgotten. All others learn
    /// of it, and it does as well, should it go on.
    fn unlink(&self, number: usize) {
        let server = self.servers().linked.remove(&number);
        if let Some(server) = server {
            server.unlinked.store(true, Ordering::Release);
            self.names().retain(|_, place| place.server != number);
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("names", &self.names().len()).finish_non_exhaustive()
    }
}

/// A server's ways to the others. A chat that is alone has none.
#[derive(Clone, Default)]
pub(super) struct Links {
    /// Which server this is.
    pub(super) here: usize,
    /// The others have given this one up.
    unlinked: Arc<AtomicBool>,
    network: Network,
    /// They are shared with the timer that sends what is gathered.
    ways: Rc<RefCell<Ways>>,
}

#[derive(Default)]
struct Ways {
    /// In no particular order.
    links: Vec<Link>,
    /// The servers that have gone, and whose people are still here.
    gone: Vec<usize>,
}

/// The way to one other server.
struct Link {
    number: usize,
    server: Server,
    /// What it is to be told when the turn is over.
    news: Vec<News>,
    /// It has been slow to take what it was told.
    behind: bool,
}

impl Links {
    /// Adds the way to another server, which is told `news` before anything else.
    pub(super) fn add(&self, number: usize, server: Server, news: Vec<News>) {
        self.ways.borrow_mut().links.push(Link { number, server, news, behind: false });
        self.flush();
    }

    /// Whether the others have given this server up, which did not run for a while.
    pub(super) fn are_cut(&self) -> bool {
        self.unlinked.load(Ordering::Acquire)
    }

    /// Whether there is a way to this server.
    pub(super) fn lead_to(&self, number: usize) -> bool {
        self.ways.borrow().links.iter().any(|link| link.number == number)
    }

    /// The servers that have gone since this was last asked.
    pub(super) fn take_gone(&self) -> Vec<usize> {
        std::mem::take(&mut self.ways.borrow_mut().gone)
    }

    /// Adds something for all servers. Whether it is the first that this turn brings.
    pub(super) fn tell_all(&self, news: &News) -> bool {
        self.gather(|link| link.news.push(news.clone()))
    }

    /// Adds something for one server.
    pub(super) fn tell(&self, number: usize, news: News) -> bool {
        let mut news = Some(news);
        self.gather(|link| {
            if link.number == number {
                link.news.extend(news.take());
            }
        })
    }

    /// Passes on a line for a room. It goes to all servers, be anyone in that room there or not: of
    /// one who has just come in, nobody here may know yet, and he is not to miss it.
    pub(super) fn say(&self, room: &str, line: &str) -> bool {
        self.gather(|link| match link.news.last_mut() {
            // What follows in the same room joins it: there it will be one write for each person.
            Some(News::Said { room: last, lines }) if last == room => lines.push_str(line),
            _ => link.news.push(News::Said { room: room.to_owned(), lines: line.to_owned() }),
        })
    }

    /// Whether another server cannot keep up with what it is told.
    pub(super) fn are_behind(&self) -> bool {
        let is_behind = |link: &Link| {
            link.behind && link.server.sender.waiting() > BEHIND && !link.server.is_gone()
        };
        self.ways.borrow().links.iter().any(is_behind)
    }

    /// Gathers what the turn brings; when it is over all goes in one message.
    fn gather(&self, add: impl FnMut(&mut Link)) -> bool {
        let links = &mut self.ways.borrow_mut().links;
        let first = links.iter().all(|link| link.news.is_empty());
        links.iter_mut().for_each(add);
        first && links.iter().any(|link| !link.news.is_empty())
    }

    /// Sends what was gathered. Servers that take nothing any more are given up, since the queue for
    /// them would grow without end.
    pub(super) fn flush(&self) {
        let ways = &mut *self.ways.borrow_mut();
        ways.links.retain_mut(|link| {
            let mut gone = link.server.is_gone();
            if !gone && !link.news.is_empty() {
                let news = std::mem::take(&mut link.news);
                gone = link.server.sender.send(Batch { from: self.here, news }).is_err();
                link.behind = link.server.sender.waiting() > BEHIND;
            }
            if gone {
                self.network.unlink(link.number);
                ways.gone.push(link.number);
            }
            !gone
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ropewalk::Reactor;

    #[test]
    fn nothing_is_sent_to_a_server_whose_run_has_ended_and_it_is_unlinked() {
        let (network, mut other, mut reactor) =
            (Network::new(), Reactor::new().unwrap(), Reactor::new().unwrap());
        let [stopped, here] = [network.number(), network.number()];
        let sender = other.context().channel(|_, _: Batch| {});
        let to_those = network.link(stopped, sender.clone());
        let links = network.link(here, reactor.context().channel(|_, _: Batch| {}));
        links.say("lobby", "hello\n");
        links.flush();
        assert_eq!(sender.waiting(), 2, "it has not run yet");
        other.context().stop();
        other.run().unwrap();
        let waiting = sender.waiting();
        for _ in 0..100 {
            links.say("lobby", "hello\n");
            links.flush();
        }
        assert_eq!(sender.waiting(), waiting);
        assert!(!links.are_behind() && !links.lead_to(stopped));
        assert_eq!(links.take_gone(), [stopped]);
        assert!(network.servers().linked.keys().eq([&here]));
        assert!(to_those.are_cut(), "it learns of it when it runs again");
    }
}
