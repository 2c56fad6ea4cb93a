//! Runs with nothing to wait for.

use crate::support::*;
use ropewalk::{Reactor, call_in_thread};
use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use std::time::Duration;
#[cfg(target_os = "linux")]
use std::{fs, path::Path, sync::mpsc};

#[test]
fn run_without_anything_to_wait_for_ends() {
    let mut reactor = Reactor::new().unwrap();
    reactor.run().unwrap();
    reactor.context().call_when_running(|_| {});
    reactor.run().unwrap();
}

#[test]
fn run_ends_after_the_last_timer() {
    let mut reactor = Reactor::new().unwrap();
    let fired = Rc::new(Cell::new(0));
    for delay in [1, 3] {
        let fired = Rc::clone(&fired);
        let delay = Duration::from_millis(delay);
        reactor.context().call_later(delay, move |_| fired.set(fired.get() + 1));
    }
    reactor.run().unwrap();
    assert_eq!(fired.get(), 2);
}

#[test]
fn run_ends_after_the_last_handle() {
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let sum = Rc::new(Cell::new(0));
    let noted = Rc::clone(&sum);
    let sender = reactor.context().channel(move |_, number: u32| noted.set(noted.get() + number));
    let thread = thread::spawn(move || {
        handle.call(|_| {}).unwrap();
        drop(handle);
        for number in 0..100 {
            sender.send(number).unwrap();
        }
    });
    reactor.run().unwrap();
    assert_eq!(sum.get(), 4950);
    thread.join().unwrap();
}

#[test]
fn run_ends_after_the_last_job() {
    let mut reactor = Reactor::new().unwrap();
    let answered = Rc::new(Cell::new(false));
    let noted = Rc::clone(&answered);
    let work = || thread::sleep(Duration::from_millis(50));
    call_in_thread(reactor.context(), work, move |context, _| {
        noted.set(!context.is_stopping());
    })
    .unwrap();
    reactor.run().unwrap();
    assert!(answered.get(), "the run did not stop before the answer");
}

#[test]
#[cfg(target_os = "linux")]
fn last_handle_wakes_a_waiting_reactor() {
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let reactors_thread = fs::read_link("/proc/thread-self").unwrap();
    let thread = thread::spawn(move || {
        let (sender, receiver) = mpsc::channel();
        handle.call(move |_| sender.send(()).unwrap()).unwrap();
        receiver.recv().unwrap();
        let state = Path::new("/proc").join(reactors_thread).join("stat");
        while !fs::read_to_string(&state).unwrap().contains(") S ") {
            thread::yield_now();
        }
        drop(handle);
    });
    reactor.run().unwrap();
    thread.join().unwrap();
}

#[test]
fn run_ends_after_the_last_connection() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    for id in reactor.context().connections() {
        reactor.context().close(id);
    }
    drop(client);
    let port = reactor.listen_tcp("127.0.0.1:0", recorders(&log, echo)).unwrap();
    reactor.context().close(port.id());
    reactor.context().call_later(Duration::from_millis(1), |context| {
        // The first listener is still open.
        context.stop();
    });
    reactor.run().unwrap();
    reactor.run().unwrap();
}
