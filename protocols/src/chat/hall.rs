//! Who is there, in which room, and telling them.

use crate::chat::name::folded;
use ropewalk::{Context, Id};
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::rc::Rc;

/// How many names a list of people has before it says how many more there are. Everybody is greeted
/// by such a list, so that without an end to it a crowd would cost quadratic traffic.
const LISTED: usize = 50;

/// Everybody, room by room. The maps are ordered, so that nothing that anybody sees depends on
/// chance.
#[derive(Debug, Default)]
pub(super) struct Hall {
    /// By folded name: names are unique in the whole hall.
    people: BTreeMap<String, Id>,
    /// By name. A room is there as long as someone is in it.
    rooms: BTreeMap<Rc<str>, Vec<Person>>,
    /// The line that is being told. It is formatted once, for however many, and its memory is kept.
    line: String,
}

/// Someone in a room.
#[derive(Debug)]
struct Person {
    id: Id,
    name: Rc<str>,
}

impl Hall {
    /// Takes a name for `id`, unless someone else has it.
    pub(super) fn claim(&mut self, name: &str, id: Id) -> bool {
        *self.people.entry(folded(name)).or_insert(id) == id
    }

    /// A name is free again.
    pub(super) fn release(&mut self, name: &str) {
        self.people.remove(&folded(name));
    }

    pub(super) fn find(&self, name: &str) -> Option<Id> {
        self.people.get(&folded(name)).copied()
    }

    /// Seats someone in a room, which is made if need be.
    pub(super) fn enter(&mut self, room: &Rc<str>, id: Id, name: Rc<str>) {
        self.rooms.entry(room.clone()).or_default().push(Person { id, name });
    }

    /// Takes someone out of a room, which is gone when nobody is left in it.
    pub(super) fn leave(&mut self, room: &str, id: Id) {
        if let Some(people) = self.rooms.get_mut(room) {
            people.retain(|person| person.id != id);
            if people.is_empty() {
                self.rooms.remove(room);
            }
        }
    }

    /// Someone in a room is called otherwise from now on.
    pub(super) fn rename(&mut self, room: &str, id: Id, name: &Rc<str>) {
        let people = self.rooms.get_mut(room).into_iter().flatten();
        for person in people.filter(|person| person.id == id) {
            person.name = name.clone();
        }
    }

    /// Who is in a room, in the order in which they came, for a sentence; without `except`.
    pub(super) fn list(&self, room: &str, except: Option<Id>) -> String {
        let people = self.rooms.get(room).map(Vec::as_slice).unwrap_or_default();
        let mut names = people.iter().filter(|person| Some(person.id) != except);
        let listed: Vec<&str> = names.by_ref().take(LISTED).map(|person| &*person.name).collect();
        match names.count() {
            0 => listed.join(", "),
            more => format!("{} and {more} more", listed.join(", ")),
        }
    }

    /// Sends one person a line.
    pub(super) fn tell(&mut self, context: &mut Context, id: Id, text: fmt::Arguments<'_>) {
        self.format(text);
        context.write(id, self.line.as_bytes());
    }

    /// Sends a line to everybody in a room but `except`.
    pub(super) fn tell_room(
        &mut self,
        context: &mut Context,
        room: &str,
        except: Option<Id>,
        text: fmt::Arguments<'_>,
    ) {
        self.format(text);
        let people = self.rooms.get(room).map(Vec::as_slice).unwrap_or_default();
        for person in people.iter().filter(|person| Some(person.id) != except) {
            context.write(person.id, self.line.as_bytes());
        }
    }

    fn format(&mut self, text: fmt::Arguments<'_>) {
        self.line.clear();
        writeln!(self.line, "{text}").expect("a string takes all, and nothing here fails to print");
    }
}
