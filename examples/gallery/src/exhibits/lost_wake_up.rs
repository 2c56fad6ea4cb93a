//! A wake-up that is lost.
//!
//! What one sees: once in a million messages, one is not handled until something else happens. Then it is there.
//!
//! Why: another thread puts a message into a queue, and wakes the loop only if the loop sleeps; that saves a system call.
//! The loop looks at the queue, finds it empty, says "I sleep", and waits. The message that comes between the look and the
//! word wakes nothing.
//!
//! The cure: say it first, then look again, then wait; or wake whenever the queue was empty. A `Sender` of Ropewalk does
//! the second.
//!
//! The issue: lalinsky/zio#610, "Fix three lost-wakeup races: awaken-token protocol and idle/searcher announce".

use crate::on_ropewalk::lines;
use crate::small_loop::{PATIENCE, SmallLoop};
use crate::{Exhibit, Result, Shown};
use mio::{Token, Waker};
use ropewalk::Reactor;
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "lost_wake_up",
    about: "A message that arrives between the look and the sleep wakes nothing.",
    issue: "lalinsky/zio#610: Fix three lost-wakeup races: awaken-token protocol and idle/searcher announce",
    broken,
    cured,
};

/// What the loop and other threads share.
struct Queue {
    messages: Mutex<VecDeque<&'static str>>,
    sleeps: AtomicBool,
    waker: Waker,
}

impl Queue {
    /// Adds a message, and wakes the loop if it sleeps.
    fn send(&self, message: &'static str) {
        self.messages().push_back(message);
        if self.sleeps.load(Ordering::SeqCst) {
            let _: std::io::Result<()> = self.waker.wake();
        }
    }

    /// Handles the messages.
    fn take(&self) {
        self.messages().clear();
    }

    fn len(&self) -> usize {
        self.messages().len()
    }

    fn messages(&self) -> MutexGuard<'_, VecDeque<&'static str>> {
        self.messages.lock().unwrap_or_else(|error| error.into_inner())
    }
}

fn broken() -> Result<Shown> {
    let mut small = SmallLoop::new()?;
    let waker = Waker::new(small.registry(), Token(7))?;
    let (messages, sleeps) = (Mutex::default(), AtomicBool::new(false));
    let queue = Queue { messages, sleeps, waker };
    // The fault is the order of these three. What other threads do in between is done here, so that it always happens.
    if queue.len() == 0 {
        small.say(None, "looks: the queue is empty");
        thread::scope(|scope| scope.spawn(|| queue.send("hello")).join())
            .map_err(|_| "the sender has panicked")?;
        small.say(None, "another thread has sent a message, and sees no sleeper");
        queue.sleeps.store(true, Ordering::SeqCst);
        for _woken in small.wait_patiently()? {
            queue.take();
        }
    }
    let left = queue.len();
    small.say(None, &format!("{left} message in the queue"));
    let shown = Shown::new(small.into_lines()).mark("looks").mark("sees no").mark("in the queue");
    Ok(shown.judge(left > 0, format!("{left} message was in the queue during the whole wait")))
}

fn cured() -> Result<Shown> {
    let mut reactor = Reactor::new()?;
    let received = Rc::new(Cell::new(0));
    let count = received.clone();
    let sender = reactor.context().channel(move |_, _message: &str| count.set(count.get() + 1));
    // The same moment: the reactor does not wait, and is about to.
    reactor.turn(Some(Duration::ZERO))?;
    thread::spawn(move || sender.send("hello")).join().map_err(|_| "the sender has panicked")??;
    reactor.turn(Some(PATIENCE))?;
    let left = 1 - received.get();
    let shown = Shown::new(lines(&mut reactor)).mark("have arrived").mark("arrived from a thread");
    let shown = shown.mark("woken").mark("channel");
    Ok(shown.judge(left > 0, format!("{left} messages were left in the queue")))
}
