//! Several chats, each on a reactor of its own, that are one to those who are in it.

use crate::chat::guests::Guests;
use ropewalk::{Context, Id, Sender};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many turns' news may wait with another server before those who make news here are read more
/// slowly. One that keeps up has taken them all by its next turn.
const BEHIND: usize = 8;

/// What the chats of several reactors have in common: cloned freely, and sent to each thread, where
/// a chat is [linked](crate::chat::Chat::linked) to it.
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
    /// By each of its [keys](crate::chat::name::keys). That nobody has a name twice cannot be left to news,
    /// which come too late.
    names: Mutex<BTreeMap<String, Place>>,
    /// What limited addresses have taken, on all servers together.
    guests: Mutex<Guests>,
    /// The ways to the servers there are.
    servers: Mutex<Vec<Sender<Batch>>>,
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
    Linked(Sender<Batch>),
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

    /// Adds a server, which `sender` leads to, and tells the others. Returns the ways to those.
    pub(super) fn link(&self, sender: Sender<Batch>) -> Links {
        let mut servers = self.shared.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let links = Links { here: servers.len(), links: Rc::default() };
        for (server, other) in servers.iter().enumerate() {
            links.add(server, other.clone(), vec![News::Linked(sender.clone())]);
        }
        servers.push(sender);
        links
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
    /// In no particular order. They are shared with the timer that sends what is gathered.
    links: Rc<RefCell<Vec<Link>>>,
}

/// The way to one other server.
struct Link {
    server: usize,
    sender: Sender<Batch>,
    /// What it is to be told when the turn is over.
    news: Vec<News>,
    /// It has been slow to take what it was told.
    behind: bool,
}

impl Links {
    /// Adds the way to another server, which is told `news` before anything else.
    pub(super) fn add(&self, server: usize, sender: Sender<Batch>, news: Vec<News>) {
        self.links.borrow_mut().push(Link { server, sender, news, behind: false });
        self.flush();
    }

    /// Tells all servers.
    pub(super) fn tell_all(&self, context: &mut Context, news: News) {
        self.gather(context, |link| link.news.push(news.clone()));
    }

    /// Tells one server.
    pub(super) fn tell(&self, context: &mut Context, server: usize, news: News) {
        let mut news = Some(news);
        self.gather(context, |link| {
            if link.server == server {
                link.news.extend(news.take());
            }
        });
    }

    /// Passes on a line for a room. It goes to all servers, be anyone in that room there or not: of
    /// one who has just come in, nobody here may know yet, and he is not to miss it.
    pub(super) fn say(&self, context: &mut Context, room: &str, line: &str) {
        self.gather(context, |link| match link.news.last_mut() {
            // What follows in the same room joins it: there it will be one write for each person.
            Some(News::Said { room: last, lines }) if last == room => lines.push_str(line),
            _ => link.news.push(News::Said { room: room.to_owned(), lines: line.to_owned() }),
        });
    }

    /// Whether another server cannot keep up with what it is told.
    pub(super) fn are_behind(&self) -> bool {
        let links = self.links.borrow();
        links.iter().any(|link| link.behind && link.sender.waiting() > BEHIND)
    }

    /// Gathers what the turn brings; when it is over all goes in one message.
    fn gather(&self, context: &mut Context, add: impl FnMut(&mut Link)) {
        let mut links = self.links.borrow_mut();
        let first = links.iter().all(|link| link.news.is_empty());
        links.iter_mut().for_each(add);
        let any = links.iter().any(|link| !link.news.is_empty());
        drop(links);
        if any && context.is_stopping() {
            self.flush(); // There may be no next turn.
        } else if any && first {
            let links = self.clone();
            context.call_later(Duration::ZERO, move |_| links.flush());
        }
    }

    fn flush(&self) {
        for link in self.links.borrow_mut().iter_mut().filter(|link| !link.news.is_empty()) {
            let news = std::mem::take(&mut link.news);
            // A server that is gone has told that its people have left.
            let _ = link.sender.send(Batch { from: self.here, news });
            link.behind = link.sender.waiting() > BEHIND;
        }
    }
}
