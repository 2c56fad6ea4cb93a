//! Handling of the lines and commands of a connection.

use crate::LOG;
use crate::chatter::{Chatter, Membership, answer};
use crate::commands::{Command, HELP};
use crate::name::{check, folded, imitates_the_server, normalised};
use crate::text::Harmless;
use log::info;
use ropewalk_protocols::LineTransport;
use std::fmt;
use std::rc::Rc;

/// The room that each client joins first.
const LOBBY: &str = "lobby";

/// Handling of lines.
impl Chatter {
    /// Handles the first line, which is the client's name.
    pub(super) fn set_first_name(&mut self, lines: &mut LineTransport<'_>, name: &str) {
        if name == "/quit" {
            return self.quit(lines);
        }
        let claimed = if self.may_join(lines) { self.claim(lines, name) } else { None };
        match claimed {
            Some(name) => {
                self.cancel_deadline(lines);
                answer(lines, format_args!("welcome, {name}; /help lists the commands"));
                self.enter(lines, name, LOBBY.into());
            }
            None => lines.send_line("* what is your name?"),
        }
    }

    pub(super) fn handle_line(
        &mut self,
        lines: &mut LineTransport<'_>,
        membership: Membership,
        line: &str,
    ) {
        let Membership { name, room } = &membership;
        let id = lines.id();
        self.chat.members.borrow_mut().catch_up(lines.context(), id);
        match Command::parse(line) {
            Command::Say(text) => {
                self.say(lines, room, format_args!("<{name}> {}", Harmless(text)));
            }
            Command::Me(action) if imitates_the_server(action) => {
                answer(lines, format_args!("that looks like a notice of the server"));
            }
            Command::Me(action) => {
                self.say(lines, room, format_args!("* {name} {}", Harmless(action)));
            }
            Command::Msg(to, text) => self.send_private(lines, name, to, text),
            Command::Join(other) => self.join(lines, membership, other),
            Command::Nick(new) => self.rename(lines, membership, new),
            Command::Who => {
                let people = self.chat.members.borrow().list(room);
                answer(lines, format_args!("in {room}: {people}"));
            }
            Command::Help => HELP.iter().for_each(|line| answer(lines, format_args!("{line}"))),
            Command::Quit => self.quit(lines),
            Command::Incomplete(usage) => answer(lines, format_args!("usage: {usage}")),
            Command::Unknown(command) => {
                let command = Harmless(command);
                answer(lines, format_args!("there is no {command}; see /help"));
            }
        }
    }

    fn join(&mut self, lines: &mut LineTransport<'_>, membership: Membership, other: &str) {
        let other = folded(other);
        if let Err(fault) = check(&other) {
            return answer(lines, format_args!("that cannot be a room: {fault}"));
        }
        let other: Rc<str> = other.into();
        if other == membership.room {
            return answer(lines, format_args!("you are in {other} already"));
        }
        let Membership { name, room } = membership;
        let (id, mut members) = (lines.id(), self.chat.members.borrow_mut());
        members.leave(lines.context(), &room, id, format_args!("* {name} left for {other}"));
        drop(members);
        self.enter(lines, name, other);
    }

    /// Joins a room.
    fn enter(&mut self, lines: &mut LineTransport<'_>, name: Rc<str>, room: Rc<str>) {
        info!(target: LOG, "{} {name} joined {room}", lines.id());
        let mut members = self.chat.members.borrow_mut();
        match &*members.list(&room) {
            "" => answer(lines, format_args!("you are alone in {room}")),
            people => answer(lines, format_args!("you are in {room} with {people}")),
        }
        let member = (lines.id(), &name);
        members.enter(lines.context(), &room, member, format_args!("* {name} joined {room}"));
        self.membership = Some(Membership { name, room });
    }

    fn rename(&mut self, lines: &mut LineTransport<'_>, membership: Membership, new: &str) {
        let Some(new) = self.claim(lines, new) else {
            return;
        };
        let Membership { name: old, room } = membership;
        let mut members = self.chat.members.borrow_mut();
        members.release(&old, Some(&new));
        info!(target: LOG, "{} {old} is now {new}", lines.id());
        let member = (lines.id(), &new);
        let context = lines.context();
        members.rename(context, &room, member, format_args!("* {old} is now known as {new}"));
        self.membership = Some(Membership { name: new, room });
    }

    /// Takes a name for this connection. Otherwise, answers with the reason and returns `None`.
    fn claim(&self, lines: &mut LineTransport<'_>, name: &str) -> Option<Rc<str>> {
        let name = normalised(name);
        if let Err(fault) = check(&name) {
            answer(lines, format_args!("that cannot be a name: {fault}"));
        } else if !self.chat.members.borrow_mut().claim(&name, lines.id()) {
            answer(lines, format_args!("{name} is taken"));
        } else {
            return Some(name.into());
        }
        None
    }

    fn send_private(&self, lines: &mut LineTransport<'_>, from: &str, to: &str, text: &str) {
        let mut members = self.chat.members.borrow_mut();
        match members.find(to) {
            Some(member_id) => {
                members.send_to(
                    lines.context(),
                    member_id,
                    format_args!("[{from}] {}", Harmless(text)),
                );
                answer(lines, format_args!("{} was told", Harmless(to)));
            }
            None => answer(lines, format_args!("there is no user {}", Harmless(to))),
        }
    }

    fn say(&self, lines: &mut LineTransport<'_>, room: &str, text: fmt::Arguments<'_>) {
        let id = lines.id();
        self.chat.members.borrow_mut().say(lines.context(), room, id, text);
    }
}
