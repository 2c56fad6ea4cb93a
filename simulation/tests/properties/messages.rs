//! Calls and messages from other nodes: each arrives once, in order, and within the budget.

use crate::model::Model;
use ropewalk::{Context, Handle, Sender};
use ropewalk_simulation::Random;
use std::cell::RefCell;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The maximum number of calls and messages in a turn.
const BUDGET: u32 = 1024;

/// The mailboxes of all nodes, to which calls and messages are sent.
#[derive(Clone, Default)]
pub(crate) struct Messages(Rc<RefCell<Vec<Option<Mailbox>>>>);

/// A node's mailbox, for one run of its program.
struct Mailbox {
    handle: Handle,
    sender: Sender<u64>,
    calls: u64,
    messages: u64,
    /// Calls must be `Send`, and so must their records.
    arrived: Arc<Arrived>,
}

/// The calls and messages that have arrived.
#[derive(Default)]
struct Arrived {
    calls: AtomicU64,
    misplaced: AtomicU64,
    /// The current turn, and the number in it.
    turn: Mutex<(Option<Instant>, u32)>,
    beyond_budget: AtomicU64,
}

impl Arrived {
    fn take_call(&self, now: Instant, number: u64) {
        self.count(now);
        if self.calls.fetch_add(1, Ordering::Relaxed) != number {
            self.misplaced.fetch_add(1, Ordering::Relaxed);
        }
        if number % 50 == 49 {
            resume_unwind(Box::new("on purpose"));
        }
    }

    fn count(&self, now: Instant) {
        let mut turn = self.turn.lock().unwrap();
        let count = if turn.0 == Some(now) { turn.1 + 1 } else { 1 };
        *turn = (Some(now), count);
        self.beyond_budget.fetch_add(u64::from(count > BUDGET), Ordering::Relaxed);
    }
}

impl Messages {
    /// Creates the mailbox of a node that has started.
    pub(crate) fn start(
        &self,
        context: &mut Context,
        model: &Model,
        node: usize,
        mut random: Random,
    ) {
        let arrived = Arc::new(Arrived::default());
        let (theirs, records, mut received) = (Arc::clone(&arrived), model.clone(), 0);
        let sender = context.channel(move |context, number| {
            theirs.count(context.now());
            records.done("messages");
            if number != received {
                records.fail(format!("message {number} was received as number {received}"));
            }
            received += 1;
            if number % 50 == 49 {
                resume_unwind(Box::new("on purpose"));
            }
        });
        let handle = context.handle();
        let mailbox = Mailbox { handle, sender, calls: 0, messages: 0, arrived };
        let mut mailboxes = self.0.borrow_mut();
        if mailboxes.len() <= node {
            mailboxes.resize_with(node + 1, || None);
        }
        mailboxes[node] = Some(mailbox);
        drop(mailboxes);
        let (this, model) = (self.clone(), model.clone());
        let delay = random.duration(Duration::ZERO, Duration::from_millis(500));
        context.call_later(delay, move |context| this.write(context, &model, random));
    }

    /// Sends calls or messages to a random node, and schedules the next ones.
    fn write(&self, context: &mut Context, model: &Model, mut random: Random) {
        if model.is_ending.get() {
            return;
        }
        let to = random.below(self.0.borrow().len() as u64) as usize;
        if random.chance(0.004) {
            let calls = random.chance(0.5);
            (0..BUDGET + 200).for_each(|_| self.send(model, to, calls));
            self.send_repeatedly(context, model.clone(), to, calls, 30);
        } else {
            (0..random.below(4)).for_each(|_| self.send(model, to, random.chance(0.5)));
        }
        let (this, model) = (self.clone(), model.clone());
        let delay = random.duration(Duration::ZERO, Duration::from_millis(500));
        context.call_later(delay, move |context| this.write(context, &model, random));
    }

    /// Sends another one in each turn, while earlier ones are still queued.
    fn send_repeatedly(
        &self,
        context: &mut Context,
        model: Model,
        to: usize,
        calls: bool,
        turns: u32,
    ) {
        self.send(&model, to, calls);
        if turns > 0 {
            let this = self.clone();
            context.call_later(Duration::ZERO, move |context| {
                this.send_repeatedly(context, model, to, calls, turns - 1);
            });
        }
    }

    /// Sends a call or a message.
    fn send(&self, model: &Model, to: usize, calls: bool) {
        let mut mailboxes = self.0.borrow_mut();
        let Some(mailbox) = &mut mailboxes[to] else { return };
        if calls {
            mailbox.call();
        } else if mailbox.sender.send(mailbox.messages).is_ok() {
            mailbox.messages += 1;
            model.begin("messages");
        }
    }

    /// Checks all arrivals so far.
    pub(crate) fn check(&self) -> Result<(), String> {
        for mailbox in self.0.borrow().iter().flatten() {
            let Arrived { misplaced, beyond_budget, .. } = &*mailbox.arrived;
            if misplaced.load(Ordering::Relaxed) > 0 {
                return Err("calls were made twice, or out of order".into());
            }
            if beyond_budget.load(Ordering::Relaxed) > 0 {
                return Err("too many calls and messages in one turn".into());
            }
        }
        Ok(())
    }

    /// Checks that everything sent has arrived.
    pub(crate) fn check_all_arrived(&self) -> Result<(), String> {
        for Mailbox { calls, arrived, .. } in self.0.borrow().iter().flatten() {
            let made = arrived.calls.load(Ordering::Relaxed);
            if made != *calls {
                return Err(format!("{made} of {calls} calls were made"));
            }
        }
        Ok(())
    }
}

impl Mailbox {
    fn call(&mut self) {
        let (arrived, number) = (Arc::clone(&self.arrived), self.calls);
        if self.handle.call(move |context| arrived.take_call(context.now(), number)).is_ok() {
            self.calls += 1;
        }
    }
}
