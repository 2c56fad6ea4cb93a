//! Processes on pseudo-terminals.

use crate::support::{becomes_idle, descriptors, in_child, is_child, this_test, turn, turn_until};
use crate::{Log, Record, has, has_ended, nothing, number, on_made, run, shell, start, state};
use ropewalk::{
    Id, ProcessOptions, ProcessOutput, ProcessRun, ProcessTransport, Reactor, WindowSize,
};
use std::cell::RefCell;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;

/// Returns a script on a terminal. The shell cannot trap a signal that this process ignores, as under nohup(1).
fn terminal(script: &str) -> ProcessOptions {
    let options = ProcessOptions::new("env").arg("--default-signal=HUP,INT,QUIT");
    let options = options.args(["sh", "-c", script]);
    options.pseudo_terminal(WindowSize { rows: 31, columns: 97 })
}

fn text(record: &Record) -> String {
    String::from_utf8_lossy(&record.out).replace("\r\n", "\n")
}

/// Starts a process that says `ready`.
fn start_ready(script: &str) -> (Reactor, Log, Id) {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let id = start(&mut reactor, &log, terminal(script), nothing);
    turn_until(&mut reactor, "ready", |_| log.borrow().out.ends_with(b"ready\r\n"));
    (reactor, log, id)
}

#[test]
fn process_has_a_terminal_of_its_own() {
    let script = "test -t 0 -a -t 1 -a -t 2 && echo all; stty size; stty size </dev/tty; \
                  ps -o sid= -p $$ | tr -d ' '; echo $$; echo error >&2";
    let record = run(terminal(script), nothing);
    let text = text(&record);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..3], ["all", "31 97", "31 97"]);
    assert_eq!(lines[3], lines[4], "it leads a session");
    assert_eq!(lines[5..], ["error"]);
    assert!(record.err.is_empty());
}

#[test]
fn terminal_belongs_to_the_user_of_the_process() {
    let is_superuser = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if is_superuser {
        let record = run(terminal("stat -c %u $(tty); id -u").user(65534), nothing);
        assert_eq!(text(&record), "65534\n65534\n");
    }
}

#[test]
fn end_of_the_terminal_is_no_error() {
    let record = run(terminal("seq 100000; exit 3"), nothing);
    let numbers: String = (1..=100_000).map(|number| format!("{number}\n")).collect();
    assert!(text(&record) == numbers, "{} bytes", record.out.len());
    let events = record.events;
    for event in ["out ClosedByPeer", "in Reset", "exited: exited with code 3"] {
        assert_eq!(events.iter().filter(|of| *of == event).count(), 1, "{event}: {events:?}");
    }
    assert_eq!(events.last().unwrap(), "ended: exited with code 3");
    assert_eq!(events.len(), 6, "{events:?}");
}

#[test]
fn process_that_closes_its_terminal_is_not_hung_up() {
    for close in ["none", "stdout"] {
        let script = "exec <&- >&- 2>&-; sleep 0.05; exit 5";
        let record = run(terminal(script), move |process, event| {
            if event == "made" && close == "stdout" {
                process.stdout().close();
            }
        });
        assert_eq!(record.events.last().unwrap(), "ended: exited with code 5", "{close}");
    }
}

