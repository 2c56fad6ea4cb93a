//! One connection of the chat: from its lines to what they mean.

use crate::commands::{Command, HELP};
use crate::name::{check, folded, imitates_the_server, normalised};
use crate::pace::Pace;
use crate::text::Harmless;
use crate::{Chat, LOG};
use log::{debug, info};
use ropewalk::{Reason, SocketOption, TimerId};
use ropewalk_protocols::{LineHandler, LineTransport};
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Where everyone begins.
const LOBBY: &str = "lobby";

/// How long someone who has left is given to read what still waits for him.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How many lines one is heard in a turn. Each goes to everybody in the room, so a pasted page may be
/// much work; the others are served between its parts.
const LINES_A_TURN: u32 = 50;

/// How many bytes the system may hold for a connection, at most: thousands that do not read take so much each of
/// what it has for all of TCP (tcp_mem, tcp(7)).
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
    /// The address that answers for this connection, if it is limited and was let in.
    guest: Option<IpAddr>,
    /// Ends a connection that has no name by then, or has not read its last words.
    deadline: Option<TimerId>,
}

/// Who someone is, and where.
#[derive(Clone, Debug)]
struct Seat {
    name: Rc<str>,
    room: Rc<str>,
}

impl Chatter {
    pub(super) fn new(chat: Chat) -> Self {
        Self { chat, pace: Pace::default(), heard: None, seat: None, guest: None, deadline: None }
    }
}

impl LineHandler for Chatter {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        self.bound_what_waits(lines);
        if self.is_let_in(lines) {
            lines.send_line("* what is your name?");
        }
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
        self.quit(lines);
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
        self.cancel_deadline(lines);
        if let Some(guest) = self.guest.take() {
            self.chat.hall.borrow().guests().leave(guest);
        }
    }
}

/// What one address may take.
impl Chatter {
    /// Counts a connection of a limited address, and ends it if there are too many, or if it does not say a
    /// name in time.
    fn is_let_in(&mut self, lines: &mut LineTransport<'_>) -> bool {
        let limits = &self.chat.address_limits;
        let Some(guest) = limits.applies_to(lines.peer().ip()) else {
            return true;
        };
        let (now, id) = (lines.context().now(), lines.id());
        if !self.chat.hall.borrow().guests().enter(guest, limits, now) {
            info!(target: LOG, "{id} refused: {guest} has too many connections");
            answer(lines, format_args!("there are too many connections from your address"));
            self.close(lines);
            return false;
        }
        self.guest = Some(guest);
        if !limits.name_timeout.is_zero() {
            let timer = lines.context().call_later(limits.name_timeout, move |context| {
                context.write(id, b"* goodbye: you did not say your name in time\n");
                context.close_within(id, LAST_WORDS);
            });
            self.deadline = Some(timer);
        }
        true
    }

    /// Returns true if this connection may take its first name now; if not, it is told why.
    fn may_join(&self, lines: &mut LineTransport<'_>) -> bool {
        let now = lines.context().now();
        let wait = self.guest.and_then(|guest| {
            self.chat.hall.borrow().guests().join(guest, &self.chat.address_limits, now)
        });
        if let Some(wait) = wait {
            let seconds = wait.as_secs() + 1;
            answer(
                lines,
                format_args!("too many have joined from your address: try again in {seconds} s"),
            );
        }
        wait.is_none()
    }
}

impl Chatter {
    /// Divides the write limit between the system's send buffer and our queue. Without a bound the
    /// system takes megabytes for a client that reads nothing, all of which comes before the limit.
    fn bound_what_waits(&self, lines: &mut LineTransport<'_>) {
        let limit = self.chat.write_limit;
        let system = SEND_BUFFER.min(limit / 2);
        lines.set_write_limit(limit - system);
        // Linux takes twice as many as it is asked for (socket(7)).
        if let Err(error) = lines.set_option(SocketOption::SendBuffer(system / 2)) {
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

    fn heed(&mut self, lines: &mut LineTransport<'_>, seat: Seat, line: &str) {
        let Seat { name, room } = &seat;
        let id = lines.id();
        self.chat.hall.borrow_mut().catch_up(lines.context(), id);
        match Command::parse(line) {
            Command::Say(text) => {
                self.say(lines, room, format_args!("<{name}> {}", Harmless(text)));
            }
            Command::Me(action) if imitates_the_server(action) => {
                answer(lines, format_args!("that would read like a line of the server's own"));
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
        let other = folded(other);
        if let Err(fault) = check(&other) {
            return answer(lines, format_args!("that cannot be a room: {fault}"));
        }
        let other: Rc<str> = other.into();
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
        hall.release(&old, Some(&new));
        info!(target: LOG, "{} {old} is now {new}", lines.id());
        let person = (lines.id(), &new);
        let context = lines.context();
        hall.rename(context, &room, person, format_args!("* {old} is now known as {new}"));
        self.seat = Some(Seat { name: new, room });
    }

    /// Takes a name for this connection. If it cannot be had, it has been said why.
    fn claim(&self, lines: &mut LineTransport<'_>, name: &str) -> Option<Rc<str>> {
        let name = normalised(name);
        if let Err(fault) = check(&name) {
            answer(lines, format_args!("that cannot be a name: {fault}"));
        } else if !self.chat.hall.borrow_mut().claim(&name, lines.id()) {
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
                answer(lines, format_args!("{} was told", Harmless(to)));
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
        self.close(lines);
    }

    /// Sends the queued data and ends the connection. A client that does not read it is reset after [`LAST_WORDS`].
    fn close(&mut self, lines: &mut LineTransport<'_>) {
        self.cancel_deadline(lines);
        let id = lines.id();
        lines.close();
        self.deadline =
            Some(lines.context().call_later(LAST_WORDS, move |context| context.abort(id)));
    }

    /// A timer that has nothing to end any more would keep its memory until it fires.
    fn cancel_deadline(&mut self, lines: &mut LineTransport<'_>) {
        if let Some(timer) = self.deadline.take() {
            lines.context().cancel(timer);
        }
    }

    /// Gives the seat and the name up, the first time it is called; the room is told.
    fn leave(&mut self, lines: &mut LineTransport<'_>, why: &str) {
        let Some(Seat { name, room }) = self.seat.take() else {
            return;
        };
        info!(target: LOG, "{} {name} left {room}{why}", lines.id());
        let mut hall = self.chat.hall.borrow_mut();
        let id = lines.id();
        hall.release(&name, None);
        hall.leave(lines.context(), &room, id, format_args!("* {name} left{why}"));
    }

    /// Reads no more from someone who talks too fast, until he has earned his next line; nor, in this
    /// turn, from someone who has said much in it; nor from anybody while what is said here is heard
    /// too late elsewhere.
    fn keep_pace(&mut self, lines: &mut LineTransport<'_>) {
        let now = lines.context().now();
        let slowed = self.chat.flood_limit.as_ref().and_then(|limit| {
            let own = self.pace.spend(limit, now);
            let guest = self
                .guest
                .and_then(|guest| self.chat.hall.borrow().guests().spend(guest, limit, now));
            own.into_iter().chain(guest).max_by_key(|slowed| slowed.wait)
        });
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
