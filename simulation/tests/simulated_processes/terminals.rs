//! Processes on terminals: the same scenes with real ones and in the simulated world.

use crate::{Record, nothing, play_prepared, simulated_prepared, world_prepared};
use ropewalk::{ProcessOptions, ProcessTransport, Signal, WindowSize};
use ropewalk_simulation::SimulatedProgram;
use std::io::ErrorKind;
use std::time::Duration;

fn on_terminal(options: ProcessOptions) -> ProcessOptions {
    options.pseudo_terminal(WindowSize::default())
}

fn play(
    script: &str,
    program: &SimulatedProgram,
    hook: fn(&mut ProcessTransport<'_>, &str),
) -> Record {
    let record = play_prepared(script, program, hook, on_terminal);
    assert!(!record.events.iter().any(|event| event.starts_with("err")), "{record:?}");
    record
}

#[test]
fn both_kinds_of_output_arrive_in_one_pipe() {
    let program = SimulatedProgram::new().writes("one\n").writes_error("two\n").exits(3);
    let record = play("echo one; echo two >&2; exit 3", &program, nothing);
    assert_eq!(record.out, b"one\r\ntwo\r\n");
    assert!(record.events.contains(&"in Reset".to_owned()), "{:?}", record.events);
}

#[test]
fn typed_lines_are_echoed_and_answered() {
    let program = SimulatedProgram::new().writes("ready\n").echoes();
    let record = play("echo ready; exec cat", &program, |process, event| match event {
        "out" => {
            process.write(b"one\rtw");
            process.write(b"o\n");
            process.close_stdin();
        }
        _ => {}
    });
    assert_eq!(record.out, b"ready\r\none\r\ntwo\r\none\r\ntwo\r\n");
    assert!(record.events.contains(&"ended: exited with code 0".to_owned()));
}

#[test]
fn control_c_interrupts() {
    let program = SimulatedProgram::new().writes("ready\n").hangs();
    let record = play("echo ready; exec sleep 100", &program, |process, event| {
        if event == "out" {
            // The echo and the end of the process come in any order.
            process.stdout().close();
            process.write(b"\x03");
        }
    });
    assert!(record.events.contains(&"ended: ended by signal 2 (SIGINT)".to_owned()));
}

#[test]
fn closed_terminal_hangs_up() {
    let program = SimulatedProgram::new().writes("ready\n").hangs();
    let record = play("echo ready; exec sleep 100", &program, |process, event| {
        if event == "out" {
            process.close();
        }
    });
    assert!(record.events.contains(&"ended: ended by signal 1 (SIGHUP)".to_owned()));
}

#[test]
fn process_that_closes_its_terminal_lives_on() {
    let program = SimulatedProgram::new().closes_input().closes_output().closes_error();
    let program = program.waits(Duration::from_millis(50)).exits(5);
    let record = play("exec <&- >&- 2>&-; sleep 0.05; exit 5", &program, nothing);
    assert!(record.events.contains(&"ended: exited with code 5".to_owned()));
}

#[test]
fn one_closed_descriptor_is_not_the_end_of_a_terminal() {
    let program = SimulatedProgram::new().closes_output().waits(Duration::from_millis(20));
    let program = program.writes_error("still here\n");
    let record = play("exec >&-; sleep 0.02; echo still here >&2", &program, nothing);
    assert_eq!(record.out, b"still here\r\n");
}

#[test]
fn ignored_hang_up_ends_nothing() {
    let program = SimulatedProgram::new().ignores(Signal::Hangup).writes("ready\n");
    let program = program.reads_to_end().writes("lost\n").exits(4);
    let script = "trap '' HUP; echo ready; cat >/dev/null; echo lost 2>/dev/null; exit 4";
    let record = play(script, &program, |process, event| {
        if event == "out" {
            process.close();
        }
    });
    assert!(record.events.contains(&"ended: exited with code 4".to_owned()));
}

#[test]
fn size_changes_while_the_terminal_is_open() {
    let program = SimulatedProgram::new().hangs();
    let hook = |process: &mut ProcessTransport<'_>, event: &str| {
        let size = WindowSize { rows: 50, columns: 132 };
        if event == "made" {
            assert_eq!(process.window_size().unwrap(), WindowSize::default());
            process.set_window_size(size).unwrap();
            assert_eq!(process.window_size().unwrap(), size);
            process.close();
        }
    };
    play("exec sleep 100", &program, hook);
    let (mut world, log) = world_prepared(
        1,
        &program,
        |process, event| {
            if event == "made" {
                let error = process.set_window_size(WindowSize::default()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::NotConnected);
            }
        },
        |options| options,
    );
    world.run_for(Duration::from_secs(1));
    assert_eq!(log.borrow().events, ["made"]);
}

#[test]
fn end_of_the_process_hangs_up_its_children() {
    let program = SimulatedProgram::new().leaves_grandchild(Duration::from_secs(1000)).exits(0);
    let record = simulated_prepared(1, &program, nothing, on_terminal);
    assert_eq!(record.events.last().unwrap(), "ended: exited with code 0");
}
