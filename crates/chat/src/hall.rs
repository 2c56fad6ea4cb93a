//! Who is there, in which room, and telling them.

use crate::guests::Guests;
use crate::name::keys;
use crate::network::{Links, Network, News, Place};
use crate::room::{Change, Room};
use ropewalk::{Context, Id};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::rc::{Rc, Weak};
use std::sync::MutexGuard;
use std::time::Duration;

/// A room with more people than this gathers announcements for [`GATHERING`], and a smaller one until
/// the next turn: sending them costs as much as the room is large.
const LARGE: usize = 1_000;

/// How long a large room gathers announcements.
const GATHERING: Duration = Duration::from_millis(100);

/// Everybody, room by room: those of this server, and those of the others as far as their news have
/// come. The maps are ordered, so that nothing that anybody sees depends on chance.
#[derive(Default)]
pub(super) struct Hall {
    /// Who has which name, in the whole network.
    pub(super) network: Network,
    /// The ways to the other servers.
    pub(super) links: Links,
    /// By name. A room is there as long as someone is in it.
    pub(super) rooms: BTreeMap<Rc<str>, Room>,
    /// In which room everybody is, and on which seat.
    pub(super) seats: BTreeMap<Place, (Rc<str>, u64)>,
    /// How the timers that send them reach this.
    pub(super) me: Weak<RefCell<Self>>,
    /// The line that is being told. It is formatted once, for however many, and its memory is kept.
    line: String,
}

impl Hall {
    pub(super) fn shared() -> Rc<RefCell<Self>> {
        Rc::new_cyclic(|me| RefCell::new(Self { me: me.clone(), ..Self::default() }))
    }

    /// Whether another server cannot keep up with what is told here.
    pub(super) fn is_ahead(&self) -> bool {
        self.links.are_behind()
    }

    /// Takes a name for `id`, unless someone else has it, or one that could be confused with it.
    pub(super) fn claim(&mut self, name: &str, id: Id) -> bool {
        let (keys, place, mut names) = (keys(name), self.place(id), self.network.names());
        let is_free = keys.iter().all(|key| names.get(key).is_none_or(|owner| *owner == place));
        if is_free {
            names.extend(keys.map(|key| (key, place)));
        }
        is_free
    }

    /// A name is free again, but for what it has in common with another name of the same person.
    pub(super) fn release(&mut self, name: &str, kept: Option<&str>) {
        let kept = kept.map(keys).unwrap_or_default();
        let mut names = self.network.names();
        for key in keys(name).iter().filter(|key| !kept.contains(key)) {
            names.remove(key);
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<Place> {
        let [key, _] = keys(name);
        self.network.names().get(&key).copied()
    }

    /// What limited addresses have taken.
    pub(super) fn guests(&self) -> MutexGuard<'_, Guests> {
        self.network.guests()
    }

    /// Seats someone in a room, which is made if need be; those who are there are told.
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
        self.seat(room, self.place(id), name.clone());
        let (room, name, line) = (room.to_string(), name.to_string(), self.line.clone());
        let first = self.links.tell_all(&News::Entered { room, id, name, line });
        self.pass_on(context, first);
    }

    /// Takes someone out of a room, which is gone when nobody is left in it; the others are told.
    pub(super) fn leave(
        &mut self,
        context: &mut Context,
        room: &str,
        id: Id,
        text: fmt::Arguments<'_>,
    ) {
        self.catch_up(context, id);
        self.unseat(self.place(id));
        self.format(text);
        self.announce_line(context, room, Change::Left);
        let (room, line) = (room.to_owned(), self.line.clone());
        let first = self.links.tell_all(&News::Left { room, id, line });
        self.pass_on(context, first);
    }

    /// Someone in a room is called otherwise from now on; everybody there is told.
    pub(super) fn rename(
        &mut self,
        context: &mut Context,
        room: &str,
        (id, name): (Id, &Rc<str>),
        text: fmt::Arguments<'_>,
    ) {
        self.call(self.place(id), name);
        self.format(text);
        self.announce_line(context, room, Change::Renamed);
        let (room, name, line) = (room.to_owned(), name.to_string(), self.line.clone());
        let first = self.links.tell_all(&News::Renamed { room, id, name, line });
        self.pass_on(context, first);
    }

