//! The forced end of a process with a blocked reactor, each in a child process.

use crate::support::*;
use ropewalk::Reactor;
use signal_hook::consts::SIGINT;
use signal_hook::low_level::raise;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

/// Blocks in a callback, and sends SIGINT to this process again and again.
fn block(cleanup: impl FnOnce() + Send + 'static) {
    let mut reactor = Reactor::new().unwrap();
    reactor.stop_on_signals().unwrap();
    Reactor::before_forced_end(cleanup);
    reactor.context().call_when_running(|_| {
        thread::spawn(|| {
            loop {
                raise(SIGINT).unwrap();
                thread::sleep(Duration::from_millis(50));
            }
        });
        loop {
            thread::park();
        }
    });
    reactor.run().unwrap();
}

/// Runs the test in a child, which must end in time.
fn run_child(name: &str) -> ExitStatus {
    let mut child = child(name, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    end_of(&mut child, PATIENCE)
}

#[test]
fn cleanup_that_panics_does_not_keep_the_process() {
    if is_child() {
        return block(|| panic!("on purpose"));
    }
    assert_eq!(run_child(this_test!()).signal(), Some(SIGINT));
}

#[test]
fn cleanup_that_blocks_is_ended_by_the_next_signal() {
    if is_child() {
        return block(|| {
            loop {
                thread::park();
            }
        });
    }
    assert_eq!(run_child(this_test!()).signal(), Some(SIGINT));
}

/// Registers another cleanup when it is dropped.
struct Registers;

impl Drop for Registers {
    fn drop(&mut self) {
        Reactor::before_forced_end(|| {});
    }
}

#[test]
fn cleanup_is_replaced_by_one_that_registers_another() {
    if is_child() {
        let registers = Registers;
        Reactor::before_forced_end(move || drop(registers));
        return Reactor::before_forced_end(|| {});
    }
    assert!(run_child(this_test!()).success());
}

/// The thread that ends a blocked process is not inherited by a child of fork(2), which starts its own.
#[test]
fn blocked_child_of_fork_is_ended() {
    if is_child() {
        let mut reactor = Reactor::new().unwrap();
        reactor.stop_on_signals().unwrap();
        drop(reactor);
        return match fork::fork().unwrap() {
            fork::Fork::Child => block(|| {}),
            fork::Fork::Parent(child) => drop(fork::waitpid(child)),
        };
    }
    assert!(run_child(this_test!()).success());
}
