//! One connection of the chat.

use crate::rate_limit::TokenBucket;
use crate::{Chat, LOG};
use log::{debug, info};
use ropewalk::{Reason, SocketOption, TimerId};
use ropewalk_protocols::{LineHandler, LineTransport};
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The time in which a client that has left can read the queued data.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum number of lines of one connection in a turn. Each line is sent to the whole room, so a pasted page
/// can be much work. Other connections are served between its parts.
const LINES_A_TURN: u32 = 50;

/// The maximum size of the system's send buffer. Each of thousands of clients that do not read takes this much of
/// the system's TCP memory (tcp_mem, tcp(7)).
const SEND_BUFFER: usize = 64 * 1024;

/// The delay of a client's lines while another reactor cannot keep up.
const CATCH_UP: Duration = Duration::from_millis(5);

/// One connection of a [`Chat`], made by [`Chat::protocol`].
#[derive(Debug)]
pub struct Chatter {
    pub(super) chat: Chat,
    bucket: TokenBucket,
    /// The turn in which the last line was received, and the number of lines in it.
    lines_this_turn: Option<(Instant, u32)>,
    /// `None` until the client has a name.
    pub(super) membership: Option<Membership>,
    /// The address for the limits, if the connection was admitted.
    address: Option<IpAddr>,
    /// Ends a connection that has no name by then, or has not read the queued data.
    deadline: Option<TimerId>,
}

/// The name of a client, and its room.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    pub(super) name: Rc<str>,
    pub(super) room: Rc<str>,
}

impl Chatter {
    pub(super) fn new(chat: Chat) -> Self {
        Self {
            chat,
            bucket: TokenBucket::default(),
            lines_this_turn: None,
            membership: None,
            address: None,
            deadline: None,
        }
    }
}

impl LineHandler for Chatter {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        self.set_buffer_limits(lines);
        if self.admit(lines) {
            lines.send_line("* what is your name?");
        }
    }

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        if !line.trim().is_empty() {
            match self.membership.clone() {
                None => self.set_first_name(lines, line.trim()),
                Some(membership) => self.handle_line(lines, membership, line),
            }
        }
        self.apply_rate_limits(lines);
    }

    fn line_length_exceeded(&mut self, lines: &mut LineTransport<'_>, _beginning: &str) {
        let most = self.chat.max_length;
        answer(lines, format_args!("that was dropped: a line has at most {most} bytes"));
        self.apply_rate_limits(lines);
    }

    fn eof_received(&mut self, lines: &mut LineTransport<'_>, _unfinished: &str) {
        self.quit(lines);
    }

    fn timer_fired(&mut self, lines: &mut LineTransport<'_>, _deadline: TimerId) {
        lines.send_line("* goodbye: you did not say your name in time");
        self.close(lines);
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
        if let Some(address) = self.address.take() {
            self.chat.members.borrow().address_usage().leave(address);
        }
    }
}

/// Limits of the client's address.
impl Chatter {
    /// Counts a connection of a limited address. Ends it if there are too many, or if the client sends no name in
    /// time.
    fn admit(&mut self, lines: &mut LineTransport<'_>) -> bool {
        let limits = &self.chat.address_limits;
        let Some(address) = limits.applies_to(lines.peer().ip()) else {
            return true;
        };
        let (now, id) = (lines.context().now(), lines.id());
        if !self.chat.members.borrow().address_usage().enter(address, limits, now) {
            info!(target: LOG, "{id} refused: {address} has too many connections");
            answer(lines, format_args!("there are too many connections from your address"));
            self.close(lines);
            return false;
        }
        self.address = Some(address);
        if !limits.name_timeout.is_zero() {
            self.deadline = Some(lines.set_timer(limits.name_timeout));
        }
        true
    }

    /// Returns true if this connection may take its first name now. Otherwise, answers with the reason.
    pub(super) fn may_join(&self, lines: &mut LineTransport<'_>) -> bool {
        let now = lines.context().now();
        let wait = self.address.and_then(|address| {
            self.chat.members.borrow().address_usage().join(address, &self.chat.address_limits, now)
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
    /// Divides the write limit between the system's send buffer and the reactor's. Without a limit the system
    /// buffers megabytes for a client that does not read, in addition to the write limit.
    fn set_buffer_limits(&self, lines: &mut LineTransport<'_>) {
        let limit = self.chat.write_limit;
        let system = SEND_BUFFER.min(limit / 2);
        lines.set_write_limit(limit - system);
        // Linux doubles the size (socket(7)).
        if let Err(error) = lines.set_option(SocketOption::SendBuffer(system / 2)) {
            debug!(target: LOG, "{} {error}", lines.id());
        }
    }
}

/// Closing and rate limits.
impl Chatter {
    pub(super) fn quit(&mut self, lines: &mut LineTransport<'_>) {
        lines.send_line("* goodbye");
        self.leave(lines, "");
        self.close(lines);
    }

    /// Sends the queued data and closes the connection. A client that does not read is reset after
    /// [`CLOSE_TIMEOUT`].
    fn close(&self, lines: &mut LineTransport<'_>) {
        lines.close_within(CLOSE_TIMEOUT);
    }

    /// Cancels the deadline for the first name.
    pub(super) fn cancel_deadline(&mut self, lines: &mut LineTransport<'_>) {
        if let Some(timer) = self.deadline.take() {
            lines.cancel_timer(timer);
        }
    }

    /// Gives up the membership and the name, and announces it to the room. Later calls have no effect.
    fn leave(&mut self, lines: &mut LineTransport<'_>, why: &str) {
        let Some(Membership { name, room }) = self.membership.take() else {
            return;
        };
        info!(target: LOG, "{} {name} left {room}{why}", lines.id());
        let mut members = self.chat.members.borrow_mut();
        let id = lines.id();
        members.release(&name, None);
        members.leave(lines.context(), &room, id, format_args!("* {name} left{why}"));
    }

    /// Pauses reading from a client that exceeds a rate limit, until it may send its next line; from a client that
    /// has sent many lines in this turn, until the next turn; and from any client while another reactor cannot
    /// keep up.
    fn apply_rate_limits(&mut self, lines: &mut LineTransport<'_>) {
        let now = lines.context().now();
        let slowed = self.chat.flood_limit.as_ref().and_then(|limit| {
            let own = self.bucket.spend(limit, now);
            let address = self.address.and_then(|address| {
                self.chat.members.borrow().address_usage().spend(address, limit, now)
            });
            own.into_iter().chain(address).max_by_key(|slowed| slowed.wait)
        });
        if slowed.as_ref().is_some_and(|slowed| slowed.is_new) {
            answer(lines, format_args!("you send too fast; your lines are read more slowly"));
        }
        let count =
            self.lines_this_turn.filter(|(turn, _)| *turn == now).map_or(1, |(_, count)| count + 1);
        self.lines_this_turn = Some((now, count));
        let turn_is_over = (count >= LINES_A_TURN).then_some(Duration::ZERO);
        let is_peer_behind = self.chat.members.borrow().is_peer_behind().then_some(CATCH_UP);
        if let Some(wait) = slowed.map(|slowed| slowed.wait).max(turn_is_over).max(is_peer_behind) {
            let id = lines.id();
            lines.pause();
            lines.context().call_later(wait, move |context| context.transport(id).resume());
        }
    }
}

/// Sends a line of the server to this connection.
pub(super) fn answer(lines: &mut LineTransport<'_>, text: fmt::Arguments<'_>) {
    writeln!(lines, "* {text}");
}
