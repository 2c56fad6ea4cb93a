//! Implementations of timers, compared in this row.

use super::{Pair, Timers};
use ropewalk::{Error, Reactor, TimerId};
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Sleep, sleep};

/// Ropewalk's: a callback for each timer.
pub(super) struct Ropewalk {
    reactor: Reactor,
    outstanding: Vec<TimerId>,
    fired: Rc<Cell<usize>>,
}

impl Ropewalk {
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self { reactor: Reactor::new()?, outstanding: Vec::new(), fired: Rc::default() })
    }

    fn schedule(&mut self, delays: impl Iterator<Item = Duration>) {
        let context = self.reactor.context();
        for delay in delays {
            let fired = self.fired.clone();
            let call = move |_: &mut ropewalk::Context| fired.set(fired.get() + 1);
            self.outstanding.push(context.call_later(delay, call));
        }
    }

    fn turn(&mut self, limit: Option<Duration>) {
        self.reactor.turn(limit).expect("the result of a successful poll");
    }
}

impl Timers for Ropewalk {
    fn fill(&mut self, delays: &[Duration]) {
        self.schedule(delays.iter().copied());
    }

    fn schedule_and_cancel(&mut self, chunks: &[Vec<Pair>]) {
        for chunk in chunks {
            self.schedule(chunk.iter().map(|pair| pair.delay));
            self.turn(Some(Duration::ZERO));
            let context = self.reactor.context();
            for pair in chunk {
                let index = pair.victim_of(self.outstanding.len());
                context.cancel(self.outstanding.swap_remove(index));
            }
        }
    }

    fn fire(&mut self, delays: &[Duration]) -> usize {
        self.fired.set(0);
        let kept = self.outstanding.len();
        self.schedule(delays.iter().copied());
        self.outstanding.truncate(kept);
        while self.fired.get() < delays.len() {
            self.turn(None);
        }
        self.fired.get()
    }
}

/// Tokio's at its leanest: a boxed `Sleep`, polled once, which registers it, and dropped, which
/// cancels it. No callback runs when it fires; one task checks all of them.
pub(super) struct TokioSleeps {
    outstanding: Vec<Pin<Box<Sleep>>>,
    runtime: Runtime,
}

impl TokioSleeps {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { outstanding: Vec::new(), runtime: runtime()? })
    }
}

impl Timers for TokioSleeps {
    fn fill(&mut self, delays: &[Duration]) {
        let _entered = self.runtime.enter();
        let mut nobody = Context::from_waker(Waker::noop());
        self.outstanding.extend(delays.iter().map(|&delay| registered(delay, &mut nobody)));
    }

    fn schedule_and_cancel(&mut self, chunks: &[Vec<Pair>]) {
        let mut nobody = Context::from_waker(Waker::noop());
        self.runtime.block_on(async {
            for chunk in chunks {
                let new = chunk.iter().map(|pair| registered(pair.delay, &mut nobody));
                self.outstanding.extend(new);
                yield_now().await;
                for pair in chunk {
                    let index = pair.victim_of(self.outstanding.len());
                    drop(self.outstanding.swap_remove(index));
                }
            }
        });
    }

    fn fire(&mut self, delays: &[Duration]) -> usize {
        self.runtime.block_on(async {
            let mut sleeps: Vec<_> = poll_fn(|context| {
                Poll::Ready(delays.iter().map(|&delay| registered(delay, context)).collect())
            })
            .await;
            for sleep in &mut sleeps {
                sleep.await;
            }
            sleeps.len()
        })
    }
}

fn registered(delay: Duration, context: &mut Context<'_>) -> Pin<Box<Sleep>> {
    let mut sleep = Box::pin(sleep(delay));
    // A timer that is already due is found again when it is awaited.
    let _ = sleep.as_mut().poll(context);
    sleep
}

/// Tokio's as a user writes a delayed call: a task that sleeps first.
pub(super) struct TokioTasks {
    outstanding: Vec<JoinHandle<()>>,
    fired: Arc<AtomicUsize>,
    runtime: Runtime,
}

