//! Handlers of signals.

use crate::support::*;
use ropewalk::{Context, Reactor};
use signal_hook::consts::{SIGHUP, SIGKILL, SIGSEGV, SIGTERM};
use signal_hook::low_level::raise;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Two handlers of one signal, one of which panics; a signal before the run; another signal beside the stop.
#[test]
fn handlers_of_signals_are_called() {
    let name = this_test!();
    if !is_child() {
        return drop(in_child(name, &[]));
    }
    let mut reactor = Reactor::new().unwrap();
    reactor.stop_on_signals().unwrap();
    let calls = Rc::new(Cell::new(0));
    reactor.on_signal(SIGHUP, |_| panic!("on purpose")).unwrap();
    let noted = Rc::clone(&calls);
    let on_hangup = move |context: &mut Context| {
        noted.set(noted.get() + 1);
        match noted.get() {
            1 | 2 => context.call_when_running(|_| raise(SIGHUP).unwrap()),
            3 => raise(SIGTERM).unwrap(),
            _ => {}
        }
    };
    reactor.on_signal(SIGHUP, on_hangup).unwrap();
    raise(SIGHUP).unwrap();
    raise(SIGHUP).unwrap();
    reactor.run().unwrap();
    assert_eq!(calls.get(), 3);
    assert_eq!(reactor.context().statistics().panics, 3);
    // What arrives between two runs is handled in the next one.
    raise(SIGHUP).unwrap();
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(calls.get(), 4);
}

#[test]
fn signal_that_cannot_be_caught_is_an_error() {
    let mut reactor = Reactor::new().unwrap();
    for signal in [SIGKILL, SIGSEGV, 0, -1, 1000] {
        let error = reactor.on_signal(signal, |_| {}).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("signal {signal}")), "{text}");
    }
}