    /// Who is in a room, in the order in which they came, for a sentence.
    pub(super) fn list(&self, room: &str) -> String {
        self.rooms.get(room).map(Room::list).unwrap_or_default()
    }

    /// Sends a person what has been announced in their room: it happened before what comes next.
    pub(super) fn catch_up(&mut self, context: &mut Context, id: Id) {
        if let Some((room, seat)) = self.seats.get(&self.place(id))
            && let Some(room) = self.rooms.get_mut(room)
        {
            room.catch_up(context, *seat);
        }
    }

    /// Sends one person a line, wherever he is connected.
    pub(super) fn tell(&mut self, context: &mut Context, place: Place, text: fmt::Arguments<'_>) {
        self.format(text);
        let Place { server, id } = place;
        if server == self.links.here {
            self.catch_up(context, id);
            context.write(id, self.line.as_bytes());
        } else {
            let first = self.links.tell(server, News::Told { id, line: self.line.clone() });
            self.pass_on(context, first);
        }
    }

    /// Sends what `speaker` says to everybody else in a room, wherever they are connected.
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
        self.tell_those_here(context, room, Some(speaker), &self.line);
        let first = self.links.say(room, &self.line);
        self.pass_on(context, first);
    }

    pub(super) fn seat(&mut self, room: &Rc<str>, place: Place, name: Rc<str>) {
        let seat = self.rooms.entry(room.clone()).or_default().seat(place, name);
        self.seats.insert(place, (room.clone(), seat));
    }

    /// Takes someone out of their room. Returns the room, and their name.
    pub(super) fn unseat(&mut self, place: Place) -> Option<(Rc<str>, Rc<str>)> {
        let (room, seat) = self.seats.remove(&place)?;
        let people = self.rooms.get_mut(&room)?;
        let name = people.unseat(seat)?;
        if people.is_empty() {
            self.rooms.remove(&room);
        }
        Some((room, name))
    }

    pub(super) fn call(&mut self, place: Place, name: &Rc<str>) {
        if let Some((room, seat)) = self.seats.get(&place)
            && let Some(room) = self.rooms.get_mut(room)
        {
            room.call(*seat, name);
        }
    }

    /// Announces the line that has just been formatted.
    fn announce_line(&mut self, context: &mut Context, room: &str, change: Change) {
        let line = std::mem::take(&mut self.line);
        self.announce(context, room, change, &line);
        self.line = line;
    }

    /// Announces a line to those in a room, if it is not empty. It is sent with all others that come
    /// by the next turn, or a moment later if the room is large.
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
        // In a stop all connections end, and there is no one to announce it to.
        if context.is_stopping() {
            return;
        }
        if room.announce(change, line) {
            let wait = if room.len() > LARGE { GATHERING } else { Duration::ZERO };
            let (hall, name) = (self.me.clone(), Rc::<str>::from(name));
            context.call_later(wait, move |context| {
                if let Some(hall) = hall.upgrade() {
                    hall.borrow_mut().send_announcements(context, &name);
                }
            });
        }
    }

    /// Sends what has been announced in a room.
    pub(super) fn send_announcements(&mut self, context: &mut Context, room: &str) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.send_announcements(context, self.links.here);
        }
    }

    pub(super) fn tell_those_here(
        &self,
        context: &mut Context,
        room: &str,
        except: Option<Id>,
        lines: &str,
    ) {
        if let Some(room) = self.rooms.get(room) {
            room.tell(context, self.links.here, except, lines);
        }
    }

    fn place(&self, id: Id) -> Place {
        Place { server: self.links.here, id }
    }

    fn format(&mut self, text: fmt::Arguments<'_>) {
        self.line.clear();
        writeln!(self.line, "{text}").expect("a string takes all, and nothing here fails to print");
    }
}
