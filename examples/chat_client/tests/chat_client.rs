//! `chat_client` in a terminal: what it draws, and how it ends.
//!
//! `cargo test` builds it; to run these tests alone, say `cargo build --examples` first.

#![cfg(unix)]

/// Runs the unit tests in the line editor.
#[path = "../editor/mod.rs"]
mod editor;

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{self, Child, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for output before it fails.
const LIMIT: Duration = Duration::from_secs(30);

/// What clears the row before it is drawn again.
const CLEAR: &str = "\r\x1b[J";

/// A server that says what the test wants.
struct Server {
    client: TcpStream,
}

/// A client in a terminal that is emulated by the test.
struct Terminal {
    pty: Arc<Pty>,
    child: Child,
    output: Receiver<Vec<u8>>,
    /// What the client has printed and no test has looked at.
    unread: String,
}

/// Starts both, and waits until the client has drawn its row.
fn start(columns: u16) -> (Server, Terminal) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (pty, pts) = open().unwrap();
    pty.resize(Size::new(24, columns)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let child = Command::new(program()).arg(address).env_remove("RUST_LOG").spawn(pts).unwrap();
    let pty = Arc::new(pty);
    let (sender, output) = mpsc::channel();
    let reading = Arc::clone(&pty);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = (&*reading).read(&mut buffer) {
            let _ = sender.send(buffer[..length].to_vec());
        }
    });
    let mut server = Server { client: listener.accept().unwrap().0 };
    let mut terminal = Terminal { pty, child, output, unread: String::new() };
    server.say("* what is your name?");
    terminal.read_until(&row("", ""));
    (server, terminal)
}

/// Cargo puts the examples beside the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples/chat_client")
}

/// The row as it is drawn.
fn row(before: &str, after: &str) -> String {
    format!("\x1b[?7l> {before}\x1b7{after}\x1b8\x1b[?7h")
}

impl Server {
    fn say(&mut self, line: &str) {
        writeln!(self.client, "{line}").unwrap();
    }
}

impl Terminal {
    fn press(&mut self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
    }

    fn resize(&self, columns: u16) {
        self.pty.resize(Size::new(24, columns)).unwrap();
    }

