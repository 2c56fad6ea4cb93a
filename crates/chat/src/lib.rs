//! A chat server with rooms, names and commands, for [Ropewalk](ropewalk).
//!
//! Its protocol is lines of text, so any program that sends lines can be a client. The first line is the client's
//! name. Later lines are sent to the client's room, except for commands, which begin with `/`:
//!
//! | Command | Effect |
//! |---|---|
//! | `/join ROOM` | joins another room; clients begin in `lobby` |
//! | `/who` | lists the members of the room |
//! | `/nick NAME` | changes the name |
//! | `/me ACTION` | sends an action to the room |
//! | `/msg NAME TEXT` | sends a private message, to any room |
//! | `/help` | lists the commands |
//! | `/quit` | leaves the chat |
//!
//! A line of alice reaches the other members of the room as `<alice> text`, an action as `* alice text`, and a
//! private message to bob as `[alice] text`. Lines of the server begin with `* `. All lines end in LF.
//!
//! No client can harm other clients:
//!
//! - Control characters, characters that change the direction of text, and characters without width are replaced
//!   by U+FFFD: see [`Harmless`].
//! - Names that a reader could confuse count as the same name: those that differ in case only, or in similar
//!   letters. The letters of a name are of one script. Words with which the server's lines begin cannot be names.
//! - Addresses have limits: see [`Chat::address_limits`].
//! - A client that sends too fast is read more slowly, and loses nothing: see [`Chat::flood_limit`].
//! - A client that reads too slowly is disconnected: see [`Chat::write_limit`].
//! - Arrivals, departures and changes of name are announced together: those of one turn, or of a tenth of a second
//!   in a room of more than 1,000 members. The first 50 have a line each, and the others are counted (`* 3 more
//!   joined, 6283 more left`). A member's line is sent after the announcements before it.
//!
//! # Several reactors
//!
//! A chat is on one reactor. The chats of several reactors can be [linked](Chat::linked) to a [`Network`]: names
//! are unique in the network, and all members of a room receive each other's lines, on whichever reactor they are
//! connected. The network guarantees the following:
//!
//! - The lines, the arrival and the departure of one member are received in order.
//! - Lines of members on different reactors may be received in different orders. There is no global order.
//! - Updates are not immediate. Two clients that join an empty room on two reactors may both receive the answer
//!   that they are alone; each then receives the other's arrival.
//! - A line sent during a stop may not reach another reactor that is also stopping.
//! - A reactor has no members after the end of its run. The other reactors send it nothing more, and do not wait for
//!   it, whether it is dropped or kept.
//!
//! All updates of one reactor in a turn are sent to each other reactor in one message. Clients are read more
//! slowly while another reactor cannot keep up, so the queues between reactors are bounded.
//!
//! # Logs and files
//!
//! Joins and departures, with their reasons, are logged under `ropewalk_chat` at level info.
//!
//! | File | Contents |
//! |---|---|
//! | `chatter.rs` | one connection: its callbacks, limits and end |
//! | `actions.rs` | handling of lines and commands |
//! | `commands.rs` | the parser of commands |
//! | `address_limits.rs` | limits of one address |
//! | `members.rs` | the members of all rooms, and delivery to them |
//! | `room.rs` | one room: its members and announcements |
//! | `linking.rs` | exchange of updates with other reactors |
//! | `network.rs` | what the chats of several reactors share, and the links between them |
//! | `name.rs` | valid names, and which names are the same |
//! | `rate_limit.rs` | a token bucket |
//! | `text.rs` | removal of harmful characters |

mod actions;
mod address_limits;
mod chatter;
mod commands;
mod linking;
mod members;
mod name;
mod network;
mod rate_limit;
mod room;
mod text;

use address_limits::AddressLimits;
use members::Members;
use rate_limit::RateLimit;
use ropewalk::Context;
use ropewalk_protocols::LineReceiver;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

pub use chatter::Chatter;
pub use network::Network;
pub use text::Harmless;

/// The log target of the chat. It is part of the public interface.
const LOG: &str = "ropewalk_chat";

/// The default maximum length of a line in bytes: about a screenful.
const MAX_LENGTH: usize = 1024;

