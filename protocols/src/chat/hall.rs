//! Who is there, in which room, and telling them.

use crate::chat::guests::Guests;
use crate::chat::name::keys;
use crate::chat::network::{Batch, Links, Network, News, Place};
use crate::chat::room::{Change, Room};
use ropewalk::{Context, Id, Sender};
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
    network: Network,
    /// The ways to the other servers.
    links: Links,
    /// By name. A room is there as long as someone is in it.
    rooms: BTreeMap<Rc<str>, Room>,
    /// In which room everybody is, and on which seat.
    seats: BTreeMap<Place, (Rc<str>, u64)>,
    /// How the timers that send them reach this.
    me: Weak<RefCell<Self>>,
    /// The line that is being told. It is formatted once, for however many, and its memory is kept.
    line: String,
}

impl Hall {
    pub(super) fn shared() -> Rc<RefCell<Self>> {
        Rc::new_cyclic(|me| RefCell::new(Self { me: me.clone(), ..Self::default() }))
    }

    /// Makes this a server of a network. `sender` is how it is told what happens on the others.
    pub(super) fn link(&mut self, network: &Network, sender: Sender<Batch>) {
        self.network = network.clone();
        self.links = network.link(sender);
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
        self.format(text);
        self.announce_line(context, room, Change::Joined);
        self.seat(room, self.place(id), name.clone());
        let (room, name, line) = (room.to_string(), name.to_string(), self.line.clone());
        self.links.tell_all(context, News::Entered { room, id, name, line });
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
        // When everybody is leaving, nobody is left to be told.
        if context.is_stopping() {
            self.line.clear();
        }
        self.announce_line(context, room, Change::Left);
        let (room, line) = (room.to_owned(), self.line.clone());
        self.links.tell_all(context, News::Left { room, id, line });
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
        self.links.tell_all(context, News::Renamed { room, id, name, line });
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
            self.links.tell(context, server, News::Told { id, line: self.line.clone() });
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
        self.format(text);
        self.send_announcements(context, room);
        self.tell_those_here(context, room, Some(speaker), &self.line);
        self.links.say(context, room, &self.line);
    }

    /// What another server has told.
    pub(super) fn heed(&mut self, context: &mut Context, batch: Batch) {
        let server = batch.from;
        for news in batch.news {
            match news {
                News::Entered { room, id, name, line } => {
                    self.announce(context, &room, Change::Joined, &line);
                    self.seat(&room.into(), Place { server, id }, name.into());
                }
                News::Left { room, id, line } => {
                    self.unseat(Place { server, id });
                    self.announce(context, &room, Change::Left, &line);
                }
                News::Linked(sender) => self.greet(server, sender),
                News::Renamed { room, id, name, line } => {
                    self.call(Place { server, id }, &name.into());
                    self.announce(context, &room, Change::Renamed, &line);
                }
                News::Said { room, lines } => {
                    self.send_announcements(context, &room);
                    self.tell_those_here(context, &room, None, &lines);
                }
                News::Told { id, line } => {
                    self.catch_up(context, id);
                    context.write(id, line.as_bytes());
                }
            }
        }
    }

    /// There is a new server: it is told who is here.
    fn greet(&mut self, server: usize, sender: Sender<Batch>) {
        let mut news = Vec::new();
        for (name, room) in &self.rooms {
            for (place, person) in
                room.people().filter(|(place, _)| place.server == self.links.here)
            {
                let (room, name) = (name.to_string(), person.to_string());
                let line = String::new(); // It is no news that they are here.
                news.push(News::Entered { room, id: place.id, name, line });
            }
        }
        self.links.add(server, sender, news);
    }

    fn seat(&mut self, room: &Rc<str>, place: Place, name: Rc<str>) {
        let seat = self.rooms.entry(room.clone()).or_default().seat(place, name);
        self.seats.insert(place, (room.clone(), seat));
    }

    fn unseat(&mut self, place: Place) {
        if let Some((name, seat)) = self.seats.remove(&place)
            && let Some(room) = self.rooms.get_mut(&name)
        {
            room.unseat(seat);
            if room.is_empty() {
                self.rooms.remove(&name);
            }
        }
    }

    fn call(&mut self, place: Place, name: &Rc<str>) {
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
    fn announce(&mut self, context: &mut Context, name: &str, change: Change, line: &str) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
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
    fn send_announcements(&mut self, context: &mut Context, room: &str) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.send_announcements(context, self.links.here);
        }
    }

    fn tell_those_here(&self, context: &mut Context, room: &str, except: Option<Id>, lines: &str) {
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
