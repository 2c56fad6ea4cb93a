//! A room: its members and pending announcements.
//!
//! Arrivals, departures and changes of name are not sent immediately. When thousands of members leave together,
//! each departure would be a write to each remaining member: quadratic work. They are gathered, and each member
//! receives, in one write, the announcements since it arrived.

use crate::network::MemberId;
use ropewalk::{Context, Id};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

/// The maximum number of names in a list of members, and of lines in gathered announcements; the others are
/// counted. Without a limit, a crowd would cause quadratic traffic.
pub(super) const MAX_LISTED: usize = 50;

/// The members of a room, in order of arrival.
#[derive(Default)]
pub(super) struct Room {
    /// By number, in ascending order of arrival.
    members: BTreeMap<u64, Member>,
    next_number: u64,
    announcements: Announcements,
}

/// A member of the room.
struct Member {
    member_id: MemberId,
    name: Rc<str>,
    /// The announcements that it has received, or that were made before it arrived.
    seen: Position,
}

/// The kind of an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Joined,
    Left,
    Renamed,
}

/// Announcements that are not sent yet.
#[derive(Default)]
struct Announcements {
    /// The first announcements, one line each.
    lines: String,
    end: Position,
}

/// A position in the announcements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position {
    /// The number of lines, and their bytes.
    lines: usize,
    bytes: usize,
    /// The number of further announcements, by [`Change`].
    more: [usize; 3],
}

impl Room {
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Returns the number of members.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Returns the members, in order of arrival.
    pub(super) fn members(&self) -> impl Iterator<Item = (MemberId, &Rc<str>)> {
        self.members.values().map(|member| (member.member_id, &member.name))
    }

    /// Adds a member, which will not receive earlier announcements. Returns its number.
    pub(super) fn add(&mut self, member_id: MemberId, name: Rc<str>) -> u64 {
        let member = Member { member_id, name, seen: self.announcements.end };
        self.members.insert(self.next_number, member);
        self.next_number += 1;
        self.next_number - 1
    }

    /// Removes a member. Returns its name.
    pub(super) fn remove(&mut self, number: u64) -> Option<Rc<str>> {
        self.members.remove(&number).map(|member| member.name)
    }

    pub(super) fn rename(&mut self, number: u64, name: &Rc<str>) {
        if let Some(member) = self.members.get_mut(&number) {
            member.name = name.clone();
        }
    }

    /// Announces a line to the current members. Returns true if it is the first announcement since the last ones
    /// were sent. An empty line is not announced.
    pub(super) fn announce(&mut self, change: Change, line: &str) -> bool {
        let is_first = self.announcements.end == Position::default();
        if !line.is_empty() {
            self.announcements.add(change, line);
        }
        is_first && !line.is_empty()
    }

    /// Sends the announcements to the members of server `here`.
    pub(super) fn send_announcements(&mut self, context: &mut Context, here: usize) {
        let announced = std::mem::take(&mut self.announcements);
        if announced.end == Position::default() {
            return;
        }
        let all = announced.since(Position::default());
        for member in self.members.values_mut() {
            let seen = std::mem::take(&mut member.seen);
            if member.member_id.server != here || seen == announced.end {
                continue;
            }
            // Most members arrived before the first of them.
            let mut transport = context.transport(member.member_id.id);
            if seen == Position::default() {
                transport.write(all.as_bytes());
            } else {
                transport.write(announced.since(seen).as_bytes());
            }
        }
    }

    /// Sends one member the announcements that it has not received.
    pub(super) fn catch_up(&mut self, context: &mut Context, number: u64) {
        let announced = &self.announcements;
        if let Some(member) = self.members.get_mut(&number)
            && member.seen != announced.end
        {
            let seen = std::mem::replace(&mut member.seen, announced.end);
            context.transport(member.member_id.id).write(announced.since(seen).as_bytes());
        }
    }

    /// Sends lines to the members of server `here` other than `except`.
    pub(super) fn send_to(
        &self,
        context: &mut Context,
        here: usize,
        except: Option<Id>,
        lines: &str,
    ) {
        for Member { member_id: MemberId { server, id }, .. } in self.members.values() {
            if *server == here && Some(*id) != except {
                context.transport(*id).write(lines.as_bytes());
            }
        }
    }

    /// Returns the names of the members, in order of arrival, as a list for a sentence.
    pub(super) fn list(&self) -> String {
        let listed: Vec<&str> = self.members().take(MAX_LISTED).map(|(_, name)| &**name).collect();
        match self.members.len() - listed.len() {
            0 => listed.join(", "),
            more => format!("{} and {more} more", listed.join(", ")),
        }
    }
}

impl Announcements {
    fn add(&mut self, change: Change, line: &str) {
        if self.end.lines == MAX_LISTED {
            self.end.more[change as usize] += 1;
        } else {
            self.lines.push_str(line);
            self.end.lines += 1;
            self.end.bytes = self.lines.len();
        }
    }

    /// Returns the announcements after `position`, as lines.
    fn since(&self, position: Position) -> String {
        let mut text = self.lines[position.bytes..].to_owned();
        let more = self.end.more.iter().zip(position.more).map(|(end, before)| end - before);
        let parts: Vec<String> = more
            .zip(["joined", "left", "changed their names"])
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} more {what}"))
            .collect();
        if !parts.is_empty() {
            writeln!(text, "* {}", parts.join(", "))
                .expect("formatting into a string does not fail");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Announcements, Change, MAX_LISTED, Position};

    #[test]
    fn a_few_announcements_have_a_line_each() {
        let mut announcements = Announcements::default();
        announcements.add(Change::Joined, "* ann joined lobby\n");
        announcements.add(Change::Left, "* bob left\n");
        assert_eq!(announcements.since(Position::default()), "* ann joined lobby\n* bob left\n");
    }

    #[test]
    fn many_announcements_are_counted_and_take_bounded_memory() {
        let mut announcements = Announcements::default();
        for number in 0..MAX_LISTED {
            announcements.add(Change::Left, &format!("* user{number} left\n"));
        }
        let (position, bytes) = (announcements.end, announcements.lines.len());
        for _ in 0..6_000 {
            announcements.add(Change::Left, "* another left\n");
        }
        announcements.add(Change::Joined, "* ann joined lobby\n");
        assert_eq!(announcements.lines.len(), bytes);
        assert_eq!(announcements.since(position), "* 1 more joined, 6000 more left\n");
        assert!(
            announcements
                .since(Position::default())
                .ends_with("\n* 1 more joined, 6000 more left\n")
        );
    }

    #[test]
    fn announcements_before_a_position_are_omitted() {
        let mut announcements = Announcements::default();
        announcements.add(Change::Left, "* bob left\n");
        let position = announcements.end;
        assert_eq!(announcements.since(position), "");
        announcements.add(Change::Renamed, "* ann is now known as Anna\n");
        assert_eq!(announcements.since(position), "* ann is now known as Anna\n");
    }
}
