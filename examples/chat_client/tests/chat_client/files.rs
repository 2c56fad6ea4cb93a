//! Files and pipes in place of a terminal, and the command line.

use crate::scene::{chat, program};
use std::fs::File;
use std::io::{BufRead, BufReader, Write, pipe};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

fn client(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).env_remove("RUST_LOG").stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str], input: impl Into<Stdio>) -> Output {
    client(arguments).stdin(input).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

/// A client with pipes.
struct Piped {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Piped {
    fn start(arguments: &[&str]) -> Self {
        let mut command = client(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    fn type_text(&mut self, text: &str) {
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[track_caller]
    fn read_until(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "no {text:?}");
        }
    }

    /// Closes the input, and returns the exit code.
    fn end(&mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        self.child.wait().unwrap().code()
    }
}

#[test]
fn two_clients_chat() {
    let address = chat();
    let mut alice = Piped::start(&[&address]);
    alice.read_until("name");
    alice.type_text("alice\n");
    alice.read_until("alone");
    let mut bob = Piped::start(&[&address, "--name", "bob"]);
    alice.read_until("bob joined");
    alice.type_text("good evening, zoë 你好\n");
    bob.read_until("<alice> good evening, zoë 你好");
    bob.type_text("/me bows\n");
    alice.read_until("* bob bows");
    // The last line has no newline, and is sent too.
    bob.type_text("and leaves");
    assert_eq!(bob.end(), Some(0));
    alice.read_until("<bob> and leaves");
    alice.read_until("* bob left");
    assert_eq!(alice.end(), Some(0));
}

#[test]
fn files_and_empty_input_are_sent() {
    let address = chat();
    let end = run(&[&address], Stdio::null());
    assert!(end.status.success() && text(&end.stdout).contains("name"), "{end:?}");
    let closed = "exec \"$0\" \"$@\" <&-";
    let end = Command::new("sh").args(["-c", closed, program(), &address]).output().unwrap();
    assert!(end.status.success() && text(&end.stdout).contains("name"), "{end:?}");

    let mut listener = Piped::start(&[&address, "--name", "listener"]);
    listener.read_until("alone");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let end = run(&[&address, "--name", "reader"], File::open(manifest).unwrap());
    assert!(end.status.success(), "{end:?}");
    let last = std::fs::read_to_string(manifest).unwrap().lines().last().unwrap().to_owned();
    listener.read_until(&format!("<reader> {last}"));
}

#[test]
fn client_ends_when_its_output_fails() {
    let address = chat();
    // The input stays open, so that the output ends the program.
    let end = |output: Stdio| {
        let (input, keyboard) = pipe().unwrap();
        let arguments = [&*address, "--name", "anna"];
        let end = client(&arguments).stdin(input).stdout(output).spawn().unwrap();
        let end = end.wait_with_output().unwrap();
        drop(keyboard);
        (end.status.code(), text(&end.stderr).to_owned())
    };
    let (reader, unread) = pipe().unwrap();
    drop(reader);
    assert_eq!(end(unread.into()), (Some(0), String::new()));
    if cfg!(target_os = "linux") {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (code, errors) = end(full.into());
        assert!(code == Some(1) && errors.contains("No space left"), "{errors}");
    }
}

#[test]
fn refused_connection_and_faulty_options_are_reported() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let end = run(&[&closed], Stdio::null());
    assert_eq!(end.status.code(), Some(1));
    let message = format!("error: cannot connect to {closed}: connection refused");
    assert!(text(&end.stderr).contains(&message), "{end:?}");
    let end = run(&["--colour"], Stdio::null());
    assert_eq!(end.status.code(), Some(2));
    assert!(text(&end.stderr).contains("--colour"), "{end:?}");
    let end = run(&["--help"], Stdio::null());
    assert!(end.status.success() && text(&end.stdout).contains("Options:"), "{end:?}");
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
