//! Jobs: work that blocks, on threads of a reactor.

use crate::support::*;
use ropewalk::{Context, JobPanicked, Protocol, Reactor, ThreadOptions, Transport, call_in_thread};
use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Write};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// The answers that have arrived.
type Answers<T> = Rc<RefCell<Vec<Result<T, JobPanicked>>>>;

/// Returns a closure that notes the answer.
fn note<T: 'static>(
    answers: &Answers<T>,
) -> impl FnOnce(&mut Context, Result<T, JobPanicked>) + use<T> {
    let answers = Rc::clone(answers);
    move |_, answer| answers.borrow_mut().push(answer)
}

/// Returns a job that hangs until the gate is dropped, and a receiver that reports its begin.
fn hanging() -> (impl FnOnce() + Send + 'static, Sender<()>, Receiver<ThreadId>) {
    let (gate, closed) = channel();
    let (begun, has_begun) = channel();
    let work = move || {
        begun.send(thread::current().id()).unwrap();
        let _ = closed.recv();
    };
    (work, gate, has_begun)
}

#[test]
fn answers_arrive_on_the_reactors_thread() {
    let mut reactor = Reactor::new().unwrap();
    let seen = Rc::new(Cell::new(None));
    let shared = Rc::clone(&seen);
    let work = || thread::current().id();
    call_in_thread(reactor.context(), work, move |context, answer| {
        shared.set(Some((answer.unwrap(), thread::current().id())));
        context.stop();
    })
    .unwrap();
    reactor.run().unwrap();
    let (worker, own) = seen.get().unwrap();
    assert_eq!(own, thread::current().id());
    assert_ne!(worker, own);
}

#[test]
fn ten_thousand_jobs_of_one_thread_keep_order() {
    let mut reactor = Reactor::new().unwrap();
    reactor.set_threads(ThreadOptions::new().max(1).max_waiting(10_000));
    let answers = Answers::default();
    for number in 0..10_000_u32 {
        call_in_thread(reactor.context(), move || number, note(&answers)).unwrap();
    }
    turn_until(&mut reactor, "all answers", |_| answers.borrow().len() == 10_000);
    assert!(answers.borrow().iter().flatten().copied().eq(0..10_000));
}

#[test]
fn jobs_run_at_a_time_up_to_the_maximum() {
    let mut reactor = Reactor::new().unwrap();
    reactor.set_threads(ThreadOptions::new().max(4));
    let (meeting, answers) = (Arc::new(Barrier::new(4)), Answers::default());
    for _ in 0..8 {
        let meeting = Arc::clone(&meeting);
        call_in_thread(reactor.context(), move || _ = meeting.wait(), note(&answers)).unwrap();
    }
    turn_until(&mut reactor, "all answers", |_| answers.borrow().len() == 8);
}

#[test]
fn further_jobs_wait_for_a_thread() {
    let mut reactor = Reactor::new().unwrap();
    reactor.set_threads(ThreadOptions::new().max(4));
    let (begun, has_begun) = channel();
    let mut gates = Vec::new();
    for number in 0..6 {
        let ((gate, closed), begun) = (channel::<()>(), begun.clone());
        let work = move || {
            begun.send(number).unwrap();
            let _ = closed.recv();
        };
        call_in_thread(reactor.context(), work, |_, _| {}).unwrap();
        gates.push(gate);
    }
    let mut first: Vec<_> = (0..4).map(|_| has_begun.recv_timeout(PATIENCE).unwrap()).collect();
    first.sort_unstable();
    assert_eq!(first, [0, 1, 2, 3]);
    // A job that ends makes room for one more, and for no other.
    drop(gates.pop());
    for (ended, next) in [(3, 4), (2, 5)] {
        assert!(has_begun.recv_timeout(Duration::from_millis(30)).is_err(), "four run");
        drop(gates.remove(ended));
        assert_eq!(has_begun.recv_timeout(PATIENCE), Ok(next));
    }
}

