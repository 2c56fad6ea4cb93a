//! One connection of the chat: from its lines to what they mean.

use crate::chat::commands::{Command, HELP};
use crate::chat::name::{RULE, folded, is_acceptable};
use crate::chat::pace::Pace;
use crate::chat::text::Harmless;
use crate::chat::{Chat, LOG};
use crate::line::{LineHandler, LineTransport};
use log::{debug, info};
use ropewalk::{Reason, SocketOption};
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Where everyone begins.
const LOBBY: &str = "lobby";

/// How long someone who has left is given to read what still waits for him.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How many lines one is heard in a turn. Each goes to everybody in the room, so a pasted page may be
/// much work; the others are served between its parts.
const LINES_A_TURN: u32 = 50;

/// How many bytes the system is asked to hold for a connection, at most. Linux takes twice as many.
const SEND_BUFFER: usize = 64 * 1024;

/// How long one waits for other reactors that are slower than this one.
const CATCH_UP: Duration = Duration::from_millis(5);

/// One connection of a [`Chat`], made by [`Chat::protocol`].
#[derive(Debug)]
pub struct Chatter {
    chat: Chat,
    pace: Pace,
    /// The turn in which he was heard last, and how many lines he has said in it.
    heard: Option<(Instant, u32)>,
    /// `None` until he has a name.
    seat: Option<Seat>,
}

/// Who someone is, and where.
#[derive(Clone, Debug)]
struct Seat {
    name: Rc<str>,
    room: Rc<str>,
}

impl Chatter {
    pub(super) fn new(chat: Chat) -> Self {
        Self { chat, pace: Pace::default(), heard: None, seat: None }
    }
}

impl LineHandler for Chatter {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        lines.set_write_limit(self.chat.write_limit);
        self.bound_send_buffer(lines);
        lines.send_line("* what is your name?");
    }

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        if !line.trim().is_empty() {
            match self.seat.clone() {
                None => self.introduce(lines, line.trim()),
                Some(seat) => self.heed(lines, seat, line),
            }
        }
        self.keep_pace(lines);
    }

    fn line_length_exceeded(&mut self, lines: &mut LineTransport<'_>, _beginning: &str) {
        let most = self.chat.max_length;
        answer(lines, format_args!("that was dropped: a line has at most {most} bytes"));
        self.keep_pace(lines);
    }

    fn eof_received(&mut self, lines: &mut LineTransport<'_>, _unfinished: &str) {
        self.leave(lines, "");
        close(lines);
    }

    fn connection_lost(&mut self, lines: &mut LineTransport<'_>, reason: Reason) {
        let why = match reason {
            Reason::WriteLimit => " (too slow)",
            Reason::Reset => " (connection reset)",
            Reason::TimedOut => " (timed out)",
            Reason::Failed(_) => " (connection failed)",
            Reason::Panicked => " (our fault)",
            _ => "",
        };
        self.leave(lines, why);
    }
}

impl Chatter {
    /// Without a bound the system takes megabytes for somebody who reads nothing, all of which comes
    /// before the write limit.
    fn bound_send_buffer(&self, lines: &mut LineTransport<'_>) {
        let bytes = SEND_BUFFER.min(self.chat.write_limit);
        if let Err(error) = lines.set_option(SocketOption::SendBuffer(bytes)) {
            debug!(target: LOG, "{} {error}", lines.id());
        }
    }
}

/// What lines mean.
impl Chatter {
    /// The first line is a name.
    fn introduce(&mut self, lines: &mut LineTransport<'_>, name: &str) {
        if name == "/quit" {
            return self.quit(lines);
        }
        match self.claim(lines, name) {
            Some(name) => {
                answer(lines, format_args!("welcome, {name}; /help lists the commands"));
                self.enter(lines, name, LOBBY.into());
            }
            None => lines.send_line("* what is your name?"),
        }
    }

