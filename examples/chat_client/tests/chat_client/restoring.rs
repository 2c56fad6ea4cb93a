//! The terminal after the end of the program.

use crate::scene::*;
use crate::terminal;
use ropewalk::Reactor;
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// What ends the program.
type End = fn(&mut Server, &mut Terminal);

/// Checks that the shell finds its terminal as it was.
#[track_caller]
fn assert_restored(terminal: &mut Terminal, end: &str) {
    terminal.read_to_end();
    assert!(!terminal.is_raw(), "{end}");
    assert!(!terminal.marks_pastes(), "{end}");
}

#[test]
fn each_end_restores_the_terminal() {
    let ends: [(&str, End); 8] = [
        ("leaving", |_, terminal| terminal.press("\x04")),
        ("goodbye", |server, _| server.say("* goodbye")),
        ("error", |_, _| {}),
        ("INT", |_, terminal| terminal.signal(Signal::INT)),
        ("TERM", |_, terminal| terminal.signal(Signal::TERM)),
        ("HUP", |_, terminal| terminal.signal(Signal::HUP)),
        ("QUIT", |_, terminal| terminal.signal(Signal::QUIT)),
        ("Ctrl-C", |_, terminal| terminal.press("\x03")),
    ];
    for (end, act) in ends {
        let (mut server, mut terminal) = start(80);
        assert!(terminal.is_raw() && terminal.marks_pastes());
        terminal.press("draft\x01\x0b");
        terminal.wait_for_screen("* what is your name?\n>");
        act(&mut server, &mut terminal);
        if matches!(end, "goodbye" | "error") {
            drop(server);
        }
        assert_restored(&mut terminal, end);
    }
}

#[test]
fn panic_restores_the_terminal() {
    if is_child() {
        let _terminal = terminal::Terminal::take().expect("a terminal");
        // As the editor does.
        println!("\x1b[?2004hbefore the panic");
        panic!("on purpose");
    }
    let mut terminal = start_child("restoring::panic_restores_the_terminal");
    terminal.read_until("before the panic");
    assert!(terminal.marks_pastes());
    assert_restored(&mut terminal, "panic");
    assert_eq!(terminal.exit_code(), Some(101));
}

/// The second Ctrl-C ends a program whose reactor is blocked by a callback, a second later.
#[test]
fn forced_end_restores_the_terminal() {
    if is_child() {
        let mut reactor = support::reactor().unwrap();
        let terminal = terminal::Terminal::take().expect("a terminal");
        Reactor::before_forced_end(terminal.restoring());
        reactor.context().call_later(Duration::ZERO, |_| {
            println!("\x1b[?2004hblocked");
            thread::sleep(LIMIT);
        });
        reactor.run().unwrap();
        unreachable!("the callback does not return");
    }
    let mut terminal = start_child("restoring::forced_end_restores_the_terminal");
    terminal.read_until("blocked");
    assert!(terminal.is_raw() && terminal.marks_pastes());
    let begin = Instant::now();
    // Signals in close succession are one.
    while terminal.child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < LIMIT / 2, "it is still blocked");
        terminal.press("\x03");
        thread::sleep(Duration::from_millis(20));
    }
    assert_restored(&mut terminal, "Ctrl-C twice");
    let status = terminal.child.wait().unwrap();
    assert_eq!(status.signal(), Some(2), "{status}");
}

const CHILD: &str = "CHAT_CLIENT_TEST_CHILD";

/// Returns true if this process was started by [`start_child`].
fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs a test of this program alone, in a terminal of its own.
fn start_child(name: &str) -> Terminal {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args([name, "--exact", "--nocapture"]);
    program.env(CHILD, "1");
    Terminal::start(program, 80)
}
