//! Handlers of signals.

use crate::support::*;
use ropewalk::{Context, Reactor, SignalHandlerId};
use signal_hook::consts::{SIGHUP, SIGKILL, SIGSEGV, SIGTERM, SIGUSR1};
use signal_hook::low_level::raise;
use std::cell::{Cell, RefCell};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
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

/// A handler is added in a callback, and cancels itself; another one of the same signal continues.
#[test]
fn handlers_are_added_and_cancelled_in_callbacks() {
    let name = this_test!();
    if !is_child() {
        return drop(in_child(name, &[]));
    }
    let mut reactor = Reactor::new().unwrap();
    let calls = Rc::new(RefCell::new(Vec::new()));
    let (first, second) = (Rc::clone(&calls), Rc::clone(&calls));
    reactor.context().call_when_running(move |context| {
        let own = Rc::new(Cell::new(None));
        let known = Rc::clone(&own);
        let once = move |context: &mut Context| {
            first.borrow_mut().push("first");
            let id: SignalHandlerId = known.take().unwrap();
            assert!(id.cancel(context));
            assert!(!id.cancel(context), "a handler is cancelled once");
        };
        own.set(Some(SignalHandlerId::add(context, SIGUSR1, once).unwrap()));
        let each = move |context: &mut Context| {
            second.borrow_mut().push("second");
            match second.borrow().len() {
                3 => context.stop(),
                _ => raise(SIGUSR1).unwrap(),
            }
        };
        SignalHandlerId::add(context, SIGUSR1, each).unwrap();
        raise(SIGUSR1).unwrap();
    });
    reactor.run().unwrap();
    assert_eq!(*calls.borrow(), ["first", "second", "second"]);
}

#[test]
fn signal_without_handlers_has_its_default_action() {
    if is_child() {
        let mut reactor = Reactor::new().unwrap();
        let ids = [(); 2].map(|()| reactor.on_signal(SIGUSR1, |_| {}).unwrap());
        assert!(ids[0].cancel(reactor.context()));
        raise(SIGUSR1).unwrap(); // The other one has it.
        reactor.turn(None).unwrap();
        assert!(ids[1].cancel(reactor.context()));
        raise(SIGUSR1).unwrap();
        unreachable!("the signal ends the process");
    }
    let status = child(this_test!(), &[]).stdout(Stdio::null()).status().unwrap();
    assert_eq!(status.signal(), Some(SIGUSR1), "{status}");
}

/// The run ends before the handler of SIGTERM, which still has it between runs.
#[test]
fn handler_keeps_a_signal_that_ended_a_run() {
    let name = this_test!();
    if !is_child() {
        return drop(in_child(name, &[]));
    }
    let mut reactor = Reactor::new().unwrap();
    let calls = Rc::new(Cell::new(0));
    let noted = Rc::clone(&calls);
    reactor.stop_on_signals().unwrap();
    reactor.on_signal(SIGTERM, move |_| noted.set(noted.get() + 1)).unwrap();
    raise(SIGTERM).unwrap();
    reactor.run().unwrap();
    raise(SIGTERM).unwrap();
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(calls.get(), 2);
}