    /// Returns what is printed up to `text` and with it.
    fn read_until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.unread.find(text) {
                let rest = self.unread.split_off(at + text.len());
                return std::mem::replace(&mut self.unread, rest);
            }
            match self.output.recv_timeout(LIMIT) {
                Ok(piece) => self.unread += str::from_utf8(&piece).unwrap(),
                Err(error) => panic!("no {text:?} in {:?}: {error}", self.unread),
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether the terminal gives each key to the client, and shows none itself.
    fn is_raw(&self) -> bool {
        let modes = tcgetattr(&*self.pty).unwrap().local_modes;
        !modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_killed_server_is_an_error_and_leaves_the_draft_on_the_screen() {
    let (server, mut terminal) = start(20);
    let draft = "a thought that is longer than the row";
    terminal.press(draft);
    terminal.read_until(&row("longer than the row"[2..].trim_start(), ""));
    drop(server);
    terminal.read_until(&format!("{CLEAR}> {draft}\r\n"));
    terminal.read_until("ended the connection without a goodbye");
    assert_eq!(terminal.exit_code(), Some(1));
}

#[test]
fn a_goodbye_and_a_connection_that_the_user_ends_are_no_errors() {
    let (mut server, mut terminal) = start(80);
    server.say("* goodbye");
    drop(server);
    assert_eq!(terminal.exit_code(), Some(0));

    let (_server, mut terminal) = start(80);
    terminal.press("\x04");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn a_server_that_is_killed_before_it_has_read_all_of_a_file_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = process::Command::new(program());
    let address = listener.local_addr().unwrap().to_string();
    let client = client.arg(address).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut client = client.spawn().unwrap();
    let mut server = BufReader::new(listener.accept().unwrap().0);
    client.stdin.take().unwrap().write_all(b"ann\nhello\n").unwrap();
    server.read_line(&mut String::new()).unwrap();
    server.read_line(&mut String::new()).unwrap();
    server.read_until(0, &mut Vec::new()).unwrap();
    drop(server);
    let end = client.wait_with_output().unwrap();
    assert_eq!(end.status.code(), Some(1), "{end:?}");
}

#[test]
fn a_window_of_another_size_is_drawn_again() {
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

/// A terminal of 40 columns in which 26 letters were typed, and which has 10 columns now.
fn narrowed() -> (Server, Terminal) {
    let (server, mut terminal) = start(40);
    terminal.press("abcdefghijklmnopqrstuvwxyz");
    terminal.read_until(&row("abcdefghijklmnopqrstuvwxyz", ""));
    terminal.resize(10);
    (server, terminal)
}

#[test]
fn a_row_that_continues_in_the_next_is_cleared_where_it_begins() {
    let (mut server, mut terminal) = narrowed();
    terminal.read_until("\x1b[6n");
    server.say("<bob> hello");
    // The cursor was in column 28, which is now two rows further down.
    terminal.press("\x1b[7;9R");
    let drawn = terminal.read_until(&row("tuvwxyz", ""));
    assert!(drawn.starts_with(&format!("\x1b[2A{CLEAR}")), "{drawn:?}");
    if !drawn.contains("<bob> hello\r\n") {
        terminal.read_until("<bob> hello\r\n");
    }
}

#[test]
fn a_terminal_that_cuts_rows_off_loses_no_line_above() {
    let (_server, mut terminal) = narrowed();
    terminal.read_until("\x1b[6n");
    terminal.press("\x1b[7;10R");
    assert_eq!(terminal.read_until("tuvwxyz"), format!("{CLEAR}\x1b[?7l> tuvwxyz"));
}

#[test]
fn a_terminal_that_does_not_say_where_its_cursor_is_is_drawn_all_the_same() {
    let (mut server, mut terminal) = narrowed();
    terminal.read_until("\x1b[6n");
    server.say("<bob> hello");
    terminal.read_until("<bob> hello\r\n");
    terminal.read_until(&row("tuvwxyz", ""));
}

#[test]
fn a_process_that_continues_after_a_stop_takes_the_terminal_again() {
    let (_server, mut terminal) = start(80);
    terminal.press("draft");
    terminal.read_until(&row("draft", ""));
    assert!(terminal.is_raw());
    terminal.signal(Signal::STOP);
    // What a shell does when a job stops.
    let mut modes = tcgetattr(&*terminal.pty).unwrap();
    modes.local_modes |= LocalModes::ICANON | LocalModes::ECHO;
    tcsetattr(&*terminal.pty, OptionalActions::Now, &modes).unwrap();
    assert!(!terminal.is_raw());
    terminal.signal(Signal::CONT);
    terminal.read_until(&row("draft", ""));
    assert!(terminal.is_raw());
}

#[test]
fn a_second_signal_ends_a_client_whose_terminal_is_stopped() {
    let (mut server, mut terminal) = start(80);
    terminal.press("\x13"); // Ctrl-S
    server.client.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    // Until the client, which prints nothing more, reads nothing more.
    while server.client.write(&b"* and on it goes\n".repeat(1000)).is_ok() {}
    let begin = Instant::now();
    while terminal.child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < LIMIT);
        // Two at once may be taken for one (signal(7)).
        terminal.signal(Signal::TERM);
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(terminal.exit_code(), Some(128 + 15));
    assert!(!terminal.is_raw());
}

#[test]
fn the_cursor_is_where_the_terminal_has_drawn_what_is_before_it() {
    let (_server, mut terminal) = start(80);
    terminal.press("☕👨\u{200d}👩\u{200d}👧x\x1b[D");
    terminal.read_until(&row("☕👨\u{200d}👩\u{200d}👧", "x"));
    terminal.press("\x1b[D");
    terminal.read_until(&row("☕", "👨\u{200d}👩\u{200d}👧x"));
}

#[test]
fn keys_that_mean_nothing_type_nothing_and_alt_moves_by_words() {
    let (_server, mut terminal) = start(80);
    terminal.press("one two\t\x1bx\x1bb");
    terminal.read_until(&row("one ", "two"));
    terminal.press("\x1bf!\r");
    terminal.read_until("> one two!\r\n");
}
