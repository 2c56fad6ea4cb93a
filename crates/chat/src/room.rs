//! One room: its people, and the announcements that are due to them.
//!
//! An arrival, a departure or a change of name is not sent to everybody at once. When thousands leave
//! together, each of those departures would be a write to each of the others: quadratic work. They
//! are gathered instead, and each person receives, in one write, what happened since they came in.

use crate::network::Place;
use ropewalk::{Context, Id};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

/// How many names a list of people has before it says how many more there are, and how many
/// announcements that are made together have a line of their own. Without an end to either a crowd
/// would cost quadratic traffic.
pub(super) const LISTED: usize = 50;

/// The people in a room, in the order in which they came.
#[derive(Default)]
pub(super) struct Room {
    /// By the number of their seat. Numbers are given out in ascending order.
    people: BTreeMap<u64, Person>,
    next_seat: u64,
    announcements: Announcements,
}

/// Someone in a room.
struct Person {
    place: Place,
    name: Rc<str>,
    /// What had been announced when they came, or when they last received announcements.
    knows: Mark,
}

/// What an announcement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Joined,
    Left,
    Renamed,
}

/// What has been announced and not been sent.
#[derive(Default)]
struct Announcements {
    /// The first of them, a line each.
    lines: String,
    end: Mark,
}

/// A place among announcements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    /// How many have a line, and how many bytes those have.
    lines: usize,
    bytes: usize,
    /// How many more there are, by [`Change`].
    more: [usize; 3],
}

impl Room {
    pub(super) fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// How many people there are.
    pub(super) fn len(&self) -> usize {
        self.people.len()
    }

    /// Everybody's place and name, in the order in which they came.
    pub(super) fn people(&self) -> impl Iterator<Item = (Place, &Rc<str>)> {
        self.people.values().map(|person| (person.place, &person.name))
    }

    /// Seats someone, who will not receive what has been announced before. Returns the number of the
    /// seat.
    pub(super) fn seat(&mut self, place: Place, name: Rc<str>) -> u64 {
        let person = Person { place, name, knows: self.announcements.end };
        self.people.insert(self.next_seat, person);
        self.next_seat += 1;
        self.next_seat - 1
    }

    /// Takes someone from their seat. Returns their name.
    pub(super) fn unseat(&mut self, seat: u64) -> Option<Rc<str>> {
        self.people.remove(&seat).map(|person| person.name)
    }

    pub(super) fn call(&mut self, seat: u64, name: &Rc<str>) {
        if let Some(person) = self.people.get_mut(&seat) {
            person.name = name.clone();
        }
    }

    /// Announces something to everybody who is here now. Returns whether it is the first
    /// announcement since the last were sent. An empty line announces nothing.
    pub(super) fn announce(&mut self, change: Change, line: &str) -> bool {
        let is_first = self.announcements.end == Mark::default();
        if !line.is_empty() {
            self.announcements.add(change, line);
        }
        is_first && !line.is_empty()
    }

    /// Sends the people of server `here` what has been announced.
    pub(super) fn send_announcements(&mut self, context: &mut Context, here: usize) {
        let announced = std::mem::take(&mut self.announcements);
        if announced.end == Mark::default() {
            return;
        }
        let all = announced.since(Mark::default());
        for person in self.people.values_mut() {
            let knows = std::mem::take(&mut person.knows);
            if person.place.server != here || knows == announced.end {
                continue;
            }
            // Nearly everybody was here before the first of them.
            match knows == Mark::default() {
                true => context.write(person.place.id, all.as_bytes()),
                false => context.write(person.place.id, announced.since(knows).as_bytes()),
            }
        }
    }

    /// Sends one person what has been announced and not been sent to them.
    pub(super) fn catch_up(&mut self, context: &mut Context, seat: u64) {
        let announced = &self.announcements;
        if let Some(person) = self.people.get_mut(&seat)
            && person.knows != announced.end
        {
            let knows = std::mem::replace(&mut person.knows, announced.end);
            context.write(person.place.id, announced.since(knows).as_bytes());
        }
    }

    /// Sends lines to the people of server `here` without `except`.
    pub(super) fn tell(&self, context: &mut Context, here: usize, except: Option<Id>, lines: &str) {
        for Person { place: Place { server, id }, .. } in self.people.values() {
            if *server == here && Some(*id) != except {
                context.write(*id, lines.as_bytes());
            }
        }
    }

    /// Who is here, in the order in which they came, for a sentence.
    pub(super) fn list(&self) -> String {
        let listed: Vec<&str> = self.people().take(LISTED).map(|(_, name)| &**name).collect();
        match self.people.len() - listed.len() {
            0 => listed.join(", "),
            more => format!("{} and {more} more", listed.join(", ")),
        }
    }
}

impl Announcements {
    fn add(&mut self, change: Change, line: &str) {
        if self.end.lines == LISTED {
            self.end.more[change as usize] += 1;
        } else {
            self.lines.push_str(line);
            self.end.lines += 1;
            self.end.bytes = self.lines.len();
        }
    }

    /// What was announced after `mark`, as lines.
    fn since(&self, mark: Mark) -> String {
        let mut text = self.lines[mark.bytes..].to_owned();
        let more = self.end.more.iter().zip(mark.more).map(|(end, before)| end - before);
        let parts: Vec<String> = more
            .zip(["joined", "left", "changed their names"])
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} more {what}"))
            .collect();
        if !parts.is_empty() {
            writeln!(text, "* {}", parts.join(", ")).expect("a string takes everything");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Announcements, Change, LISTED, Mark};

    #[test]
    fn a_few_announcements_have_a_line_each() {
        let mut announcements = Announcements::default();
        announcements.add(Change::Joined, "* ann joined lobby\n");
        announcements.add(Change::Left, "* bob left\n");
        assert_eq!(announcements.since(Mark::default()), "* ann joined lobby\n* bob left\n");
    }

    #[test]
    fn many_announcements_are_counted_and_take_bounded_memory() {
        let mut announcements = Announcements::default();
        for number in 0..LISTED {
            announcements.add(Change::Left, &format!("* guest{number} left\n"));
        }
        let (mark, bytes) = (announcements.end, announcements.lines.len());
        for _ in 0..6_000 {
            announcements.add(Change::Left, "* one more left\n");
        }
        announcements.add(Change::Joined, "* ann joined lobby\n");
        assert_eq!(announcements.lines.len(), bytes);
        assert_eq!(announcements.since(mark), "* 1 more joined, 6000 more left\n");
        assert!(
            announcements.since(Mark::default()).ends_with("\n* 1 more joined, 6000 more left\n")
        );
    }

    #[test]
    fn what_was_announced_before_a_mark_is_left_out() {
        let mut announcements = Announcements::default();
        announcements.add(Change::Left, "* bob left\n");
        let mark = announcements.end;
        assert_eq!(announcements.since(mark), "");
        announcements.add(Change::Renamed, "* ann is now known as Anna\n");
        assert_eq!(announcements.since(mark), "* ann is now known as Anna\n");
    }
}
