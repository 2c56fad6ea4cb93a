//! The program `netcat`, with files and pipes.
#![cfg(unix)]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;

/// More than all buffers on the way together.
const LENGTH: u64 = 200_000_000;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netcat"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts a listening netcat. Returns its address as well.
fn listening() -> (Child, String) {
    let mut child = program(&["--listen", "127.0.0.1:0"]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    (child, address)
}

/// Bytes of which each block has its number, so that a lost, repeated or displaced part is noticed.
struct Blocks {
    block: Vec<u8>,
    number: u64,
    left: u64,
}

impl Blocks {
    fn new(length: u64) -> Self {
        // Periods that are prime: a displaced part differs.
        let block = (0..1 << 18).map(|index: u32| (index % 65_521 % 251) as u8).collect();
        Self { block, number: 0, left: length }
    }

    /// Returns the next block.
    fn next(&mut self) -> Option<&[u8]> {
        let length = self.left.min(self.block.len() as u64);
        self.left -= length;
        self.block[..8].copy_from_slice(&self.number.to_be_bytes());
        self.number += 1;
        (length > 0).then_some(&self.block[..length as usize])
    }
}

/// Writes this many bytes, and ends the output.
fn feed(mut output: impl Write, length: u64) {
    let mut blocks = Blocks::new(length);
    while let Some(block) = blocks.next() {
        output.write_all(block).unwrap();
    }
}

/// Reads this many bytes and the end of the input, and compares them with those of [`feed`].
fn check(mut input: impl Read, length: u64) {
    let (mut blocks, mut buffer) = (Blocks::new(length), vec![0; 1 << 18]);
    while let Some(block) = blocks.next() {
        input.read_exact(&mut buffer[..block.len()]).unwrap();
        assert!(buffer[..block.len()] == *block, "block {}", blocks.number - 1);
    }
    assert_eq!(input.read(&mut buffer).unwrap(), 0, "the end");
}

#[test]
fn large_transfer_arrives_whole_in_both_directions() {
    let (mut server, address) = listening();
    let mut client = program(&[&address]).spawn().unwrap();
    let mut threads = Vec::new();
    for child in [&mut server, &mut client] {
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        thread::spawn(move || feed(stdin, LENGTH));
        threads.push(thread::spawn(move || check(stdout, LENGTH)));
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(server.wait().unwrap().success() && client.wait().unwrap().success());
}

/// The end of the input ends one direction: the answer to it follows in the other.
#[test]
fn gigabyte_arrives_whole_before_its_answer() {
    const GIGABYTE: u64 = 1_000_000_000;
    let (mut server, address) = listening();
    let mut client = program(&[&address]).spawn().unwrap();
    let (stdin, mut stdout) = (client.stdin.take().unwrap(), client.stdout.take().unwrap());
    let feeding = thread::spawn(move || feed(stdin, GIGABYTE));
    check(server.stdout.take().unwrap(), GIGABYTE);
    feeding.join().unwrap();
    server.stdin.take().unwrap().write_all(b"all arrived").unwrap();
    let mut answer = String::new();
    stdout.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "all arrived");
    assert!(server.wait().unwrap().success() && client.wait().unwrap().success());
}

#[test]
fn answer_after_the_end_of_input_arrives() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut client = program(&[&address]).spawn().unwrap();
    client.stdin.take().unwrap().write_all(b"question").unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut question = String::new();
    server.read_to_string(&mut question).unwrap();
    assert_eq!(question, "question");
    server.write_all(b"answer").unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    let end = client.wait_with_output().unwrap();
    assert_eq!((end.status.code(), &*end.stdout), (Some(0), &b"answer"[..]));
}

#[test]
fn end_of_connection_ends_the_output_first() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut client = program(&[&address]).spawn().unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    let mut output = Vec::new();
    client.stdout.take().unwrap().read_to_end(&mut output).unwrap();
    client.stdin.take().unwrap().write_all(b"still sent").unwrap();
    let mut sent = String::new();
    server.read_to_string(&mut sent).unwrap();
    assert_eq!(sent, "still sent");
    assert!(client.wait().unwrap().success());
}

#[test]
fn refused_connection_is_an_error() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let end = program(&[&closed]).output().unwrap();
    let errors = String::from_utf8_lossy(&end.stderr);
    assert_eq!(end.status.code(), Some(1), "{errors}");
    assert!(errors.starts_with(&format!("error: cannot connect to {closed}")), "{errors}");
}

#[test]
fn departed_reader_ends_the_program() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut client = program(&[&address]).spawn().unwrap();
    drop(client.stdout.take());
    let (_server, _) = listener.accept().unwrap();
    assert!(client.wait().unwrap().success());
}

#[test]
fn demo_shows_a_line_and_both_ends() {
    let end = program(&["--demo"]).output().unwrap();
    let output = String::from_utf8_lossy(&end.stdout);
    assert_eq!(output, "input: hello, and its end\noutput: hello, and its end\n");
}

#[test]
fn file_is_sent_and_lost_connection_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let mut command = program(&[&address]);
    let client = command.stdin(File::open(manifest).unwrap()).spawn().unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut sent = String::new();
    server.read_to_string(&mut sent).unwrap();
    assert_eq!(sent, std::fs::read_to_string(manifest).unwrap());
    drop(server);
    assert!(client.wait_with_output().unwrap().status.success());

    let mut client = program(&[&address]).spawn().unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.stdin.as_mut().unwrap().write_all(b"unread").unwrap();
    assert_eq!(server.peek(&mut [0]).unwrap(), 1);
    server.write_all(b"last words\n").unwrap();
    let mut words = [0; 11];
    client.stdout.as_mut().unwrap().read_exact(&mut words).unwrap();
    drop(server); // Unread data causes a reset.
    let end = client.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&end.stderr);
    assert_eq!(end.status.code(), Some(1));
    assert!(errors.contains(&format!("{address} ended: reset")), "{errors}");
}

#[test]
fn arguments_are_checked() {
    for (arguments, code, message) in
        [(&[][..], 2, "HOST:PORT"), (&["nonsense"], 1, "HOST:PORT"), (&["--colour"], 2, "--colour")]
    {
        let end = program(arguments).output().unwrap();
        assert_eq!(end.status.code(), Some(code), "{arguments:?}");
        assert!(String::from_utf8_lossy(&end.stderr).contains(message), "{end:?}");
    }
    let end = program(&["--help"]).output().unwrap();
    assert!(String::from_utf8_lossy(&end.stdout).contains("Options:"));
}
