//! Processes that are run to their end, within limits.

use crate::shell;
use crate::support::turn_until;
use ropewalk::{ProcessLimit, ProcessOptions, ProcessOutput, ProcessRun, Reactor};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

fn run(run: ProcessRun) -> ProcessOutput {
    let mut reactor = Reactor::new().unwrap();
    let output = Rc::new(RefCell::new(None));
    let place = Rc::clone(&output);
    run.start(reactor.context(), move |_, output| *place.borrow_mut() = Some(output)).unwrap();
    turn_until(&mut reactor, "the end", |_| output.borrow().is_some());
    output.take().unwrap()
}

#[test]
fn input_and_all_output_are_passed() {
    let output = run(ProcessRun::new(shell("cat; echo word >&2; exit 4")).input(vec![7; 700_000]));
    assert!(output.out == [7; 700_000]);
    assert_eq!(output.err, b"word\n");
    assert_eq!(output.exit.to_string(), "exited with code 4");
    assert_eq!(output.exceeded, None);
}

#[test]
fn too_much_output_ends_the_process() {
    let output = run(ProcessRun::new(ProcessOptions::new("yes")).max_output(10_001));
    assert_eq!(output.out.len(), 10_001);
    assert_eq!(output.exceeded, Some(ProcessLimit::Output));
    assert_eq!(output.exit.to_string(), "ended by signal 9 (SIGKILL)");
}

#[test]
fn too_much_time_ends_the_process() {
    let begin = Instant::now();
    // The child of the shell holds the pipes.
    let script = "sleep 5 & echo words; wait";
    let output = run(ProcessRun::new(shell(script)).timeout(Duration::from_millis(200)));
    assert_eq!(output.exceeded, Some(ProcessLimit::Time));
    assert_eq!(output.out, b"words\n");
    assert!(begin.elapsed() < Duration::from_secs(4), "the pipes are not waited for");
}
