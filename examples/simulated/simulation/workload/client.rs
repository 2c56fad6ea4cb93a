//! A client of the chat: it connects again and again, and acts at random.

use super::record::Stay;
use super::{ROOMS, Shared};
use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reason};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use ropewalk_simulation::Random;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// The protocol of a client.
#[derive(Clone)]
pub(super) struct Client(Rc<RefCell<State>>);

struct State {
    name: String,
    random: Random,
    shared: Shared,
    /// The number of the connection, which is a part of the client's name in the chat.
    number: u64,
    connection: Option<Id>,
    /// The index of the present stay in the record.
    stay: Option<usize>,
    /// The room in which the server will have the client when it has read all sent lines.
    room: String,
}

/// For instance when the node has crashed.
impl Drop for State {
    fn drop(&mut self) {
        self.end_stay();
    }
}

impl Client {
    pub(super) fn new(name: &str, random: Random, shared: &Shared) -> Self {
        Self(Rc::new(RefCell::new(State {
            name: name.to_owned(),
            random,
            shared: shared.clone(),
            number: 0,
            connection: None,
            stay: None,
            room: String::new(),
        })))
    }

    /// Connects after a random delay.
    pub(super) fn connect_later(&self, context: &mut Context) {
        let mut state = self.0.borrow_mut();
        if state.shared.is_ending.get() {
            return;
        }
        let delay = state.random.duration(Duration::from_millis(1), Duration::from_secs(2));
        let client = self.clone();
        context.call_later(delay, move |context| {
            if context.connect_tcp("server:7001", Connector(client.clone())).is_err() {
                client.connect_later(context); // The name was not found.
            }
        });
    }

    /// Does something, again and again while the connection lasts.
    fn act(&self, context: &mut Context, id: Id) {
        let mut state = self.0.borrow_mut();
        if state.connection != Some(id) {
            return;
        }
        if state.shared.is_ending.get() {
            drop(state);
            return context.transport(id).resume();
        }
        state.act(context, id);
        let delay = state.random.duration(Duration::from_millis(1), Duration::from_secs(1));
        let client = self.clone();
        context.call_later(delay, move |context| client.act(context, id));
    }
}

impl State {
    fn act(&mut self, context: &mut Context, id: Id) {
        match self.random.below(100) {
            0..10 => {
                self.room = (*self.random.choose(&ROOMS)).to_owned();
                context.transport(id).write(format!("/join {}\n", self.room).as_bytes());
            }
            10..16 => {
                // To itself, since it knows that this name is present.
                let to = self.full_name();
                let line = format!("/msg {to} only for {to}, {}\n", self.shared.number());
                context.transport(id).write(line.as_bytes());
                self.shared.update(|record| record.report.private += 1);
            }
            16..20 => context.transport(id).write(b"/who\n/me yawns\n"),
            20..25 => context.transport(id).pause(),
            25..40 => context.transport(id).resume(),
            40 => context.transport(id).write(b"/quit\n"),
            41 => context.abort(id),
            _ => {
                let lines = [1, 1, 1, 3, 40][self.random.below(5) as usize];
                for _ in 0..lines {
                    let line = format!("to {}, {}\n", self.room, self.shared.number());
                    context.transport(id).write(line.as_bytes());
                }
                self.shared.update(|record| record.report.sent += lines);
            }
        }
    }

    /// Returns the name of this connection in the chat.
    fn full_name(&self) -> String {
        format!("{}v{}", self.name, self.number)
    }

    fn begin_stay(&mut self, room: &str) {
        self.end_stay();
        let stay = Stay::new(self.full_name(), room.to_owned());
        self.stay = Some(self.shared.update(|record| record.begin_stay(stay)));
    }

    fn end_stay(&mut self) {
        if let Some(stay) = self.stay.take() {
            self.shared.update(|record| record.end_stay(stay));
        }
    }
}

/// The factory of a connection.
struct Connector(Client);

impl Factory for Connector {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(LineReceiver::new(self.0.clone())))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, _error: Error) {
        self.0.0.borrow().shared.update(|record| record.report.failed += 1);
        self.0.connect_later(context);
    }
}

impl LineHandler for Client {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        let id = lines.id();
        let mut state = self.0.borrow_mut();
        state.number = state.shared.number();
        state.connection = Some(id);
        state.room = ROOMS[0].to_owned();
        state.shared.update(|record| record.report.connections += 1);
        lines.send_line(state.full_name());
        drop(state);
        let client = self.clone();
        let delay = Duration::from_millis(5);
        lines.context().call_later(delay, move |context| client.act(context, id));
    }

    fn line_received(&mut self, _lines: &mut LineTransport<'_>, line: &str) {
        let mut state = self.0.borrow_mut();
        if let Some(place) = line.strip_prefix("* you are ") {
            let room = place.trim_start_matches("alone ").trim_start_matches("in ");
            let room = room.split(' ').next().unwrap_or_default();
            if !place.ends_with(" already") {
                state.begin_stay(room);
            }
        } else if line.starts_with('<') {
            let stay = state.stay;
            state.shared.update(|record| record.line_received(stay, line));
        } else if let Some((_, text)) = line.strip_prefix('[').and_then(|l| l.split_once("] ")) {
            let name = state.full_name();
            if !text.starts_with(&format!("only for {name},")) {
                let error = format!("{name} has received `{line}`");
                state.shared.update(|record| record.errors.push(error));
            }
        }
    }

    fn connection_lost(&mut self, lines: &mut LineTransport<'_>, reason: Reason) {
        let mut state = self.0.borrow_mut();
        state.connection = None;
        state.end_stay();
        let is_orderly = matches!(reason, Reason::Closed | Reason::ClosedByPeer | Reason::Stopped);
        if !is_orderly && !matches!(reason, Reason::Aborted) {
            state.shared.update(|record| record.report.lost += 1);
        }
        drop(state);
        self.connect_later(lines.context());
    }
}
