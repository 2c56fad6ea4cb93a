//! Processes at the stop and at the drop of a reactor.

use crate::support::{PATIENCE, in_shutdown, turn_until};
use crate::{Log, has_ended, nothing, number, shell, start, state};
use ropewalk::{ProcessTransport, Reactor, Signal};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Ignores SIGTERM, and says so.
const STUBBORN: &str = "trap '' TERM; echo ready; while :; do sleep 0.01; done";

#[test]
fn stop_asks_processes_to_end() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done";
    start(&mut reactor, &log, shell(script), nothing);
    turn_until(&mut reactor, "ready", |_| log.borrow().out == b"ready\n");
    reactor.context().stop();
    reactor.run().unwrap();
    assert!(log.borrow().events.contains(&"exited: exited with code 5".to_owned()));
    assert!(has_ended(&log));
}

#[test]
fn stop_kills_what_ignores_it_after_the_grace() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    reactor.set_grace(Duration::from_millis(100));
    let id = start(&mut reactor, &log, shell(STUBBORN), nothing);
    let child = number(&mut reactor, id);
    turn_until(&mut reactor, "ready", |_| log.borrow().out == b"ready\n");
    let begin = Instant::now();
    reactor.context().stop();
    reactor.run().unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(100));
    assert_eq!(log.borrow().events.last().unwrap(), "ended: ended by signal 9 (SIGKILL)");
    assert_eq!(state(child), None, "it was reaped");
}

#[test]
fn stopped_process_continues_to_its_end() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done";
    let id = start(&mut reactor, &log, shell(script), nothing);
    let child = number(&mut reactor, id);
    turn_until(&mut reactor, "ready", |_| log.borrow().out == b"ready\n");
    ProcessTransport::new(reactor.context(), id).signal(Signal::Stop).unwrap();
    turn_until(&mut reactor, "stopped", |_| state(child) == Some('T'));
    reactor.set_grace(PATIENCE);
    reactor.context().stop();
    reactor.run().unwrap();
    assert_eq!(log.borrow().events.last().unwrap(), "ended: exited with code 5");
}

#[test]
fn run_with_only_a_process_waits_for_it() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let options =
        shell("exec sleep 0.1").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    start(&mut reactor, &log, options, nothing);
    reactor.run().unwrap();
    let events = &log.borrow().events;
    assert_eq!(events.last().unwrap(), "ended: exited with code 0", "it was not stopped");
}

#[test]
fn dropped_reactor_kills_and_reaps() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let id = start(&mut reactor, &log, shell(STUBBORN), nothing);
    let child = number(&mut reactor, id);
    drop(reactor);
    assert!(has_ended(&log), "{:?}", log.borrow().events);
    assert_eq!(state(child), None, "it was reaped");
}

#[test]
fn process_started_after_a_stop_is_an_error() {
    let mut reactor = Reactor::new().unwrap();
    let error = in_shutdown(&mut reactor, |context| {
        let recorder = crate::Recorder::new(&Log::default(), nothing);
        shell("exit 0").spawn(context, recorder).unwrap_err()
    });
    assert_eq!(error.to_string(), "cannot start sh: the reactor is stopping");
}
