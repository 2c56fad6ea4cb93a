//! Signals: handlers, and the stop of a run.

use crate::support::{Callbacks, check, record};
use ropewalk::{Address, Reactor};
use ropewalk_replay::Tape;
use std::process::Command;

/// SIGUSR1 on Linux and most other systems.
const USER: i32 = if cfg!(target_os = "linux") { 10 } else { 30 };

fn raise(signal: &str) {
    let process = std::process::id().to_string();
    assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
}

#[test]
fn signals_are_replayed() {
    let program = |reactor: &mut Reactor, _: &Tape, callbacks: &Callbacks| {
        let callbacks = callbacks.clone();
        reactor.stop_on_signals().unwrap();
        let handled = reactor.on_signal(USER, move |context| {
            callbacks.note("signal");
            context.stop();
        });
        handled.unwrap();
        Address::Unknown
    };
    let recorded = record(program, |_, _| raise("-USR1"));
    check(&recorded, program);
}
