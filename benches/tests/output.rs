//! The program when its output cannot be written.

use std::fs::File;
use std::process::{Command, Output, Stdio};

/// The ways to print something immediately.
const PRINTING: [&[&str]; 3] =
    [&["--help"], &["serve", "echo", "127.0.0.1:0"], &["timers", "--quick", "--only", "ropewalk"]];

fn run_with(arguments: &[&str], stdout: Stdio, stderr: Stdio) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_ropewalk-bench"));
    program.args(arguments).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    program.spawn().unwrap().wait_with_output().unwrap()
}

/// Returns a pipe without a reader.
fn closed() -> Stdio {
    std::io::pipe().unwrap().1.into()
}

/// Returns a full disk (full(4)).
fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn ends_quietly_when_stdout_is_closed() {
    for arguments in PRINTING {
        let end = run_with(arguments, closed(), Stdio::piped());
        let errors = String::from_utf8_lossy(&end.stderr);
        assert!(end.status.success() && !errors.contains("rror"), "{arguments:?}: {errors}");
        assert!(!errors.contains("panicked"), "{arguments:?}: {errors}");
        let end = run_with(arguments, closed(), closed());
        assert!(end.status.success(), "{arguments:?}, stderr closed as well: {end:?}");
    }
}

#[test]
fn fails_when_the_disk_is_full() {
    for arguments in PRINTING {
        let end = run_with(arguments, full(), Stdio::piped());
        let errors = String::from_utf8_lossy(&end.stderr);
        let expected = "ropewalk-bench: cannot write to the output: No space left on device";
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
        assert_eq!(end.status.code(), Some(1), "{arguments:?}");
    }
}
