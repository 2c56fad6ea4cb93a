//! Calls and messages from elsewhere: each arrives once, in order, and within the budget.

use crate::books::Books;
use ropewalk::{Context, Handle, Sender};
use ropewalk_simulation::Random;
use std::cell::RefCell;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How many calls are made and messages received in a turn.
const BUDGET: u32 = 1024;

/// The boxes of all nodes, by node: where calls and messages to them go.
#[derive(Clone, Default)]
pub(crate) struct Post(Rc<RefCell<Vec<Option<Letterbox>>>>);

/// Of a node, from one start of it to the next.
struct Letterbox {
    handle: Handle,
    sender: Sender<u64>,
    calls: u64,
    messages: u64,
    /// Calls have to be sent to another thread, and so has what they write down.
    desk: Arc<Desk>,
}

/// What has arrived.
#[derive(Default)]
struct Desk {
    calls: AtomicU64,
    misplaced: AtomicU64,
    /// How many in this turn.
    turn: Mutex<(Option<Instant>, u32)>,
    beyond_budget: AtomicU64,
}

impl Desk {
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

impl Post {
    /// A node has started: what is sent to it from now on is sent here.
    pub(crate) fn start(
        &self,
        context: &mut Context,
        books: &Books,
        node: usize,
        mut random: Random,
    ) {
        let desk = Arc::new(Desk::default());
        let (theirs, ledger, mut received) = (Arc::clone(&desk), books.clone(), 0);
        let sender = context.channel(move |context, number| {
            theirs.count(context.now());
            ledger.done("messages");
            if number != received {
                ledger.fail(format!("message {number} was received as the {received}."));
            }
            received += 1;
            if number % 50 == 49 {
                resume_unwind(Box::new("on purpose"));
            }
        });
        let handle = context.handle();
        let letterbox = Letterbox { handle, sender, calls: 0, messages: 0, desk };
        let mut boxes = self.0.borrow_mut();
        if boxes.len() <= node {
            boxes.resize_with(node + 1, || None);
        }
        boxes[node] = Some(letterbox);
        drop(boxes);
        let (this, books) = (self.clone(), books.clone());
        let delay = random.duration(Duration::ZERO, Duration::from_millis(500));
        context.call_later(delay, move |context| this.write(context, &books, random));
    }

    /// Sends somebody something, now and then.
    fn write(&self, context: &mut Context, books: &Books, mut random: Random) {
        if books.calm.get() {
            return;
        }
        let to = random.below(self.0.borrow().len() as u64) as usize;
        if random.chance(0.004) {
            let calls = random.chance(0.5);
            (0..BUDGET + 200).for_each(|_| self.send(books, to, calls));
            self.go_on(context, books.clone(), to, calls, 30);
        } else {
            (0..random.below(4)).for_each(|_| self.send(books, to, random.chance(0.5)));
        }
        let (this, books) = (self.clone(), books.clone());
        let delay = random.duration(Duration::ZERO, Duration::from_millis(500));
        context.call_later(delay, move |context| this.write(context, &books, random));
    }

    /// Sends one more in each turn, while those before have not all been attended to.
    fn go_on(&self, context: &mut Context, books: Books, to: usize, calls: bool, turns: u32) {
        self.send(&books, to, calls);
        if turns > 0 {
            let this = self.clone();
            context.call_later(Duration::ZERO, move |context| {
                this.go_on(context, books, to, calls, turns - 1);
            });
        }
    }

    /// Sends a call, or a message.
    fn send(&self, books: &Books, to: usize, calls: bool) {
        let mut boxes = self.0.borrow_mut();
        let Some(letterbox) = &mut boxes[to] else { return };
        if calls {
            letterbox.call();
        } else if letterbox.sender.send(letterbox.messages).is_ok() {
            letterbox.messages += 1;
            books.begin("messages");
        }
    }

    /// Looks at what has arrived everywhere.
    pub(crate) fn check(&self) -> Result<(), String> {
        for letterbox in self.0.borrow().iter().flatten() {
            let Desk { misplaced, beyond_budget, .. } = &*letterbox.desk;
            if misplaced.load(Ordering::Relaxed) > 0 {
                return Err("calls were made twice, or not in the order of their sending".into());
            }
            if beyond_budget.load(Ordering::Relaxed) > 0 {
                return Err("too many calls and messages in one turn".into());
            }
        }
        Ok(())
    }

    /// All that was sent has arrived.
    pub(crate) fn check_all_arrived(&self) -> Result<(), String> {
        for Letterbox { calls, desk, .. } in self.0.borrow().iter().flatten() {
            let made = desk.calls.load(Ordering::Relaxed);
            if made != *calls {
                return Err(format!("of {calls} calls {made} were made"));
            }
        }
        Ok(())
    }
}

impl Letterbox {
    fn call(&mut self) {
        let (desk, number) = (Arc::clone(&self.desk), self.calls);
        if self.handle.call(move |context| desk.take_call(context.now(), number)).is_ok() {
            self.calls += 1;
        }
    }
}