    fn heed(&mut self, lines: &mut LineTransport<'_>, seat: Seat, line: &str) {
        let Seat { name, room } = &seat;
        let id = lines.id();
        self.chat.hall.borrow_mut().catch_up(lines.context(), id);
        match Command::parse(line) {
            Command::Say(text) => {
                self.say(lines, room, format_args!("<{name}> {}", Harmless(text)));
            }
            Command::Me(action) => {
                self.say(lines, room, format_args!("* {name} {}", Harmless(action)));
            }
            Command::Msg(to, text) => self.whisper(lines, name, to, text),
            Command::Join(other) => self.join(lines, seat, other),
            Command::Nick(new) => self.rename(lines, seat, new),
            Command::Who => {
                let people = self.chat.hall.borrow().list(room);
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

    fn join(&mut self, lines: &mut LineTransport<'_>, seat: Seat, other: &str) {
        if !is_acceptable(other) {
            return answer(lines, format_args!("that cannot be a room: {RULE}"));
        }
        let other: Rc<str> = folded(other).into();
        if other == seat.room {
            return answer(lines, format_args!("you are in {other} already"));
        }
        let Seat { name, room } = seat;
        let (id, mut hall) = (lines.id(), self.chat.hall.borrow_mut());
        hall.leave(lines.context(), &room, id, format_args!("* {name} left for {other}"));
        drop(hall);
        self.enter(lines, name, other);
    }

    /// Takes a seat in a room.
    fn enter(&mut self, lines: &mut LineTransport<'_>, name: Rc<str>, room: Rc<str>) {
        info!(target: LOG, "{} {name} joined {room}", lines.id());
        let mut hall = self.chat.hall.borrow_mut();
        match &*hall.list(&room) {
            "" => answer(lines, format_args!("you are alone in {room}")),
            people => answer(lines, format_args!("you are in {room} with {people}")),
        }
        let person = (lines.id(), &name);
        hall.enter(lines.context(), &room, person, format_args!("* {name} joined {room}"));
        self.seat = Some(Seat { name, room });
    }

    fn rename(&mut self, lines: &mut LineTransport<'_>, seat: Seat, new: &str) {
        let Some(new) = self.claim(lines, new) else {
            return;
        };
        let Seat { name: old, room } = seat;
        let mut hall = self.chat.hall.borrow_mut();
        if folded(&old) != folded(&new) {
            hall.release(&old);
        }
        info!(target: LOG, "{} {old} is now {new}", lines.id());
        let person = (lines.id(), &new);
        let context = lines.context();
        hall.rename(context, &room, person, format_args!("* {old} is now known as {new}"));
        self.seat = Some(Seat { name: new, room });
    }

    /// Takes a name for this connection. If it cannot be had, it has been said why.
    fn claim(&self, lines: &mut LineTransport<'_>, name: &str) -> Option<Rc<str>> {
        if !is_acceptable(name) {
            answer(lines, format_args!("that cannot be a name: {RULE}"));
        } else if !self.chat.hall.borrow_mut().claim(name, lines.id()) {
            answer(lines, format_args!("{name} is taken"));
        } else {
            return Some(name.into());
        }
        None
    }

    fn whisper(&self, lines: &mut LineTransport<'_>, from: &str, to: &str, text: &str) {
        let mut hall = self.chat.hall.borrow_mut();
        match hall.find(to) {
            Some(place) => {
                hall.tell(lines.context(), place, format_args!("[{from}] {}", Harmless(text)));
                answer(lines, format_args!("{to} was told"));
            }
            None => answer(lines, format_args!("nobody is called {}", Harmless(to))),
        }
    }

    fn say(&self, lines: &mut LineTransport<'_>, room: &str, text: fmt::Arguments<'_>) {
        let id = lines.id();
        self.chat.hall.borrow_mut().say(lines.context(), room, id, text);
    }

    fn quit(&mut self, lines: &mut LineTransport<'_>) {
        lines.send_line("* goodbye");
        self.leave(lines, "");
        close(lines);
    }

    /// Gives the seat and the name up, the first time it is called; the room is told.
    fn leave(&mut self, lines: &mut LineTransport<'_>, why: &str) {
        let Some(Seat { name, room }) = self.seat.take() else {
            return;
        };
        info!(target: LOG, "{} {name} left {room}{why}", lines.id());
        let mut hall = self.chat.hall.borrow_mut();
        let id = lines.id();
        hall.release(&name);
        hall.leave(lines.context(), &room, id, format_args!("* {name} left{why}"));
    }

    /// Reads no more from someone who talks too fast, until he has earned his next line; nor, in this
    /// turn, from someone who has said much in it; nor from anybody while what is said here is heard
    /// too late elsewhere.
    fn keep_pace(&mut self, lines: &mut LineTransport<'_>) {
        let now = lines.context().now();
        let slowed = self.chat.flood_limit.as_ref().and_then(|limit| self.pace.spend(limit, now));
        if slowed.as_ref().is_some_and(|slowed| slowed.is_new) {
            answer(lines, format_args!("you talk too fast, and are read more slowly"));
        }
        let said = self.heard.filter(|(turn, _)| *turn == now).map_or(1, |(_, said)| said + 1);
        self.heard = Some((now, said));
        let turn_is_over = (said >= LINES_A_TURN).then_some(Duration::ZERO);
        let is_ahead = self.chat.hall.borrow().is_ahead().then_some(CATCH_UP);
        if let Some(wait) = slowed.map(|slowed| slowed.wait).max(turn_is_over).max(is_ahead) {
            let id = lines.id();
            lines.pause();
            lines.context().call_later(wait, move |context| context.resume(id));
        }
    }
}

/// Tells this connection something of the server's own.
fn answer(lines: &mut LineTransport<'_>, text: fmt::Arguments<'_>) {
    writeln!(lines, "* {text}");
}

/// Sends what waits and ends the connection; but who does not read it is not waited for.
fn close(lines: &mut LineTransport<'_>) {
    let id = lines.id();
    lines.close();
    lines.context().call_later(LAST_WORDS, move |context| context.abort(id));
}
