//! Timers: each fires once, in order, never early, and never late without cause.

use crate::books::Books;
use ropewalk::{Context, TimerId};
use ropewalk_simulation::{FaultKind, Random};
use std::cell::RefCell;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How many timers may fire in a turn.
const BUDGET: u32 = 4096;

/// How late a timer may fire in a node that works all the time.
const LATE: Duration = Duration::from_millis(100);

/// The timers of a node.
#[derive(Clone)]
pub(crate) struct Clockwork(Rc<RefCell<State>>);

struct State {
    books: Books,
    random: Random,
    set: u64,
    /// When the last that has fired was due, and the how-manieth to be set it was.
    last: Option<(Instant, u64)>,
    /// The turn in which it fired, and how many have in this turn.
    turn: Option<Instant>,
    fired: u32,
    /// One that is over.
    stale: Option<TimerId>,
}

impl Clockwork {
    pub(crate) fn start(context: &mut Context, books: &Books, random: Random) {
        let state = State {
            books: books.clone(),
            random,
            set: 0,
            last: None,
            turn: None,
            fired: 0,
            stale: None,
        };
        Self(Rc::new(RefCell::new(state))).tick(context);
    }

    /// Sets some timers, and has itself called again.
    fn tick(&self, context: &mut Context) {
        let (choice, delay) = {
            let mut this = self.0.borrow_mut();
            if this.books.calm.get() {
                return;
            }
            let choice = this.random.below(1000);
            // Whole milliseconds, so that some are due at one instant.
            (choice, Duration::from_millis(this.random.below(300)))
        };
        match choice {
            0 => (0..BUDGET + 500).for_each(|_| _ = self.set(context, delay, |_, _| {})),
            1..200 => self.set_siblings(context, delay),
            200..300 => _ = self.set(context, delay, |_, _| resume_unwind(Box::new("on purpose"))),
            300..400 => self.put_off(context, delay),
            400..500 => {
                let stale = self.0.borrow().stale;
                if stale.is_some_and(|timer| context.cancel(timer) || context.is_active(timer)) {
                    self.0.borrow().books.fail("a timer that is over was cancelled");
                }
            }
            _ => _ = self.set(context, Duration::ZERO, |_, _| {}),
        }
        let timer = self.set(context, delay, |this, context| this.tick(context));
        self.0.borrow_mut().stale.get_or_insert(timer);
    }

    /// Two that are due at one instant, of which the first cancels the second.
    fn set_siblings(&self, context: &mut Context, delay: Duration) {
        let sibling = Rc::new(RefCell::new(None));
        let theirs = Rc::clone(&sibling);
        self.set(context, delay, move |this, context| {
            if theirs.take().is_some_and(|timer| !context.cancel(timer)) {
                this.0.borrow().books.fail("a timer has fired before its elder sibling");
            }
        });
        let books = self.0.borrow().books.clone();
        let timer =
            context.call_later(delay, move |_| books.fail("a timer that was cancelled has fired"));
        sibling.replace(Some(timer));
    }

    /// One that is put off before it is due.
    fn put_off(&self, context: &mut Context, delay: Duration) {
        let books = self.0.borrow().books.clone();
        let (due, errand) = (context.now() + delay, books.errand("timers"));
        let timer = context.call_later(Duration::from_secs(1), move |context| {
            if context.now() < due {
                books.fail("a timer that was reset has fired early");
            }
            drop(errand);
        });
        if !context.reset(timer, delay) {
            self.0.borrow().books.fail("a timer that waits cannot be reset");
        }
    }

    fn set(
        &self,
        context: &mut Context,
        delay: Duration,
        then: impl FnOnce(&Self, &mut Context) + 'static,
    ) -> TimerId {
        let (number, errand) = {
            let mut this = self.0.borrow_mut();
            this.set += 1;
            (this.set, this.books.errand("timers"))
        };
        let (again, since) = (self.clone(), context.now());
        context.call_later(delay, move |context| {
            again.0.borrow_mut().fire(context.now(), since, (since + delay, number));
            drop(errand);
            then(&again, context);
        })
    }
}

impl State {
    /// A timer fires that was set in the turn at `since`.
    fn fire(&mut self, now: Instant, since: Instant, key: (Instant, u64)) {
        let punctual = self.books.is_without(&[FaultKind::Jump, FaultKind::Stall]);
        if now < key.0 {
            self.books.fail("a timer has fired early");
        } else if now <= since {
            self.books.fail("a timer has fired in the turn in which it was set");
        } else if punctual && now > key.0 + LATE {
            self.books.fail(format!("a timer has fired {:?} late", now - key.0));
        }
        if self.last.replace(key).is_some_and(|last| last > key) {
            self.books.fail("a timer has fired before one that was due earlier");
        }
        if self.turn.replace(now) != Some(now) {
            self.fired = 0;
        }
        self.fired += 1;
        if self.fired > BUDGET {
            self.books.fail("too many timers have fired in one turn");
        }
    }
}