#[test]
fn ten_thousand_jobs_of_several_threads_all_answer() {
    let mut reactor = Reactor::new().unwrap();
    reactor.set_threads(ThreadOptions::new().max(4).max_waiting(10_000));
    let answers = Answers::default();
    for number in 0..10_000_u32 {
        call_in_thread(reactor.context(), move || number, note(&answers)).unwrap();
    }
    turn_until(&mut reactor, "all answers", |_| answers.borrow().len() == 10_000);
    let mut numbers: Vec<u32> = answers.borrow().iter().flatten().copied().collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..10_000), "each once");
}

#[test]
fn full_queue_is_an_error_to_the_caller() {
    let mut reactor = Reactor::new().unwrap();
    reactor.set_threads(ThreadOptions::new().max(1).max_waiting(2));
    let (work, gate, has_begun) = hanging();
    let answers = Answers::default();
    call_in_thread(reactor.context(), work, note(&answers)).unwrap();
    has_begun.recv().unwrap();
    for _ in 0..2 {
        call_in_thread(reactor.context(), || (), note(&answers)).unwrap();
    }
    let error = call_in_thread(reactor.context(), || (), note(&answers)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert_eq!(error.to_string(), "cannot start a job on a thread: 2 jobs are already queued");
    drop(gate);
    turn_until(&mut reactor, "the others", |_| answers.borrow().len() == 3);
    call_in_thread(reactor.context(), || (), note(&answers)).unwrap();
    turn_until(&mut reactor, "the last", |_| answers.borrow().len() == 4);
}

#[test]
fn panic_of_a_job_is_its_answer() {
    let mut reactor = Reactor::new().unwrap();
    reactor.set_threads(ThreadOptions::new().max(1));
    let answers = Answers::<()>::default();
    call_in_thread(reactor.context(), || panic!("on purpose"), note(&answers)).unwrap();
    call_in_thread(reactor.context(), || (), note(&answers)).unwrap();
    turn_until(&mut reactor, "both answers", |_| answers.borrow().len() == 2);
    let answers = answers.borrow();
    assert_eq!(answers[0].as_ref().unwrap_err().message(), "on purpose");
    assert!(answers[1].is_ok(), "the thread goes on");
    assert_eq!(reactor.context().statistics().panics, 1);
}

#[test]
fn stop_waits_for_jobs_and_their_threads() {
    let mut reactor = Reactor::new().unwrap();
    let answers = Answers::default();
    let work = || {
        thread::sleep(Duration::from_millis(50));
        thread_of_system()
    };
    call_in_thread(reactor.context(), work, note(&answers)).unwrap();
    reactor.context().stop();
    reactor.run().unwrap();
    let answers = answers.borrow();
    assert_eq!(answers.len(), 1, "the answer arrives before the end of the run");
    if let Some(thread) = answers[0].as_ref().unwrap() {
        wait_until("the thread has ended", || !std::path::Path::new(thread).exists());
    }
}

/// Returns the folder of the calling thread in /proc.
fn thread_of_system() -> Option<String> {
    let thread = std::fs::read_link("/proc/thread-self").ok()?;
    Some(format!("/proc/{}", thread.display()))
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "timed out: {what}");
        thread::yield_now();
    }
}

#[test]
fn stop_leaves_hanging_jobs_behind() {
    let mut reactor = Reactor::new().unwrap();
    reactor.set_threads(ThreadOptions::new().max(1));
    reactor.set_grace(Duration::from_millis(50));
    let dropped = Rc::new(());
    let (work, gate, has_begun) = hanging();
    let held = Rc::clone(&dropped);
    call_in_thread(reactor.context(), work, move |_, _| drop(held)).unwrap();
    let held = Rc::clone(&dropped);
    call_in_thread(reactor.context(), || (), move |_, _| drop(held)).unwrap();
    has_begun.recv().unwrap();
    reactor.context().stop();
    let begin = Instant::now();
    reactor.run().unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(50));
    assert_eq!(Rc::strong_count(&dropped), 1, "the closures were dropped");

    // The next run has threads of its own.
    let answers = Answers::default();
    call_in_thread(reactor.context(), || 7, note(&answers)).unwrap();
    turn_until(&mut reactor, "the answer", |_| answers.borrow().len() == 1);
    drop(gate);
}