/// The default write limit in bytes: the text of several hours.
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
/// All its members are on one reactor, so a chat cannot be sent to another thread. For members on several
/// reactors, [link](Self::linked) their chats.
#[derive(Clone)]
pub struct Chat {
    members: Rc<RefCell<Members>>,
    max_length: usize,
    write_limit: usize,
    flood_limit: Option<RateLimit>,
    address_limits: AddressLimits,
}

impl Chat {
    /// Returns an empty chat.
    pub fn new() -> Self {
        Self {
            members: Members::shared(),
            max_length: MAX_LENGTH,
            write_limit: WRITE_LIMIT,
            flood_limit: Some(RateLimit::default()),
            address_limits: AddressLimits::default(),
        }
    }

    /// Returns an empty chat on the reactor of `context`, linked to the other chats of `network`.
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
    /// Reactors outside of a group can be linked as well, at any time. When the run of a reactor ends, or it is
    /// dropped, the other reactors announce that its members have left, and do not wait for it any more. If it
    /// runs again, it rejoins the network.
    pub fn linked(network: &Network, context: &mut Context) -> Self {
        let chat = Self::new();
        chat.members.borrow_mut().link(network, context);
        chat
    }

    /// Sets the maximum length of a line in bytes. Default: 1,024. A longer line is dropped, and the client
    /// receives a notice.
    #[must_use]
    pub fn max_length(self, bytes: usize) -> Self {
        Self { max_length: bytes, ..self }
    }

    /// Sets the limit of unsent bytes for one client. Default: 1 MiB. A client that exceeds it is disconnected
    /// with [`Reason::WriteLimit`](ropewalk::Reason::WriteLimit), and the others receive the announcement that it
    /// was too slow.
    ///
    /// The system's send buffer is included: it has 64 KiB of the limit, or half of it if that is less (SO_SNDBUF,
    /// socket(7)). Otherwise it would grow to megabytes. Data received by the client's system is not included.
    #[must_use]
    pub fn write_limit(self, bytes: usize) -> Self {
        Self { write_limit: bytes, ..self }
    }

    /// Sets how many lines a client may send at once, and how many per second after that. Default: 1,000 and 100.
    /// A client that sends more is read no faster than that, and loses nothing.
    ///
    /// # Panics
    ///
    /// If one of them is 0.
    #[must_use]
    pub fn flood_limit(self, burst: u32, lines_per_second: u32) -> Self {
        Self { flood_limit: Some(RateLimit::new(burst, lines_per_second)), ..self }
    }

    /// Removes the limit on the speed of clients, for measurements.
    #[must_use]
    pub fn without_flood_limit(self) -> Self {
        Self { flood_limit: None, ..self }
    }

    /// Sets the limits of one address, on all reactors of a network: simultaneous connections, and first names per
    /// minute. Default: 50 and 60. 0: no limit. A network of 64 bits counts as one IPv6 address.
    ///
    /// All connections of an address together may send twice the lines of [`flood_limit`](Self::flood_limit).
    /// Loopback addresses are not limited, except with [`limit_loopback`](Self::limit_loopback); Unix sockets are
    /// not limited.
    #[must_use]
    pub fn address_limits(mut self, connections: u32, joins_per_minute: u32) -> Self {
        let limits = &mut self.address_limits;
        (limits.connections, limits.joins_per_minute) = (connections, joins_per_minute);
        self
    }

    /// Sets how long a connection of a limited address may be without a name. Default: 60 seconds. 0: no limit.
    #[must_use]
    pub fn name_timeout(mut self, timeout: Duration) -> Self {
        self.address_limits.name_timeout = timeout;
        self
    }

    /// Applies the limits of addresses to loopback addresses as well.
    #[must_use]
    pub fn limit_loopback(mut self) -> Self {
        self.address_limits.loopback = true;
        self
    }

    /// Returns the protocol of one connection.
    pub fn protocol(&self) -> LineReceiver<Chatter> {
        LineReceiver::new(Chatter::new(self.clone())).max_length(self.max_length)
    }

    /// Returns a factory of protocols, to listen with.
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