impl TokioTasks {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { outstanding: Vec::new(), fired: Arc::default(), runtime: runtime()? })
    }
}

impl Timers for TokioTasks {
    fn fill(&mut self, delays: &[Duration]) {
        self.runtime.block_on(async {
            for chunk in delays.chunks(32) {
                for &delay in chunk {
                    self.outstanding.push(task(delay, &self.fired));
                }
                // The tasks have their first turn, in which they register their timers.
                yield_now().await;
            }
        });
    }

    fn schedule_and_cancel(&mut self, chunks: &[Vec<Pair>]) {
        self.runtime.block_on(async {
            for chunk in chunks {
                for pair in chunk {
                    self.outstanding.push(task(pair.delay, &self.fired));
                }
                yield_now().await;
                for pair in chunk {
                    let index = pair.victim_of(self.outstanding.len());
                    self.outstanding.swap_remove(index).abort();
                }
            }
            // The last aborted tasks are dropped.
            yield_now().await;
        });
    }

    fn fire(&mut self, delays: &[Duration]) -> usize {
        let fired = Arc::new(AtomicUsize::new(0));
        let all = Arc::new(Notify::new());
        let count = delays.len();
        self.runtime.block_on(async {
            for &delay in delays {
                let (fired, all) = (fired.clone(), all.clone());
                tokio::spawn(async move {
                    sleep(delay).await;
                    if fired.fetch_add(1, Ordering::Relaxed) + 1 == count {
                        all.notify_one();
                    }
                });
            }
            all.notified().await;
        });
        fired.load(Ordering::Relaxed)
    }
}

fn task(delay: Duration, fired: &Arc<AtomicUsize>) -> JoinHandle<()> {
    let fired = fired.clone();
    tokio::spawn(async move {
        sleep(delay).await;
        fired.fetch_add(1, Ordering::Relaxed);
    })
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// A simple heap. Cancelling takes the call out and leaves the entry, which is skipped when it is
/// due, and occupies memory until then.
#[derive(Default)]
pub(super) struct Heap {
    heap: BinaryHeap<Reverse<(Instant, u64, Entry)>>,
    outstanding: Vec<Entry>,
    scheduled: u64,
    fired: Rc<Cell<usize>>,
}

type Call = Box<dyn FnOnce()>;

/// The deadline and the scheduling order decide, so these are never compared.
#[derive(Clone, Default)]
struct Entry(Rc<Cell<Option<Call>>>);

impl Heap {
    fn schedule(&mut self, delays: impl Iterator<Item = Duration>) {
        let now = Instant::now();
        for delay in delays {
            let fired = self.fired.clone();
            let call: Call = Box::new(move || fired.set(fired.get() + 1));
            let entry = Entry(Rc::new(Cell::new(Some(call))));
            self.heap.push(Reverse((now + delay, self.scheduled, entry.clone())));
            self.scheduled += 1;
            self.outstanding.push(entry);
        }
    }
}

impl Timers for Heap {
    fn fill(&mut self, delays: &[Duration]) {
        self.schedule(delays.iter().copied());
    }

    fn schedule_and_cancel(&mut self, chunks: &[Vec<Pair>]) {
        for chunk in chunks {
            self.schedule(chunk.iter().map(|pair| pair.delay));
            for pair in chunk {
                let index = pair.victim_of(self.outstanding.len());
                self.outstanding.swap_remove(index).0.take();
            }
        }
    }

    fn fire(&mut self, delays: &[Duration]) -> usize {
        self.fired.set(0);
        let kept = self.outstanding.len();
        self.schedule(delays.iter().copied());
        self.outstanding.truncate(kept);
        while self.fired.get() < delays.len() {
            let now = Instant::now();
            while self.heap.peek().is_some_and(|Reverse((deadline, ..))| *deadline <= now) {
                let Some(Reverse((.., entry))) = self.heap.pop() else { break };
                if let Some(call) = entry.0.take() {
                    call();
                }
            }
            // The polls of the others wait for whole milliseconds.
            thread::sleep(Duration::from_millis(1));
        }
        self.fired.get()
    }
}

impl PartialEq for Entry {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}
