//! Timers: each fires once, in order, never early, and not late without a cause.

use crate::model::Model;
use ropewalk::{Context, TimerId};
use ropewalk_simulation::{FaultKind, Random};
use std::cell::RefCell;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The maximum number of timers that fire in a turn.
const BUDGET: u32 = 4096;

/// The maximum delay of a timer on a busy node.
const MAX_DELAY: Duration = Duration::from_millis(100);

/// The timers of a node.
#[derive(Clone)]
pub(crate) struct Timers(Rc<RefCell<State>>);

struct State {
    model: Model,
    random: Random,
    set: u64,
    /// The due time and the number of the last timer that fired.
    last: Option<(Instant, u64)>,
    /// The current turn, and the number of timers in it.
    turn: Option<Instant>,
    fired: u32,
    /// A timer that has fired.
    stale: Option<TimerId>,
}

impl Timers {
    pub(crate) fn start(context: &mut Context, model: &Model, random: Random) {
        let state = State {
            model: model.clone(),
            random,
            set: 0,
            last: None,
            turn: None,
            fired: 0,
            stale: None,
        };
        Self(Rc::new(RefCell::new(state))).tick(context);
    }

    /// Sets some timers, and schedules itself again.
    fn tick(&self, context: &mut Context) {
        let (choice, delay) = {
            let mut this = self.0.borrow_mut();
            if this.model.is_ending.get() {
                return;
            }
            let choice = this.random.below(1000);
            // Whole milliseconds, so that some timers are due at the same time.
            (choice, Duration::from_millis(this.random.below(300)))
        };
        match choice {
            0 => (0..BUDGET + 500).for_each(|_| _ = self.set(context, delay, |_, _| {})),
            1..200 => self.set_siblings(context, delay),
            200..300 => _ = self.set(context, delay, |_, _| resume_unwind(Box::new("on purpose"))),
            300..400 => self.set_postponed(context, delay),
            400..500 => {
                let stale = self.0.borrow().stale;
                if stale.is_some_and(|timer| context.cancel(timer) || context.is_active(timer)) {
                    self.0.borrow().model.fail("a fired timer was cancelled");
                }
            }
            _ => _ = self.set(context, Duration::ZERO, |_, _| {}),
        }
        let timer = self.set(context, delay, |this, context| this.tick(context));
        self.0.borrow_mut().stale.get_or_insert(timer);
    }

    /// Sets two timers for the same time, of which the first cancels the second.
    fn set_siblings(&self, context: &mut Context, delay: Duration) {
        let sibling = Rc::new(RefCell::new(None));
        let theirs = Rc::clone(&sibling);
        self.set(context, delay, move |this, context| {
            if theirs.take().is_some_and(|timer| !context.cancel(timer)) {
                this.0.borrow().model.fail("a timer fired before an earlier one");
            }
        });
        let model = self.0.borrow().model.clone();
        let timer = context.call_later(delay, move |_| model.fail("a cancelled timer fired"));
        sibling.replace(Some(timer));
    }

    /// Sets a timer that is postponed before it is due.
    fn set_postponed(&self, context: &mut Context, delay: Duration) {
        let model = self.0.borrow().model.clone();
        let (due, task) = (context.now() + delay, model.task("timers"));
        let timer = context.call_later(Duration::from_secs(1), move |context| {
            if context.now() < due {
                model.fail("a postponed timer fired early");
            }
            drop(task);
        });
        if !context.reset(timer, delay) {
            self.0.borrow().model.fail("a pending timer cannot be postponed");
        }
    }

    fn set(
        &self,
        context: &mut Context,
        delay: Duration,
        then: impl FnOnce(&Self, &mut Context) + 'static,
    ) -> TimerId {
        let (number, task) = {
            let mut this = self.0.borrow_mut();
            this.set += 1;
            (this.set, this.model.task("timers"))
        };
        let (again, since) = (self.clone(), context.now());
        context.call_later(delay, move |context| {
            again.0.borrow_mut().fire(context.now(), since, (since + delay, number));
            drop(task);
            then(&again, context);
        })
    }
}

impl State {
    /// Checks a timer that was set in the turn at `since`.
    fn fire(&mut self, now: Instant, since: Instant, key: (Instant, u64)) {
        let punctual = self.model.is_without(&[FaultKind::Jump, FaultKind::Stall]);
        if now < key.0 {
            self.model.fail("a timer fired early");
        } else if now <= since {
            self.model.fail("a timer fired in the turn in which it was set");
        } else if punctual && now > key.0 + MAX_DELAY {
            self.model.fail(format!("a timer fired {:?} late", now - key.0));
        }
        if self.last.replace(key).is_some_and(|last| last > key) {
            self.model.fail("a timer fired before one that was due earlier");
        }
        if self.turn.replace(now) != Some(now) {
            self.fired = 0;
        }
        self.fired += 1;
        if self.fired > BUDGET {
            self.model.fail("too many timers fired in one turn");
        }
    }
}