#[test]
fn dropped_reactor_does_not_wait_for_jobs() {
    let mut reactor = Reactor::new().unwrap();
    let (work, gate, has_begun) = hanging();
    call_in_thread(reactor.context(), work, |_, _| unreachable!()).unwrap();
    has_begun.recv().unwrap();
    drop(reactor);
    drop(gate);
}

/// Has its work done in a thread when it receives data.
struct Worker {
    /// Dropped with the closure that waits for the answer.
    held: Rc<()>,
    gates: Rc<RefCell<Vec<Sender<()>>>>,
}

impl Protocol for Worker {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        if data == b"close" {
            return transport.close();
        }
        let (gate, closed) = channel::<()>();
        self.gates.borrow_mut().push(gate);
        let (held, data) = (Rc::clone(&self.held), data.to_vec());
        let work = move || {
            let _ = closed.recv();
            data.repeat(2)
        };
        let started = transport.call_in_thread(work, move |transport, answer| {
            drop(held);
            match answer.unwrap().as_slice() {
                b"panicpanic" => panic!("on purpose"),
                answer => transport.write(answer),
            }
        });
        started.unwrap();
    }
}

struct Workers {
    reactor: Reactor,
    address: std::net::SocketAddr,
    held: Rc<()>,
    gates: Rc<RefCell<Vec<Sender<()>>>>,
}

impl Workers {
    fn up() -> Self {
        let (held, gates) = (Rc::new(()), Rc::default());
        let (shared, all) = (Rc::clone(&held), Rc::clone(&gates));
        let factory = move || Worker { held: Rc::clone(&shared), gates: Rc::clone(&all) };
        let (reactor, address) = up(factory);
        Self { reactor, address, held, gates }
    }

    /// Sends a text that starts a job, and waits for its start.
    fn send(&mut self, text: &[u8]) -> std::net::TcpStream {
        let mut client = client(self.address);
        client.write_all(text).unwrap();
        let gates = Rc::clone(&self.gates);
        turn_until(&mut self.reactor, "a job", |_| !gates.borrow().is_empty());
        client
    }
}

#[test]
fn connection_receives_the_answer_of_its_job() {
    let mut workers = Workers::up();
    let client = workers.send(b"ab");
    workers.gates.take();
    assert_eq!(read_turning(&mut workers.reactor, &client, 4), b"abab");
}

#[test]
fn answer_for_a_closed_connection_is_dropped() {
    let mut workers = Workers::up();
    let client = workers.send(b"ab");
    drop(client);
    let reactor = &mut workers.reactor;
    turn_until(reactor, "lost", |reactor| reactor.context().connections().count() == 0);
    let held = &workers.held;
    turn_until(reactor, "the closure is dropped", |_| Rc::strong_count(held) == 2);
    workers.gates.take();
    reactor.context().stop();
    reactor.run().unwrap();
}

#[test]
fn panic_of_a_done_closure_ends_its_connection() {
    let mut workers = Workers::up();
    let _client = workers.send(b"panic");
    workers.gates.take();
    turn_until(&mut workers.reactor, "ended", |reactor| {
        reactor.context().connections().count() == 0
    });
}

#[test]
fn jobs_of_several_reactors_are_separate() {
    let threads: Vec<_> = (0..3)
        .map(|number| {
            thread::spawn(move || {
                let mut reactor = Reactor::new().unwrap();
                let answers = Answers::default();
                for _ in 0..100 {
                    call_in_thread(reactor.context(), move || number, note(&answers)).unwrap();
                }
                turn_until(&mut reactor, "all answers", |_| answers.borrow().len() == 100);
                answers.borrow().iter().flatten().all(|answer| *answer == number)
            })
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
}

#[test]
fn kept_threads_and_zero_threads_are_accepted() {
    let mut reactor = Reactor::new().unwrap();
    reactor.set_threads(ThreadOptions::new().min(3).max(0));
    let answers = Answers::default();
    call_in_thread(reactor.context(), || 1, note(&answers)).unwrap();
    turn_until(&mut reactor, "the answer", |_| answers.borrow().len() == 1);
}
