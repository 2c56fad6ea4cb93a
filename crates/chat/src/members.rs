//! The members of all rooms, and delivery of lines to them.

use crate::address_limits::AddressUsage;
use crate::name::keys;
use crate::network::{Links, MemberId, Network, Update};
use crate::room::{Change, Room};
use ropewalk::{Context, Id};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::rc::{Rc, Weak};
use std::sync::MutexGuard;
use std::time::Duration;

/// A room with more members gathers announcements for [`ANNOUNCEMENT_DELAY`], and a smaller room until the next
/// turn. The cost of sending them is proportional to the size of the room.
const LARGE_ROOM: usize = 1_000;

/// How long a large room gathers announcements.
const ANNOUNCEMENT_DELAY: Duration = Duration::from_millis(100);

/// The members of all rooms: those of this server, and those of the other servers as far as updates have arrived.
/// The maps are ordered, so the results are deterministic.
#[derive(Default)]
pub(super) struct Members {
    /// The names in the whole network.
    pub(super) network: Network,
    /// The links to the other servers.
    pub(super) links: Links,
    /// By name. A room exists as long as it has members.
    pub(super) rooms: BTreeMap<Rc<str>, Room>,
    /// The room of each member, and the member's number in it.
    pub(super) memberships: BTreeMap<MemberId, (Rc<str>, u64)>,
    /// For timers that send announcements.
    pub(super) me: Weak<RefCell<Self>>,
    /// The current line. It is formatted once for all recipients, and its memory is reused.
    line: String,
}

impl Members {
    pub(super) fn shared() -> Rc<RefCell<Self>> {
        Rc::new_cyclic(|me| RefCell::new(Self { me: me.clone(), ..Self::default() }))
    }

    /// Returns true if another server cannot keep up with the updates of this one.
    pub(super) fn is_peer_behind(&self) -> bool {
        self.links.is_behind()
    }

    /// Takes a name for `id`. Returns false if another member has it, or a name that could be confused with it.
    pub(super) fn claim(&mut self, name: &str, id: Id) -> bool {
        let (keys, member_id, mut names) = (keys(name), self.member_id(id), self.network.names());
        let is_free = keys.iter().all(|key| names.get(key).is_none_or(|owner| *owner == member_id));
        if is_free {
            names.extend(keys.map(|key| (key, member_id)));
        }
        is_free
    }

