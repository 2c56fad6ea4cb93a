//! Attempts that fail, are cancelled or are refused by the factory.

use crate::support::*;
use crate::targets::*;
use ropewalk::{
    Address, ConnectOptions, Context, Error, Factory, Id, Protocol, Reactor, Transport,
};
use std::cell::Cell;
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

#[test]
fn refused_attempt_is_reported_once() {
    let (log, failures) = (Log::default(), Failures::default());
    let mut reactor = Reactor::new().unwrap();
    let address = dead();
    let id = reactor.connect_tcp(address, Caller::new(&log, &failures, only_record)).unwrap();
    assert!(failures.borrow().is_empty(), "no report before the request returns");
    turn_until(&mut reactor, "a failure", |_| !failures.borrow().is_empty());
    turns(&mut reactor, 3);
    let failures = failures.borrow();
    assert_eq!((failures.len(), failures[0].0, log.made()), (1, id, 0));
    assert_eq!(failures[0].1.kind(), ErrorKind::ConnectionRefused);
    let text = failures[0].1.to_string();
    let expected = format!("cannot connect to {address}: connection refused");
    assert!(text.starts_with(&expected), "{text}");
    assert!(reactor.context().transport(id).is_closing());
}

#[test]
fn unanswered_attempt_times_out() {
    let (log, failures) = (Log::default(), Failures::default());
    let (address, _listener, _fillers) = silent();
    let mut reactor = Reactor::new().unwrap();
    let options = ConnectOptions::new().timeout(Duration::from_millis(50));
    let caller = Caller::new(&log, &failures, only_record);
    let begin = std::time::Instant::now();
    options.connect_tcp(reactor.context(), address, caller).unwrap();
    turn_until(&mut reactor, "timed out", |_| !failures.borrow().is_empty());
    assert!(begin.elapsed() >= Duration::from_millis(50), "not before its time");
    turns(&mut reactor, 3);
    let failures = failures.borrow();
    assert_eq!((failures.len(), log.made()), (1, 0));
    assert_eq!(failures[0].1.kind(), ErrorKind::TimedOut);
    let text = failures[0].1.to_string();
    assert!(text.contains(&address.to_string()) && text.contains("timed out"), "{text}");
}

#[test]
fn cancelled_attempt_fails_once() {
    let (_listener, live) = listening();
    let (silent, _listener_of_silent, _fillers) = silent();
    type End = fn(&mut Context, Id);
    for end in [Context::close as End, Context::abort as End] {
        for address in [live, silent, dead()] {
            let (log, failures) = (Log::default(), Failures::default());
            let mut reactor = Reactor::new().unwrap();
            let caller = || Caller::new(&log, &failures, only_record);
            let at_once = reactor.connect_tcp(address, caller()).unwrap();
            end(reactor.context(), at_once);
            end(reactor.context(), at_once);
            // Cancelled in the turn in which the outcome is known, because timers run before sockets.
            let late = reactor.connect_tcp(address, caller()).unwrap();
            let call = move |context: &mut Context| {
                end(context, late);
                end(context, late);
            };
            reactor.context().call_later(Duration::ZERO, call);
            turn_until(&mut reactor, "both failures", |_| failures.borrow().len() == 2);
            turns(&mut reactor, 5);
            let ids: Vec<Id> = failures.borrow().iter().map(|(id, _)| *id).collect();
            assert_eq!((ids, log.made()), (vec![at_once, late], 0));
        }
    }
}

#[test]
fn immediate_failure_is_reported_after_the_call() {
    let (log, failures) = (Log::default(), Failures::default());
    let mut reactor = Reactor::new().unwrap();
    let caller = Caller::new(&log, &failures, only_record);
    let id = reactor.connect_tcp("127.255.255.255:9", caller).unwrap();
    assert!(failures.borrow().is_empty());
    turn_until(&mut reactor, "a failure", |_| !failures.borrow().is_empty());
    assert_eq!((failures.borrow().len(), failures.borrow()[0].0), (1, id));
}

/// Connects again in `connection_failed`, to an address that fails at once.
struct Retry {
    tries: Rc<Cell<usize>>,
}

impl Factory for Retry {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        None
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, _error: Error) {
        self.tries.set(self.tries.get() + 1);
        // The limit makes the test fail, rather than hang, where retries are not spread.
        if self.tries.get() < 10_000 {
            let again = Self { tries: Rc::clone(&self.tries) };
            context.connect_tcp("127.255.255.255:9", again).unwrap();
        }
    }
}

#[test]
fn immediate_retries_are_spread_over_turns() {
    let tries = Rc::new(Cell::new(0));
    let mut reactor = Reactor::new().unwrap();
    reactor.connect_tcp("127.255.255.255:9", Retry { tries: Rc::clone(&tries) }).unwrap();
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert!(tries.get() < 100, "{} tries in one turn", tries.get());
}

