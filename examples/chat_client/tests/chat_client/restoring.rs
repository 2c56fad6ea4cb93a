//! The terminal after the end of the program.

use crate::scene::*;
use crate::terminal;
use rustix::process::Signal;
use std::process::Command;

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
    const CHILD: &str = "CHAT_CLIENT_TEST_PANIC";
    if std::env::var_os(CHILD).is_some() {
        let _terminal = terminal::Terminal::take().expect("a terminal");
        // As the editor does.
        println!("\x1b[?2004hbefore the panic");
        panic!("on purpose");
    }
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["restoring::panic_restores_the_terminal", "--exact", "--nocapture"]);
    program.env(CHILD, "1");
    let mut terminal = Terminal::start(program, 80);
    terminal.read_until("before the panic");
    assert!(terminal.marks_pastes());
    assert_restored(&mut terminal, "panic");
    assert_eq!(terminal.exit_code(), Some(101));
}
