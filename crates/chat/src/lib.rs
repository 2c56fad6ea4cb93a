//! A chat server: rooms, names, and whoever comes.
//!
//! It speaks lines of text, so that any program which can send lines is a client. The first line is
//! one's name; after that a line is said to the room one is in, and a line that begins with `/` is
//! a command:
//!
//! | Command | What it does |
//! |---|---|
//! | `/join ROOM` | goes to another room; `lobby` is where everyone begins |
//! | `/who` | says who is in this room |
//! | `/nick NAME` | changes one's name |
//! | `/me ACTION` | tells the room what one does |
//! | `/msg NAME TEXT` | says something to one person only, in whatever room |
//! | `/help` | lists these |
//! | `/quit` | leaves |
//!
//! What alice says reaches everyone else in her room as `<alice> text`, what she does as
//! `* alice text`, what she says to bob alone as `[alice] text`. A line of the server's own begins
//! with `* `. All that is sent ends in LF.
//!
//! Nobody can make another one pay:
//!
//! - Control characters, those that change the direction of writing, and those that have no width come as
//!   U+FFFD: see [`Harmless`].
//! - Names that a reader could confuse are the same name, and so taken: those that differ in case only, or in
//!   letters that look alike. A name is of one script. Words that lines of the server's own begin with are no names.
//! - One address can take so much and no more: see [`Chat::address_limits`].
//! - Who sends too fast is slowed, and loses nothing: see [`Chat::flood_limit`].
//! - Who reads too slowly is dropped: see [`Chat::write_limit`].
//! - Arrivals, departures and changes of name are announced together: those of one turn, or of a tenth of
//!   a second in a room of more than 1,000 people. The first 50 have a line each, and the others
//!   are counted (`* 3 more joined, 6283 more left`). What somebody says comes after all that was
//!   announced before it.
//!
//! # On several reactors
//!
//! A chat is on one reactor. Those of several are [linked](Chat::linked) to one, a [`Network`]:
//! names are unique in all of it, and who is in a room hears and sees all others in it, wherever
//! they are connected. What one may count on:
//!
//! - What one person says, and that he comes and goes, is heard by everybody in that order.
//! - What two say who are on different reactors may be heard in one order by some and in the other
//!   by others; there is no order that holds everywhere.
//! - News take a moment. In it, two who join an empty room on two reactors may both be told that
//!   they are alone; each then sees the other join.
//! - What is said while a stop has begun may not be heard on another reactor, which is stopping,
//!   too.
//! - A reactor whose run has ended has no people in it. The others send it nothing more, and wait for it no
//!   longer, whether it is dropped or kept.
//!
//! All that happens on one reactor in a turn goes to each of the others in one message. Everyone
//! who talks is read more slowly while another reactor cannot keep up, so what waits between them
//! is bounded.
//!
//! # Logs and files
//!
//! Who joins and who leaves, and why, is logged under `ropewalk_chat`, at level info.
//!
//! | File | What |
//! |---|---|
//! | `chatter.rs` | one connection: from its lines to what they mean |
//! | `commands.rs` | the commands, from their text |
//! | `guests.rs` | what one address may take |
//! | `hall.rs` | who is there, in which room, and telling them |
//! | `linking.rs` | a hall and those on other reactors, and what they tell each other |
//! | `network.rs` | several reactors as one chat: who has which name, and what they tell each other |
//! | `name.rs` | which names are acceptable, and which are the same |
//! | `room.rs` | one room: its people, and what is announced to them |
//! | `pace.rs` | how fast one may talk |
//! | `text.rs` | what others may be shown |

mod chatter;
mod commands;
mod guests;
mod hall;
mod linking;
mod name;
mod network;
mod pace;
mod room;
mod text;

use guests::AddressLimits;
use hall::Hall;
use pace::Limit;
use ropewalk::Context;
use ropewalk_protocols::LineReceiver;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

pub use chatter::Chatter;
pub use network::Network;
pub use text::Harmless;

/// The chat's log target. It is part of the public interface.
const LOG: &str = "ropewalk_chat";

/// How long a line may be, in bytes, unless set: a screenful.
const MAX_LENGTH: usize = 1024;

/// How many bytes may wait for one person, unless set: a long evening's talk.
const WRITE_LIMIT: usize = 1024 * 1024;

/// A chat server. Clones are the same chat.
///
/// ```
/// use ropewalk::{Error, Reactor};
/// use ropewalk_chat::Chat;
/// # use std::{io::{Read, Write}, net::TcpStream};
///
/// let mut reactor = Reactor::new()?;
/// let port = reactor.listen_tcp("127.0.0.1:0", Chat::new().factory())?;
/// println!("listening on {}", port.address());
/// # let mut client = TcpStream::connect(port.address()).unwrap();
/// # client.write_all(b"alice\n/quit\n").unwrap();
/// # client.set_nonblocking(true).unwrap();
/// # let mut said = Vec::new();
/// # while client.read_to_end(&mut said).is_err() {
/// #     reactor.turn(None)?;
/// # }
/// # assert!(String::from_utf8(said).unwrap().contains("welcome, alice"));
/// # Ok::<(), Error>(())
/// ```
///
/// Everybody in it is on one reactor, so a chat cannot be sent to another thread. To have everybody
/// on several, [link](Self::linked) the chats of those.
#[derive(Clone)]
pub struct Chat {
    hall: Rc<RefCell<Hall>>,
    max_length: usize,
    write_limit: usize,
    flood_limit: Option<Limit>,
    address_limits: AddressLimits,
}

