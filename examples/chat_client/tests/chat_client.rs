//! The program `chat_client` in a terminal: its output and its end.
//!
//! `cargo test` builds the program. To run these tests alone, run `cargo build --examples` first.

#![cfg(unix)]

/// Runs the unit tests in the line editor.
#[path = "../editor/mod.rs"]
mod editor;

use nix::pty::{OpenptyResult, openpty};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// The time limit for output, after which a test fails.
const LIMIT: Duration = Duration::from_secs(30);

/// The sequence that clears the row.
const CLEAR: &str = "\r\x1b[J";

/// A server that sends the lines of the test.
struct Server {
    client: TcpStream,
}

/// A client in a terminal that the test emulates.
struct Terminal {
    pty: Arc<File>,
    child: Child,
    output: Receiver<Vec<u8>>,
    /// The output that was received and not read yet.
    unread: String,
}

/// Starts both, and waits until the client has drawn its row.
fn start(columns: u16) -> (Server, Terminal) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let OpenptyResult { master, slave } = openpty(None, None).unwrap();
    tcsetwinsize(&master, size(columns)).unwrap();
    for end in [&master, &slave] {
        // The clients of other tests must not inherit them.
        fcntl_setfd(end, FdFlags::CLOEXEC).unwrap();
    }
    let end = || slave.try_clone().unwrap();
    // setsid(1) makes it the controlling terminal, and then becomes the client.
    let mut client = Command::new("setsid");
    client.arg("--ctty").arg(program()).arg(listener.local_addr().unwrap().to_string());
    client.env_remove("RUST_LOG").stdin(end()).stdout(end()).stderr(end());
    let child = client.spawn().expect("setsid(1)");
    let pty = Arc::new(File::from(master));
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

/// Returns the size of a window.
fn size(columns: u16) -> Winsize {
    Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

/// Returns the path of the program: Cargo puts examples beside tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples/chat_client")
}

/// Returns the sequence that draws the row.
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
        tcsetwinsize(&*self.pty, size(columns)).unwrap();
    }

    /// Reads output up to the end of `text`.
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

    /// Returns true if the terminal passes each key on and echoes none.
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
fn killed_server_is_an_error_and_keeps_the_draft() {
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
fn server_killed_while_reading_a_file_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = Command::new(program());
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
    if !drawn.contains("<bob> hello\r\n") {
        terminal.read_until("<bob> hello\r\n");
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
    terminal.read_until("<bob> hello\r\n");
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
fn second_signal_ends_a_client_with_stopped_terminal() {
    let (mut server, mut terminal) = start(80);
    terminal.press("\x13"); // Ctrl-S
    server.client.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    // Until the client, which cannot print, reads no more.
    while server.client.write(&b"* and on it goes\n".repeat(1000)).is_ok() {}
    let begin = Instant::now();
    while terminal.child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < LIMIT);
        // Two signals can be merged (signal(7)).
        terminal.signal(Signal::TERM);
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(terminal.exit_code(), Some(128 + 15));
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
    terminal.press("one two\t\x1bx\x1bb");
    terminal.read_until(&row("one ", "two"));
    terminal.press("\x1bf!\r");
    terminal.read_until("> one two!\r\n");
}
