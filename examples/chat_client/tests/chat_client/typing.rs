//! A terminal: what is on it, and its mode.

use crate::scene::*;
use rustix::process::Signal;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::io::Write;
use std::time::Duration;

#[test]
fn killed_server_is_an_error_and_keeps_the_draft() {
    let (server, mut terminal) = start(20);
    let draft = "a thought that is longer than the row";
    terminal.press(draft);
    terminal.read_until(&row("longer than the row"[2..].trim_start(), ""));
    drop(server);
    terminal.read_until(&format!("{CLEAR}> {draft}\r\r\n"));
    terminal.read_until("ended the connection without a goodbye");
    assert_eq!(terminal.exit_code(), Some(1));
}

#[test]
fn goodbye_and_leaving_are_no_errors() {
    let (mut server, mut terminal) = start(80);
    server.say("* goodbye");
    drop(server);
    assert_eq!(terminal.exit_code(), Some(0));

    let (_server, mut terminal) = start(80);
    terminal.press("\x04");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn resized_window_is_drawn_again() {
    let (_server, mut terminal) = start(40);
    terminal.press("0123456789");
    terminal.read_until(&row("0123456789", ""));
    terminal.resize(30);
    terminal.read_until(&format!("{CLEAR}{}", row("0123456789", "")));
    terminal.press("\x01");
    terminal.read_until(&row("", "0123456789"));
    terminal.resize(8);
    terminal.read_until(&format!("{CLEAR}{}", row("", "01234")));
    terminal.resize(20);
    terminal.read_until(&format!("{CLEAR}{}", row("", "0123456789")));
}

/// Starts a client in a terminal of 40 columns, types 26 letters, and resizes it to 10 columns.
fn narrowed() -> (Server, Terminal) {
    let (server, mut terminal) = start(40);
    terminal.press("abcdefghijklmnopqrstuvwxyz");
    terminal.read_until(&row("abcdefghijklmnopqrstuvwxyz", ""));
    terminal.resize(10);
    (server, terminal)
}

#[test]
fn wrapped_row_is_cleared_from_its_beginning() {
    let (mut server, mut terminal) = narrowed();
    terminal.read_until("\x1b[6n");
    server.say("<bob> hello");
    // The cursor was in column 28, which is two rows further down after the resize.
    terminal.press("\x1b[7;9R");
    let drawn = terminal.read_until(&row("tuvwxyz", ""));
    assert!(drawn.starts_with(&format!("\x1b[2A{CLEAR}")), "{drawn:?}");
    if !drawn.contains("<bob> hello\r\r\n") {
        terminal.read_until("<bob> hello\r\r\n");
    }
}

#[test]
fn terminal_without_wrapping_keeps_the_lines_above() {
    let (_server, mut terminal) = narrowed();
    terminal.read_until("\x1b[6n");
    terminal.press("\x1b[7;10R");
    assert_eq!(terminal.read_until("tuvwxyz"), format!("{CLEAR}\x1b[?7l> tuvwxyz"));
}

#[test]
fn terminal_without_cursor_report_is_drawn() {
    let (mut server, mut terminal) = narrowed();
    terminal.read_until("\x1b[6n");
    server.say("<bob> hello");
    terminal.read_until("<bob> hello\r\r\n");
    terminal.read_until(&row("tuvwxyz", ""));
}

#[test]
fn continued_process_sets_the_terminal_mode_again() {
    let (_server, mut terminal) = start(80);
    terminal.press("draft");
    terminal.read_until(&row("draft", ""));
    assert!(terminal.is_raw());
    terminal.signal(Signal::STOP);
    // The shell sets its mode when a job stops.
    let mut modes = tcgetattr(&*terminal.pty).unwrap();
    modes.local_modes |= LocalModes::ICANON | LocalModes::ECHO;
    tcsetattr(&*terminal.pty, OptionalActions::Now, &modes).unwrap();
    assert!(!terminal.is_raw());
    terminal.signal(Signal::CONT);
    terminal.read_until(&row("draft", ""));
    assert!(terminal.is_raw());
}

#[test]
fn signal_ends_a_client_with_stopped_terminal() {
    // At its end the program would wait a second for its log.
    let (mut server, mut terminal) = start_with(80, &[], &[("RUST_LOG", "off")]);
    terminal.press("\x13"); // Ctrl-S
    server.client.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    // Until the client, which cannot print, reads no more.
    while server.client.write(&b"* and on it goes\n".repeat(1000)).is_ok() {}
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.exit_code(), Some(0));
    assert!(!terminal.is_raw());
}

#[test]
fn terminal_saves_the_cursor_position() {
    let (_server, mut terminal) = start(80);
    terminal.press("☕👨\u{200d}👩\u{200d}👧x\x1b[D");
    terminal.read_until(&row("☕👨\u{200d}👩\u{200d}👧", "x"));
    terminal.press("\x1b[D");
    terminal.read_until(&row("☕", "👨\u{200d}👩\u{200d}👧x"));
}

#[test]
fn unknown_keys_type_nothing_and_alt_moves_words() {
    let (_server, mut terminal) = start(80);
    terminal.press("one two\x1bx\x1bb");
    terminal.read_until(&row("one ", "two"));
    terminal.press("\x1bf!\r");
    terminal.read_until("> one two!\r\r\n");
}