impl Chat {
    /// A chat with nobody in it.
    pub fn new() -> Self {
        Self {
            hall: Hall::shared(),
            max_length: MAX_LENGTH,
            write_limit: WRITE_LIMIT,
            flood_limit: Some(Limit::default()),
            address_limits: AddressLimits::default(),
        }
    }

    /// A chat with nobody in it, on the reactor of `context`, that is one with all others of
    /// `network`.
    ///
    /// ```
    /// use ropewalk::{Error, ReactorGroup};
    /// use ropewalk_chat::{Chat, Network};
    ///
    /// let network = Network::new();
    /// let mut group = ReactorGroup::new(2)?;
    /// group.listen_tcp("127.0.0.1:0", move |member| {
    ///     Chat::linked(&network, member.context()).factory()
    /// })?;
    /// # group.handle().stop().unwrap();
    /// group.run()?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// Reactors that are no group can be linked as well, at any time. When the run of one ends, or it is
    /// dropped, the other reactors announce that its people have left, and do not wait for it any more. If it
    /// is run again, it is part of the same chat again.
    pub fn linked(network: &Network, context: &mut Context) -> Self {
        let chat = Self::new();
        chat.hall.borrow_mut().link(network, context);
        chat
    }

    /// How long a line may be, in bytes: 1,024 unless set. Who sends a longer one is told so, and
    /// the line is dropped.
    #[must_use]
    pub fn max_length(self, bytes: usize) -> Self {
        Self { max_length: bytes, ..self }
    }

    /// How many bytes may wait for someone who does not read them: 1 MiB unless set. Who has more
    /// to read than that is dropped, with [`Reason::WriteLimit`](ropewalk::Reason::WriteLimit), and
    /// the others are told that he was too slow.
    ///
    /// The system's send buffer counts: it gets 64 KiB of the limit, or half of it if that is less (SO_SNDBUF,
    /// socket(7)), where it would grow to megabytes by itself. What the client's system has received is no
    /// longer the server's, and does not count.
    #[must_use]
    pub fn write_limit(self, bytes: usize) -> Self {
        Self { write_limit: bytes, ..self }
    }

    /// How many lines someone may send at once, and how many a second after that: 1,000 and 100
    /// unless set. Who sends more is read from no faster than that; nothing is lost.
    ///
    /// # Panics
    ///
    /// If one of them is 0: then nobody could say anything.
    #[must_use]
    pub fn flood_limit(self, burst: u32, lines_per_second: u32) -> Self {
        Self { flood_limit: Some(Limit::new(burst, lines_per_second)), ..self }
    }

    /// Lets everyone talk as fast as they can: for measuring.
    #[must_use]
    pub fn without_flood_limit(self) -> Self {
        Self { flood_limit: None, ..self }
    }

    /// What one address may take, on all reactors of a network: how many connections at the same time, and
    /// how many first names a minute. Default: 50 and 60. Zero is no limit. A network of 64 bits counts as one IPv6 address.
    ///
    /// Together, the connections of one address may send twice the lines of [`flood_limit`](Self::flood_limit).
    /// Loopback addresses are not limited, but see [`limit_loopback`](Self::limit_loopback); nor are Unix sockets.
    #[must_use]
    pub fn address_limits(mut self, connections: u32, joins_per_minute: u32) -> Self {
        let limits = &mut self.address_limits;
        (limits.connections, limits.joins_per_minute) = (connections, joins_per_minute);
        self
    }

    /// How long a connection may go on without saying a name, if its address is limited. Default: 60 seconds.
    /// Zero is for ever.
    #[must_use]
    pub fn name_timeout(mut self, timeout: Duration) -> Self {
        self.address_limits.name_timeout = timeout;
        self
    }

    /// Has the limits of addresses apply to loopback addresses as well.
    #[must_use]
    pub fn limit_loopback(mut self) -> Self {
        self.address_limits.loopback = true;
        self
    }

    /// The protocol of one connection.
    pub fn protocol(&self) -> LineReceiver<Chatter> {
        LineReceiver::new(Chatter::new(self.clone())).max_length(self.max_length)
    }

    /// What makes the protocols, to listen with.
    pub fn factory(&self) -> impl FnMut() -> LineReceiver<Chatter> + use<> {
        let chat = self.clone();
        move || chat.protocol()
    }
}

impl Default for Chat {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chat")
            .field("max_length", &self.max_length)
            .field("write_limit", &self.write_limit)
            .field("flood_limit", &self.flood_limit)
            .field("address_limits", &self.address_limits)
            .finish_non_exhaustive()
    }
}
