//! Who is there, in which room, and telling them.

use crate::chat::name::folded;
use crate::chat::network::{Batch, Links, Network, News, Place};
use ropewalk::{Context, Id, Sender};
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::rc::Rc;

/// How many names a list of people has before it says how many more there are. Everybody is greeted
/// by such a list, so that without an end to it a crowd would cost quadratic traffic.
const LISTED: usize = 50;

/// Everybody, room by room: those of this server, and those of the others as far as their news have
/// come. The maps are ordered, so that nothing that anybody sees depends on chance.
#[derive(Default)]
pub(super) struct Hall {
    /// Who has which name, in the whole network.
    network: Network,
    /// The ways to the other servers.
    links: Links,
    /// By name. A room is there as long as someone is in it.
    rooms: BTreeMap<Rc<str>, Vec<Person>>,
    /// The line that is being told. It is formatted once, for however many, and its memory is kept.
    line: String,
}

/// Someone in a room.
struct Person {
    place: Place,
    name: Rc<str>,
}

impl Hall {
    /// Makes this a server of a network. `sender` is how it is told what happens on the others.
    pub(super) fn link(&mut self, network: &Network, sender: Sender<Batch>) {
        self.network = network.clone();
        self.links = network.link(sender);
    }

    /// Whether another server cannot keep up with what is told here.
    pub(super) fn is_ahead(&self) -> bool {
        self.links.are_behind()
    }

    /// Takes a name for `id`, unless someone else has it.
    pub(super) fn claim(&mut self, name: &str, id: Id) -> bool {
        let place = self.place(id);
        *self.network.names().entry(folded(name)).or_insert(place) == place
    }

    /// A name is free again.
    pub(super) fn release(&mut self, name: &str) {
        self.network.names().remove(&folded(name));
    }

    pub(super) fn find(&self, name: &str) -> Option<Place> {
        self.network.names().get(&folded(name)).copied()
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
        self.tell_those_here(context, room, None, &self.line);
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
        self.unseat(room, self.place(id));
        self.format(text);
        // When everybody is leaving, nobody is left to be told.
        if context.is_stopping() {
            self.line.clear();
        }
        self.tell_those_here(context, room, None, &self.line);
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
        self.call(room, self.place(id), name);
        self.format(text);
        self.tell_those_here(context, room, None, &self.line);
        let (room, name, line) = (room.to_owned(), name.to_string(), self.line.clone());
        self.links.tell_all(context, News::Renamed { room, id, name, line });
    }

    /// Who is in a room, in the order in which they came, for a sentence; without `except`.
    pub(super) fn list(&self, room: &str, except: Option<Id>) -> String {
        let except = except.map(|id| self.place(id));
        let mut names = self.people(room).iter().filter(|person| Some(person.place) != except);
        let listed: Vec<&str> = names.by_ref().take(LISTED).map(|person| &*person.name).collect();
        match names.count() {
            0 => listed.join(", "),
            more => format!("{} and {more} more", listed.join(", ")),
        }
    }

    /// Sends one person a line, wherever he is connected.
    pub(super) fn tell(&mut self, context: &mut Context, place: Place, text: fmt::Arguments<'_>) {
        self.format(text);
        let Place { server, id } = place;
        if server == self.links.here {
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
        self.tell_those_here(context, room, Some(speaker), &self.line);
        self.links.say(context, room, &self.line);
    }

    /// What another server has told.
    pub(super) fn heed(&mut self, context: &mut Context, batch: Batch) {
        let server = batch.from;
        for news in batch.news {
            match news {
                News::Entered { room, id, name, line } => {
                    self.tell_those_here(context, &room, None, &line);
                    self.seat(&room.into(), Place { server, id }, name.into());
                }
                News::Left { room, id, line } => {
                    self.unseat(&room, Place { server, id });
                    self.tell_those_here(context, &room, None, &line);
                }
                News::Linked(sender) => self.greet(server, sender),
                News::Renamed { room, id, name, line } => {
                    self.call(&room, Place { server, id }, &name.into());
                    self.tell_those_here(context, &room, None, &line);
                }
                News::Said { room, lines } => self.tell_those_here(context, &room, None, &lines),
                News::Told { id, line } => context.write(id, line.as_bytes()),
            }
        }
    }

    /// There is a new server: it is told who is here.
    fn greet(&mut self, server: usize, sender: Sender<Batch>) {
        let mut news = Vec::new();
        for (room, people) in &self.rooms {
            for person in people.iter().filter(|person| person.place.server == self.links.here) {
                let (room, name) = (room.to_string(), person.name.to_string());
                let line = String::new(); // He has been there all the time.
                news.push(News::Entered { room, id: person.place.id, name, line });
            }
        }
        self.links.add(server, sender, news);
    }

    fn seat(&mut self, room: &Rc<str>, place: Place, name: Rc<str>) {
        self.rooms.entry(room.clone()).or_default().push(Person { place, name });
    }

    fn unseat(&mut self, room: &str, place: Place) {
        if let Some(people) = self.rooms.get_mut(room) {
            people.retain(|person| person.place != place);
            if people.is_empty() {
                self.rooms.remove(room);
            }
        }
    }

    fn call(&mut self, room: &str, place: Place, name: &Rc<str>) {
        let people = self.rooms.get_mut(room).into_iter().flatten();
        for person in people.filter(|person| person.place == place) {
            person.name = name.clone();
        }
    }

    fn tell_those_here(&self, context: &mut Context, room: &str, except: Option<Id>, lines: &str) {
        for Person { place: Place { server, id }, .. } in self.people(room) {
            if *server == self.links.here && Some(*id) != except {
                context.write(*id, lines.as_bytes());
            }
        }
    }

    fn people(&self, room: &str) -> &[Person] {
        self.rooms.get(room).map(Vec::as_slice).unwrap_or_default()
    }

    fn place(&self, id: Id) -> Place {
        Place { server: self.links.here, id }
    }

    fn format(&mut self, text: fmt::Arguments<'_>) {
        self.line.clear();
        writeln!(self.line, "{text}").expect("a string takes all, and nothing here fails to print");
    }
}
