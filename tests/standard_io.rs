//! Standard input and output of a child process, as connections.
#![cfg(unix)]

mod support;

use ropewalk::{Address, Pipes, Protocol, Reactor, Reason, Transport};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use socket2::SockRef;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use support::{Terminal, child, is_child, terminals_work, this_test};

/// Written first: libtest has printed before it.
const BEGIN: &str = "BEGIN\n";

/// Echoes; a line `end` ends the output, and a line `panic` panics.
struct Echo;

impl Protocol for Echo {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        assert_eq!(transport.peer(), Address::StandardIo);
        transport.write(BEGIN.as_bytes());
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        match data {
            b"end\n" => transport.write_eof(),
            b"panic\n" => panic!("as requested"),
            data => transport.write(data),
        }
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        transport.pause();
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        transport.resume();
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        eprintln!("lost: {reason}");
        transport.context().stop();
    }
}

fn serve() {
    let mut reactor = Reactor::new().unwrap();
    Pipes::standard().adopt(reactor.context(), Echo).unwrap();
    reactor.run().unwrap();
}

/// Answers each line with its length, and the end with the unfinished line.
struct Measure;

impl LineHandler for Measure {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        lines.write(BEGIN.as_bytes());
    }

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        lines.send_line(line.len().to_string());
    }

    fn eof_received(&mut self, lines: &mut LineTransport<'_>, unfinished: &str) {
        lines.send_line(format!("end {unfinished:?}"));
        lines.close();
    }

    fn connection_lost(&mut self, lines: &mut LineTransport<'_>, _reason: Reason) {
        lines.context().stop();
    }
}

fn measure() {
    let mut reactor = Reactor::new().unwrap();
    Pipes::standard().adopt(reactor.context(), LineReceiver::new(Measure)).unwrap();
    reactor.run().unwrap();
}

/// Returns what a child has written behind its first line.
fn answers(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    text.split_once(BEGIN).expect("the first line").1.to_owned()
}

fn read_all(mut stdout: ChildStdout) -> String {
    let mut output = Vec::new();
    stdout.read_to_end(&mut output).unwrap();
    answers(&output)
}

/// Starts a child that runs the test `name` with pipes.
fn start(name: &str) -> Child {
    let mut command = child(name, &[]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn run(command: &mut Command) -> String {
    let output = command.stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    answers(&output.stdout)
}

#[test]
fn pipes_are_echoed_until_the_end() {
    if is_child() {
        return serve();
    }
    let mut child = start(this_test!());
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let writing = std::thread::spawn(move || stdin.write_all(&[b'x'; 3_000_000]));
    assert_eq!(read_all(stdout).len(), 3_000_000);
    writing.join().unwrap().unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn files_are_echoed_until_the_end() {
    if is_child() {
        return serve();
    }
    let path = std::env::temp_dir().join(format!("ropewalk-standard-io-{}", std::process::id()));
    fs::write(&path, "a line\n".repeat(100_000)).unwrap();
    let input = File::open(&path).unwrap();
    let output = run(child(this_test!(), &[]).stdin(input));
    assert!(output == "a line\n".repeat(100_000));

    let shell = ["sh", "-c", "exec \"$0\" \"$@\" >\"$OUTPUT\""];
    let mut command = child(this_test!(), &shell);
    let output = command.stdin(Stdio::null()).env("OUTPUT", &path).output().unwrap();
    assert!(output.status.success());
    assert_eq!(answers(&fs::read(&path).unwrap()), "");
    fs::remove_file(path).unwrap();
}

#[test]
fn null_or_closed_input_is_at_its_end() {
    if is_child() {
        return serve();
    }
    assert_eq!(run(child(this_test!(), &[]).stdin(Stdio::null())), "");
    let closed = ["sh", "-c", "exec \"$0\" \"$@\" <&-"];
    assert_eq!(run(&mut child(this_test!(), &closed)), "");
}

#[test]
fn inherited_socket_is_echoed_until_the_end() {
    if is_child() {
        return serve();
    }
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut command = child(this_test!(), &[]);
    command.stdin(OwnedFd::from(ours.try_clone().unwrap())).stdout(OwnedFd::from(ours));
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    drop(command);
    theirs.write_all(b"hello\n").unwrap();
    theirs.shutdown(std::net::Shutdown::Write).unwrap();
    let mut output = Vec::new();
    theirs.read_to_end(&mut output).unwrap();
    assert_eq!(answers(&output), "hello\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn reader_sees_the_end_while_the_process_lives() {
    if is_child() {
        return serve();
    }
    let mut child = start(this_test!());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"end\n").unwrap();
    assert_eq!(read_all(child.stdout.take().unwrap()), "");
    assert!(child.try_wait().unwrap().is_none(), "its input is still open");
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn departed_reader_ends_the_connection() {
    if is_child() {
        return serve();
    }
    let mut child = start(this_test!());
    let mut stdout = child.stdout.take().unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(BEGIN.as_bytes()) {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        seen.extend_from_slice(&byte);
    }
    drop(stdout);
    assert!(child.wait().unwrap().success(), "it ends although its input is open");
}

#[test]
fn terminal_stays_blocking_even_after_a_panic() {
    if is_child() {
        return serve();
    }
    if !terminals_work() {
        return;
    }
    for last in [&b"\x04"[..], b"panic\n"] {
        let mut terminal = Terminal::new();
        let (stays, copy) = (terminal.open(), || Stdio::from(terminal.open()));
        let mut command = child(this_test!(), &[]);
        let mut child = command.stdin(copy()).stdout(copy()).stderr(Stdio::null()).spawn().unwrap();
        terminal.keyboard.write_all(b"one\ntwo\n").unwrap();
        terminal.keyboard.write_all(last).unwrap();
        assert!(child.wait().unwrap().success());
        assert!(!SockRef::from(&stays).nonblocking().unwrap());
        let mut screen = Vec::new();
        while !screen.ends_with(b"BEGIN\r\none\r\ntwo\r\n") {
            let mut byte = [0];
            terminal.screen.read_exact(&mut byte).unwrap();
            screen.extend(byte);
        }
    }
}

#[test]
fn lines_are_received_from_each_kind_of_input() {
    if is_child() {
        return measure();
    }
    let name = this_test!();
    let measure = |input: Stdio| run(child(name, &[]).stdin(input));
    let (input, mut output) = std::io::pipe().unwrap();
    output.write_all("one\r\nzwölf\n\nrest".as_bytes()).unwrap();
    drop(output);
    assert_eq!(measure(input.into()), "3\n6\n0\nend \"rest\"\n");

    let path = std::env::temp_dir().join(format!("ropewalk-lines-{}", std::process::id()));
    fs::write(&path, "a line\n".repeat(50_000)).unwrap();
    let file = File::open(&path).unwrap();
    assert!(measure(file.into()) == "6\n".repeat(50_000) + "end \"\"\n");
    fs::remove_file(path).unwrap();

    assert_eq!(measure(Stdio::null()), "end \"\"\n");
    let closed = ["sh", "-c", "exec \"$0\" \"$@\" <&-"];
    assert_eq!(run(&mut child(name, &closed)), "end \"\"\n");

    if terminals_work() {
        let mut terminal = Terminal::new();
        let (input, _stays) = (terminal.open(), terminal.open());
        // Ctrl-D is the end at the beginning of a line, and delivers an unfinished line elsewhere.
        terminal.keyboard.write_all(b"one\ntwoo\nrest\x04\x04").unwrap();
        assert_eq!(measure(input.into()), "3\n4\nend \"rest\"\n");
    }
}
