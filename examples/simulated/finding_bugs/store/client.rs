//! A client: sends requests, and sends unanswered ones again.

use super::wire::{Change, Request, Side, connect, connect_later};
use super::{Shared, primary};
use ropewalk::{Context, Id, Transport};
use ropewalk_simulation::Random;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The time without an answer after which a connection is closed.
const TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Clone)]
pub(super) struct Client(Rc<RefCell<State>>);

struct State {
    index: u32,
    random: Random,
    shared: Shared,
    number: u64,
    unanswered: VecDeque<Request>,
    connection: Option<Id>,
    /// The time of the last answer, or when no answer was due.
    alive: Option<Instant>,
}

impl Client {
    pub(super) fn new(index: u32, random: Random, shared: &Shared) -> Self {
        Self(Rc::new(RefCell::new(State {
            index,
            random,
            shared: shared.clone(),
            number: 0,
            unanswered: VecDeque::new(),
            connection: None,
            alive: None,
        })))
    }

    /// Starts the client, also after a crash of its node.
    pub(super) fn start(&self, context: &mut Context) {
        self.0.borrow_mut().connection = None;
        connect(context, primary::ADDRESS, self.clone());
        self.run(context);
    }

    pub(super) fn unanswered(&self) -> usize {
        self.0.borrow().unanswered.len()
    }

    /// Sends a request, replaces a dead connection, and repeats after a random delay.
    fn run(&self, context: &mut Context) {
        let mut state = self.0.borrow_mut();
        let is_ending = state.shared.is_ending.get();
        if !is_ending {
            state.request(context);
        } else if state.unanswered.is_empty() {
            return;
        }
        let dead = state.dead_connection(context.now());
        let delay = state.random.duration(Duration::from_millis(10), Duration::from_millis(400));
        drop(state);
        if let Some(id) = dead {
            context.close(id);
            connect_later(context, primary::ADDRESS, self.clone());
        }
        let client = self.clone();
        context.call_later(delay, move |context| client.run(context));
    }
}

impl State {
    fn request(&mut self, context: &mut Context) {
        let change = match self.random.below(3) {
            0 => Change::Add { key: "total".to_owned(), amount: 1 },
            key => Change::Put {
                key: format!("client{}key{key}", self.index),
                value: self.number as i64,
            },
        };
        let request = Request { client: self.index, number: self.number, change };
        self.number += 1;
        if let Some(id) = self.connection {
            context.transport(id).write(format!("{request}\n").as_bytes());
        }
        self.shared.requests.borrow_mut().push(request.clone());
        self.unanswered.push_back(request);
    }

    /// Takes the connection if its last answer is too old.
    fn dead_connection(&mut self, now: Instant) -> Option<Id> {
        if self.unanswered.is_empty() {
            self.alive = Some(now);
        }
        let silent = now.duration_since(self.alive?);
        if silent > TIMEOUT { self.connection.take() } else { None }
    }

    fn answered(&mut self, number: u64) {
        let Some(index) = self.unanswered.iter().position(|request| request.number == number)
        else {
            return; // It was sent twice, and both requests were answered.
        };
        let request = self.unanswered.remove(index).expect("it was found");
        if !self.shared.backup.borrow().has(&request) {
            self.shared.unsafe_answer.borrow_mut().get_or_insert(request);
        }
    }
}

impl Side for Client {
    fn connection_made(&self, transport: &mut Transport<'_>) {
        let mut state = self.0.borrow_mut();
        state.connection = Some(transport.id());
        state.alive = Some(transport.context().now());
        for request in &state.unanswered {
            transport.write(format!("{request}\n").as_bytes());
        }
    }

    fn line_received(&self, transport: &mut Transport<'_>, line: &str) {
        let mut state = self.0.borrow_mut();
        if state.connection == Some(transport.id()) {
            state.alive = Some(transport.context().now());
        }
        match line.strip_suffix(" ok").and_then(|number| number.parse().ok()) {
            Some(number) => state.answered(number),
            None => transport.abort(),
        }
    }

    fn connection_lost(&self, context: &mut Context, id: Id) {
        let mut state = self.0.borrow_mut();
        if state.connection == Some(id) {
            state.connection = None;
            connect_later(context, primary::ADDRESS, self.clone());
        }
    }
}