    /// Releases a name, except for its keys that the name `kept` of the same member also has.
    pub(super) fn release(&mut self, name: &str, kept: Option<&str>) {
        let kept = kept.map(keys).unwrap_or_default();
        let mut names = self.network.names();
        for key in keys(name).iter().filter(|key| !kept.contains(key)) {
            names.remove(key);
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<MemberId> {
        let [key, _] = keys(name);
        self.network.names().get(&key).copied()
    }

    /// Returns the usage of limited addresses.
    pub(super) fn address_usage(&self) -> MutexGuard<'_, AddressUsage> {
        self.network.address_usage()
    }

    /// Adds a member to a room, and announces it. The room is created if necessary.
    pub(super) fn enter(
        &mut self,
        context: &mut Context,
        room: &Rc<str>,
        (id, name): (Id, &Rc<str>),
        text: fmt::Arguments<'_>,
    ) {
        self.link_again(context);
        self.format(text);
        self.announce_line(context, room, Change::Joined);
        self.add_member(room, self.member_id(id), name.clone());
        let (room, name, line) = (room.to_string(), name.to_string(), self.line.clone());
        let first = self.links.send_to_all(&Update::Entered { room, id, name, line });
        self.schedule_flush(context, first);
    }

    /// Removes a member from its room, and announces it. An empty room is removed.
    pub(super) fn leave(
        &mut self,
        context: &mut Context,
        room: &str,
        id: Id,
        text: fmt::Arguments<'_>,
    ) {
        self.catch_up(context, id);
        self.remove_member(self.member_id(id));
        self.format(text);
        self.announce_line(context, room, Change::Left);
        let (room, line) = (room.to_owned(), self.line.clone());
        let first = self.links.send_to_all(&Update::Left { room, id, line });
        self.schedule_flush(context, first);
    }

    /// Changes a member's name, and announces it to its room.
    pub(super) fn rename(
        &mut self,
        context: &mut Context,
        room: &str,
        (id, name): (Id, &Rc<str>),
        text: fmt::Arguments<'_>,
    ) {
        self.rename_member(self.member_id(id), name);
        self.format(text);
        self.announce_line(context, room, Change::Renamed);
        let (room, name, line) = (room.to_owned(), name.to_string(), self.line.clone());
        let first = self.links.send_to_all(&Update::Renamed { room, id, name, line });
        self.schedule_flush(context, first);
    }

    /// Returns the names of a room's members, in order of arrival, as a list for a sentence.
    pub(super) fn list(&self, room: &str) -> String {
        self.rooms.get(room).map(Room::list).unwrap_or_default()
    }

    /// Sends a member the announcements of its room, before a line that follows them.
    pub(super) fn catch_up(&mut self, context: &mut Context, id: Id) {
        if let Some((room, number)) = self.memberships.get(&self.member_id(id))
            && let Some(room) = self.rooms.get_mut(room)
        {
            room.catch_up(context, *number);
        }
    }

    /// Sends a line to one member, on whichever server.
    pub(super) fn send_to(
        &mut self,
        context: &mut Context,
        member_id: MemberId,
        text: fmt::Arguments<'_>,
    ) {
        self.format(text);
        let MemberId { server, id } = member_id;
        if server == self.links.here {
            self.catch_up(context, id);
            context.transport(id).write(self.line.as_bytes());
        } else {
            let first = self.links.send_to(server, Update::Message { id, line: self.line.clone() });
            self.schedule_flush(context, first);
        }
    }

    /// Sends a line of `speaker` to all other members of a room, on whichever server.
    pub(super) fn say(
        &mut self,
        context: &mut Context,
        room: &str,
        speaker: Id,
        text: fmt::Arguments<'_>,
    ) {
        self.link_again(context);
        self.format(text);
        self.send_announcements(context, room);
        self.send_to_local(context, room, Some(speaker), &self.line);
        let first = self.links.say(room, &self.line);
        self.schedule_flush(context, first);
    }

    pub(super) fn add_member(&mut self, room: &Rc<str>, member_id: MemberId, name: Rc<str>) {
        let number = self.rooms.entry(room.clone()).or_default().add(member_id, name);
        self.memberships.insert(member_id, (room.clone(), number));
    }

    /// Removes a member. Returns its room and its name.
    pub(super) fn remove_member(&mut self, member_id: MemberId) -> Option<(Rc<str>, Rc<str>)> {
        let (room, number) = self.memberships.remove(&member_id)?;
        let members = self.rooms.get_mut(&room)?;
        let name = members.remove(number)?;
        if members.is_empty() {
            self.rooms.remove(&room);
        }
        Some((room, name))
    }

    pub(super) fn rename_member(&mut self, member_id: MemberId, name: &Rc<str>) {
        if let Some((room, number)) = self.memberships.get(&member_id)
            && let Some(room) = self.rooms.get_mut(room)
        {
            room.rename(*number, name);
        }
    }

    /// Announces the current line.
    fn announce_line(&mut self, context: &mut Context, room: &str, change: Change) {
        let line = std::mem::take(&mut self.line);
        self.announce(context, room, change, &line);
        self.line = line;
    }

    /// Announces a line to a room, if it is not empty. It is sent together with others in the next turn, or after
    /// a short delay if the room is large.
    pub(super) fn announce(
        &mut self,
        context: &mut Context,
        name: &str,
        change: Change,
        line: &str,
    ) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        // In a stop all connections end, and there is no recipient.
        if context.is_stopping() {
            return;
        }
        if room.announce(change, line) {
            let wait = if room.len() > LARGE_ROOM { ANNOUNCEMENT_DELAY } else { Duration::ZERO };
            let (members, name) = (self.me.clone(), Rc::<str>::from(name));
            context.call_later(wait, move |context| {
                if let Some(members) = members.upgrade() {
                    members.borrow_mut().send_announcements(context, &name);
                }
            });
        }
    }

    /// Sends the announcements of a room.
    pub(super) fn send_announcements(&mut self, context: &mut Context, room: &str) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.send_announcements(context, self.links.here);
        }
    }

    pub(super) fn send_to_local(
        &self,
        context: &mut Context,
        room: &str,
        except: Option<Id>,
        lines: &str,
    ) {
        if let Some(room) = self.rooms.get(room) {
            room.send_to(context, self.links.here, except, lines);
        }
    }

    fn member_id(&self, id: Id) -> MemberId {
        MemberId { server: self.links.here, id }
    }

    fn format(&mut self, text: fmt::Arguments<'_>) {
        self.line.clear();
        writeln!(self.line, "{text}").expect("formatting into a string does not fail");
    }
}
