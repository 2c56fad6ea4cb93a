//! Blocking calls, from other threads into the reactor.

use crate::support::*;
use ropewalk::{BlockingCallError, Reactor, call_in_thread};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

#[test]
fn worker_receives_what_its_call_returns() {
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let answer = Rc::new(RefCell::new(None));
    let work = move || handle.blocking_call(PATIENCE, |context| context.connections().count());
    let shared = Rc::clone(&answer);
    call_in_thread(reactor.context(), work, move |context, count| {
        *shared.borrow_mut() = count.ok();
        context.stop();
    })
    .unwrap();
    reactor.run().unwrap();
    assert_eq!(*answer.borrow(), Some(Ok(0)));
}

#[test]
fn blocking_call_during_a_stop_is_answered() {
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let answer = Rc::new(RefCell::new(None));
    let work = move || {
        while handle.blocking_call(PATIENCE, |context| context.is_stopping()) == Ok(false) {}
        handle.blocking_call(PATIENCE, |context| context.is_stopping())
    };
    let shared = Rc::clone(&answer);
    call_in_thread(reactor.context(), work, move |_, stopping| {
        *shared.borrow_mut() = stopping.ok();
    })
    .unwrap();
    reactor.context().call_later(Duration::from_millis(5), |context| context.stop());
    reactor.run().unwrap();
    assert_eq!(*answer.borrow(), Some(Ok(true)));
}

#[test]
fn blocking_call_that_times_out_is_not_made() {
    let mut reactor = Reactor::new().unwrap();
    let (handle, made) = (reactor.handle(), Arc::new(AtomicBool::new(false)));
    let shared = Arc::clone(&made);
    let caller = thread::spawn(move || {
        handle
            .blocking_call(Duration::from_millis(1), move |_| shared.store(true, Ordering::SeqCst))
    });
    assert_eq!(caller.join().unwrap(), Err(BlockingCallError::TimedOut));
    turns(&mut reactor, 3);
    assert!(!made.load(Ordering::SeqCst));
}

#[test]
fn blocking_call_fails_where_none_can_answer() {
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let own = handle.blocking_call(PATIENCE, |_| ());
    assert_eq!(own, Err(BlockingCallError::OnReactorThread));
    let caller = handle.clone();
    let caller = thread::spawn(move || caller.blocking_call(PATIENCE, |_| panic!("on purpose")));
    turn_until(&mut reactor, "the call", |_| caller.is_finished());
    assert_eq!(caller.join().unwrap(), Err::<(), _>(BlockingCallError::Panicked));

    let waiting = handle.clone();
    let caller = thread::spawn(move || waiting.blocking_call(PATIENCE, |_| ()));
    drop(reactor);
    assert!(matches!(caller.join().unwrap(), Ok(()) | Err(BlockingCallError::ReactorGone)));
    let gone = thread::spawn(move || handle.blocking_call(PATIENCE, |_| ()));
    assert_eq!(gone.join().unwrap(), Err(BlockingCallError::ReactorGone));
}