#[test]
fn connection_failed_may_connect_again() {
    struct RetryOnce {
        live: SocketAddr,
        log: Log,
        failures: Failures,
    }
    impl Factory for RetryOnce {
        fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
            None
        }
        fn connection_failed(&mut self, context: &mut Context, _id: Id, _error: Error) {
            let caller = Caller::new(&self.log, &self.failures, only_record);
            context.connect_tcp(self.live, caller).unwrap();
        }
    }
    let (_listener, live) = listening();
    let (log, failures) = (Log::default(), Failures::default());
    let mut reactor = Reactor::new().unwrap();
    let retry = RetryOnce { live, log: log.clone(), failures: Rc::clone(&failures) };
    reactor.connect_tcp(dead(), retry).unwrap();
    turn_until(&mut reactor, "connected", |_| log.made() == 1);
    assert!(failures.borrow().is_empty());
}

#[test]
fn factory_that_refuses_or_panics_closes_the_socket() {
    struct Refuses {
        panics: bool,
        _alive: Rc<()>,
    }
    impl Factory for Refuses {
        fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
            assert!(!self.panics, "a panic on purpose");
            None
        }
        fn connection_failed(&mut self, _context: &mut Context, _id: Id, _error: Error) {
            unreachable!("the connection succeeded");
        }
    }
    let (listener, live) = listening();
    let mut reactor = Reactor::new().unwrap();
    let alive = Rc::new(());
    for panics in [false, true] {
        let factory = Refuses { panics, _alive: Rc::clone(&alive) };
        let id = reactor.connect_tcp(live, factory).unwrap();
        reactor.context().transport(id).write(b"early");
        let (peer, _) = listener.accept().unwrap();
        turn_until(&mut reactor, "closed", |reactor| reactor.context().transport(id).is_closing());
        match (&peer).read(&mut [0]) {
            Ok(count) => assert!(!panics && count == 0),
            Err(error) => assert!(panics && error.kind() == ErrorKind::ConnectionReset),
        }
        assert_eq!(Rc::strong_count(&alive), 1, "the factory is dropped");
    }
    assert_eq!(reactor.context().connections().count(), 0);
    assert_eq!(reactor.context().statistics().panics, 1, "connection_failed is not called");
}

#[test]
fn closed_attempt_with_queued_data_resets_the_peer() {
    let (listener, live) = listening();
    let mut reactor = Reactor::new().unwrap();
    let (log, failures) = (Log::default(), Failures::default());
    for written in [false, true] {
        let caller = Caller::new(&log, &failures, only_record);
        let id = reactor.connect_tcp(live, caller).unwrap();
        if written {
            reactor.context().transport(id).write(b"an upload");
        }
        let (peer, _) = listener.accept().unwrap();
        reactor.context().close(id);
        match (&peer).read(&mut [0]) {
            Ok(count) => assert!(!written && count == 0, "an empty message looks complete"),
            Err(error) => assert!(written && error.kind() == ErrorKind::ConnectionReset),
        }
    }
}

#[test]
fn stopping_reactor_neither_connects_nor_listens() {
    let (log, failures) = (Log::default(), Failures::default());
    let mut reactor = Reactor::new().unwrap();
    let caller = Caller::new(&log, &failures, only_record);
    let text = in_shutdown(&mut reactor, |context| {
        assert!(context.listen_tcp("127.0.0.1:0", || Echo).is_err());
        context.connect_tcp("127.0.0.1:1", caller).unwrap_err().to_string()
    });
    assert!(text.contains("stopping") && text.contains("127.0.0.1:1"), "{text}");
    assert!(reactor.listen_tcp("127.0.0.1:0", || Echo).is_ok(), "the stop is over");
}

#[test]
fn two_hundred_attempts_all_get_an_outcome() {
    let (log, failures) = (Log::default(), Failures::default());
    let served = Log::default();
    let (mut reactor, live) = up(recorders(&served, only_record));
    let dead = dead();
    for n in 0..200 {
        let caller = Caller::new(&log, &failures, |transport: &mut Transport<'_>, event| {
            if *event == Event::Made {
                transport.close();
            }
        });
        reactor.connect_tcp(if n % 2 == 0 { live } else { dead }, caller).unwrap();
    }
    turn_until(&mut reactor, "all outcomes", |_| log.lost() + failures.borrow().len() == 200);
    assert_eq!((log.lost(), failures.borrow().len()), (100, 100));
    turn_until(&mut reactor, "the accepted connections are lost too", |_| served.lost() == 100);
    log.check(true);
    served.check(true);
}