#[test]
fn change_of_size_is_signalled() {
    let script = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.01; done";
    let (mut reactor, log, id) = start_ready(script);
    let size = WindowSize { rows: 50, columns: 132 };
    let mut process = ProcessTransport::new(reactor.context(), id);
    assert_eq!(process.window_size().unwrap(), WindowSize { rows: 31, columns: 97 });
    process.set_window_size(size).unwrap();
    assert_eq!(process.window_size().unwrap(), size);
    turn_until(&mut reactor, "the end", |_| has_ended(&log));
    assert_eq!(text(&log.borrow()), "ready\n50 132\n");
    let error = ProcessTransport::new(reactor.context(), id).set_window_size(size).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn size_of_pipes_is_an_error() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let id = start(&mut reactor, &log, ProcessOptions::new("cat"), nothing);
    let mut process = ProcessTransport::new(reactor.context(), id);
    let error = process.set_window_size(WindowSize::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    assert!(error.to_string().ends_with("the process has no open pseudo-terminal"), "{error}");
}

#[test]
fn closing_our_side_hangs_up() {
    let script = "trap 'exit 9' HUP; trap '' TERM; echo ready; while :; do sleep 0.01; done";
    let (mut reactor, log, id) = start_ready(script);
    ProcessTransport::new(reactor.context(), id).close();
    turn_until(&mut reactor, "the end", |_| has_ended(&log));
    assert_eq!(log.borrow().events.last().unwrap(), "ended: exited with code 9");
}

#[test]
fn stop_hangs_up_terminals() {
    let script = "trap 'exit 9' HUP; trap '' TERM; echo ready; while :; do sleep 0.01; done";
    let (mut reactor, log, _) = start_ready(script);
    reactor.context().stop();
    reactor.run().unwrap();
    assert_eq!(log.borrow().events.last().unwrap(), "ended: exited with code 9");
}

#[test]
fn control_c_interrupts_the_foreground() {
    let (mut reactor, log, id) = start_ready("echo ready; exec sleep 100");
    ProcessTransport::new(reactor.context(), id).write(b"\x03");
    turn_until(&mut reactor, "the end", |_| has_ended(&log));
    assert_eq!(log.borrow().events.last().unwrap(), "ended: ended by signal 2 (SIGINT)");
}

#[test]
fn closed_input_is_the_end_of_lines() {
    let mut reactor = Reactor::new().unwrap();
    let output = Rc::new(RefCell::new(None::<ProcessOutput>));
    let place = Rc::clone(&output);
    let run = ProcessRun::new(terminal("stty -echo; echo ready; cat")).input("some words\n");
    run.start(reactor.context(), move |_, output| *place.borrow_mut() = Some(output)).unwrap();
    turn_until(&mut reactor, "the end", |_| output.borrow().is_some());
    let output = output.take().unwrap();
    assert!(output.exit.is_success(), "{output:?}");
    assert!(output.out.ends_with(b"ready\r\nsome words\r\n"), "{output:?}");
}

#[test]
fn process_that_does_not_read_its_terminal_pauses_writing() {
    let (mut reactor, log, id) = start_ready("stty raw -echo opost; echo ready; exec sleep 100");
    ProcessTransport::new(reactor.context(), id).write(&[b'x'; 1_000_000]);
    turn_until(&mut reactor, "pause", |_| has(&log, "pause"));
    assert!(becomes_idle(&mut reactor));
    let mut process = ProcessTransport::new(reactor.context(), id);
    assert!(process.stdin().write_buffer_size() > 500_000);
    process.kill();
    turn_until(&mut reactor, "the end", |_| has_ended(&log));
    assert!(has(&log, "in Reset"), "{:?}", log.borrow().events);
}

#[test]
fn paused_output_stays_in_the_terminal() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let hook = on_made(|process| process.stdout().pause());
    let id = start(&mut reactor, &log, terminal("stty -opost; head -c 1000000 /dev/zero"), hook);
    turn(&mut reactor);
    assert!(becomes_idle(&mut reactor));
    assert!(log.borrow().out.is_empty() && !has(&log, "exited"));
    ProcessTransport::new(reactor.context(), id).stdout().resume();
    turn_until(&mut reactor, "the end", |_| has_ended(&log));
    assert_eq!(log.borrow().out.len(), 1_000_000);
}

#[test]
fn terminals_leave_no_descriptor() {
    if !is_child() {
        return drop(in_child(this_test!(), &[])); // It counts descriptors.
    }
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let before = descriptors();
    let [ours, usual] = [terminal("ls /proc/self/fd | cat"), shell("ls /proc/self/fd | cat")]
        .map(|options| text(&run(options, nothing)));
    assert_eq!(ours, usual);
    let ids = [(); 20].map(|()| start(&mut reactor, &log, terminal("exit 1"), nothing));
    let numbers = ids.map(|id| number(&mut reactor, id));
    turn_until(&mut reactor, "the end", |reactor| {
        ids.iter().all(|id| ProcessTransport::new(reactor.context(), *id).number().is_none())
    });
    assert!(numbers.iter().all(|number| state(*number).is_none()));
    for _ in 0..20 {
        let options = ProcessOptions::new("no-such-program").pseudo_terminal(WindowSize::default());
        let mut options = options;
        let recorder = crate::Recorder::new(&log, nothing);
        let error = options.spawn(reactor.context(), recorder).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().starts_with("cannot start no-such-program: "), "{error}");
    }
    assert_eq!(descriptors(), before);
}

#[test]
fn options_of_a_terminal_are_used_once() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let mut options = terminal("exit 0");
    options.spawn(reactor.context(), crate::Recorder::new(&log, nothing)).unwrap();
    let recorder = crate::Recorder::new(&log, nothing);
    let error = options.spawn(reactor.context(), recorder).unwrap_err();
    let expected = "cannot start env: options with a pseudo-terminal can start one process only";
    assert_eq!(error.to_string(), expected);
}
