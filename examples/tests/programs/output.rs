//! Programs with an output that is closed, full or not read.

use crate::arguments::PROGRAMS;
use crate::scene::*;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

/// Each program, with arguments that make it print.
const PRINTING: &[(&str, &[&str])] = &[
    ("chat", &["--demo"]),
    ("clock", &["--demo"]),
    ("echo", &["127.0.0.1:0"]),
    ("echo", &["127.0.0.1:0", "--reactors", "2"]),
    ("echo_client", &["--demo"]),
    ("fd_passing", &["--demo"]),
    ("finding_bugs", &["--seeds", "1"]),
    ("hot_restart", &["--demo"]),
    ("idle_memory", &["10"]),
    ("ping", &["--demo"]),
    ("planning", &["--minutes", "1", "--nodes", "2", "--clients", "10", "--svg", "/dev/null"]),
    ("proxy", &["--demo"]),
    ("send_file", &["--demo"]),
    ("simulation", &["--seconds", "2", "--trace"]),
    #[cfg(feature = "inotify")]
    ("tail", &["--demo"]),
    ("udp_echo", &["--demo"]),
    ("unix_echo", &["--demo"]),
    ("worker", &["--demo"]),
];

/// Returns these, and each program with `--help`.
fn printing() -> Vec<(&'static str, &'static [&'static str])> {
    let help = PROGRAMS.iter().map(|&name| (name, &["--help"][..]));
    PRINTING.iter().copied().chain(help).collect()
}

/// A pipe without a reader.
fn closed() -> Stdio {
    std::io::pipe().unwrap().1.into()
}

/// A full disk (full(4)).
#[cfg(target_os = "linux")]
fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

fn end_with(output: fn() -> Stdio, name: &str, arguments: &[&str]) -> End {
    let end = Program::start_with(name, arguments, Stdio::null(), output()).end();
    assert!(!end.errors.contains("panicked"), "{name}: {end:?}");
    end
}

fn is_refused(end: &End) -> bool {
    end.errors.contains("CAP_NET_RAW") // `ping`, where the system allows no ICMP sockets.
}

#[test]
fn programs_end_quietly_when_stdout_is_closed() {
    for (name, arguments) in printing() {
        let end = end_with(closed, name, arguments);
        let quiet = end.code == Some(0) && !end.errors.contains("rror");
        assert!(quiet || is_refused(&end), "{name} {arguments:?}: {end:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn programs_fail_when_the_disk_is_full() {
    for (name, arguments) in printing() {
        let end = end_with(full, name, arguments);
        let failed = end.code == Some(1)
            && end.errors.contains("error: cannot write to the output: No space left on device");
        assert!(failed || is_refused(&end), "{name} {arguments:?}: {end:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn clients_end_when_stdout_fails() {
    let folder = folder("stdout");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (echo, library, shelf) = (path("echo.sock"), path("library.sock"), path(""));
    std::fs::write(path("poem"), "a line").unwrap();
    let (_echo, _) = Program::serve("unix_echo", &[&echo]);
    let (_librarian, _) = Program::serve("fd_passing", &["--serve", &shelf, &library]);
    let clients: [(&str, &[&str]); 2] =
        [("unix_echo", &["--say", "hello", &echo]), ("fd_passing", &["--get", "poem", &library])];
    for (name, arguments) in clients {
        // The input stays open, so that the output ends the program.
        let end = |output: Stdio| {
            let mut program = Program::start_with(name, arguments, Stdio::piped(), output);
            let input = program.child.stdin.take(); // Waiting for a child closes its input.
            let End { code, errors, .. } = program.end();
            drop(input);
            (code, errors)
        };
        assert_eq!(end(closed()), (Some(0), String::new()), "{name}");
        let (code, errors) = end(full());
        assert!(code == Some(1) && errors.contains("No space left"), "{name}: {errors}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Starts an echo server that logs every call, and does not read its stderr.
fn unread() -> (Child, Sender<()>, TcpStream) {
    let mut command = Command::new(program("echo"));
    command.arg("127.0.0.1:0").env("RUST_LOG", "trace").stdin(Stdio::null());
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let watched = watch(server.id());
    let mut line = String::new();
    let stdout = server.stdout.as_mut().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("listening on ").unwrap();
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    (server, watched, client)
}

fn echo(client: &mut TcpStream, count: usize) {
    for _ in 0..count {
        client.write_all(b"hello").unwrap();
        client.read_exact(&mut [0; 5]).unwrap();
    }
}

#[test]
fn unread_log_blocks_no_connection_and_no_signal() {
    let (mut server, _watched, mut client) = unread();
    echo(&mut client, 3000); // Each causes some lines, and a pipe holds 64 KiB.
    signal(server.id(), "TERM");
    drop(client);
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[test]
fn dropped_log_lines_are_counted() {
    let (mut server, _watched, mut client) = unread();
    echo(&mut client, 6000);
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(log.any(|line| line.ends_with(" lines were dropped here)")));
    // The log is read again.
    signal(server.id(), "TERM");
    drop(client);
    assert!(log.any(|line| line.contains("no longer listening")));
    assert!(log.all(|line| !line.contains("dropped")));
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

/// The child process of the test below.
fn block_the_reactor() {
    let mut reactor = support::reactor().unwrap();
    reactor.context().call_later(Duration::ZERO, |_| {
        println!("blocked");
        loop {
            thread::park();
        }
    });
    reactor.run().unwrap();
}

#[test]
fn second_signal_ends_a_program_with_blocked_reactor() {
    const BLOCKED: &str = "ROPEWALK_TEST_BLOCKED";
    if std::env::var_os(BLOCKED).is_some() {
        return block_the_reactor();
    }
    let this = "output::second_signal_ends_a_program_with_blocked_reactor";
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([this, "--exact", "--nocapture"]).env(BLOCKED, "1").stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _watched = watch(child.id());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("blocked")));
    signal(child.id(), "TERM");
    // Two signals can be merged (signal(7)): the second is sent after the first was handled.
    thread::sleep(Duration::from_millis(100));
    signal(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}
