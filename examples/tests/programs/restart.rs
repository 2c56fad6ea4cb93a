//! The program `hot_restart`.

use crate::scene::*;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc::Sender;

#[test]
fn hot_restart_under_load_loses_nothing() {
    let end = run("hot_restart", &["--demo"]);
    assert_eq!((end.code, &*end.errors), (Some(0), ""), "{end:?}");
    assert!(end.output.contains(" answers, 0 lost, 0 connections refused\n"), "{end:?}");
    let served = |line: &&str| line.contains(" answers by process ") && !line.contains(" 0 ");
    assert_eq!(end.output.lines().filter(served).count(), 3, "{end:?}");
}

/// A new process in Python. It takes over the listeners and answers one client on each, or ends without having been
/// ready.
const PYTHON_INHERITS: &str = "
import os, socket, sys
old = socket.socket(socket.AF_UNIX)
old.connect(sys.argv[1])
old.sendall(b'take\\n')
said, descriptors, flags, _ = socket.recv_fds(old, 100, 253)
assert said == b'listeners\\n' and len(descriptors) == 2, (said, descriptors)
control, listener = [socket.socket(fileno=it) for it in descriptors]
assert control.getsockname() == sys.argv[1]
print('taken', flush=True)
if sys.stdin.readline() == 'ready\\n':
    old.sendall(b'ready\\n')
    assert old.recv(1) == b'', 'the old process has ended'
    listener.setblocking(True)
    client, _ = listener.accept()
    client.sendall(b'python: ' + client.makefile('rb').readline())
";

/// Starts the Python process. It waits for a line after it has received the listeners.
fn python_inherits(control: &str) -> (Child, Sender<()>) {
    let mut command = Command::new("python3");
    command.args(["-c", PYTHON_INHERITS, control]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = command.spawn().unwrap();
    let watched = watch(python.id());
    let mut line = String::new();
    BufReader::new(python.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "taken\n");
    (python, watched)
}

/// Sends a line and returns the answer.
fn ask(client: &mut TcpStream, question: &str) -> String {
    client.set_read_timeout(Some(LIMIT)).unwrap();
    writeln!(client, "{question}").unwrap();
    let mut answer = String::new();
    BufReader::new(client).read_line(&mut answer).unwrap();
    answer
}

#[test]
fn hot_restart_continues_after_a_failed_handover() {
    let folder = folder("new_fails");
    let path = folder.join("control").to_str().unwrap().to_owned();
    let (mut server, address) = Program::serve("hot_restart", &["--control", &path, "127.0.0.1:0"]);
    let pid = server.child.id();
    if let Some(answer) = socat(&format!("echo hello | socat -t 5 - TCP:{address}")) {
        assert_eq!(String::from_utf8_lossy(&answer), format!("{pid}: hello\n"));
    }
    if has_python() {
        let (mut python, _watched) = python_inherits(&path);
        // Both processes have the listeners. A third one does not receive them.
        let third = run("hot_restart", &["--control", &path]);
        assert_eq!(third.code, Some(1), "{third:?}");
        assert!(third.errors.contains("another process is taking over"), "{third:?}");
        let mut client = TcpStream::connect(&address).unwrap();
        assert_eq!(ask(&mut client, "still there?"), format!("{pid}: still there?\n"));
        drop(python.stdin.take());
        assert!(python.wait().unwrap().success());
        server.read_until("this process continues");
        let mut client = TcpStream::connect(&address).unwrap();
        assert_eq!(ask(&mut client, "and now?"), format!("{pid}: and now?\n"));
    }
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "the file was removed");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn hot_restart_hands_over_to_another_program() {
    if !has_python() {
        return;
    }
    let folder = folder("another_program");
    let path = folder.join("control").to_str().unwrap().to_owned();
    let (mut old, address) = Program::serve("hot_restart", &["--control", &path, "127.0.0.1:0"]);
    let pid = old.child.id();
    let mut early = TcpStream::connect(&address).unwrap();
    assert_eq!(ask(&mut early, "there?"), format!("{pid}: there?\n"));
    let (mut python, _watched) = python_inherits(&path);
    writeln!(python.stdin.take().unwrap(), "ready").unwrap();
    old.read_until("handed over; remaining clients: 1");
    let mut late = TcpStream::connect(&address).unwrap();
    assert_eq!(ask(&mut early, "and now?"), format!("{pid}: and now?\n"));
    drop(early);
    assert_eq!(ask(&mut late, "who?"), "python: who?\n");
    assert!(python.wait().unwrap().success());
    let end = old.end();
    assert_eq!((end.code, &*end.errors), (Some(0), ""), "{end:?}");
    assert_eq!(
        std::fs::read_dir(&folder).unwrap().count(),
        1,
        "the file belongs to the other process"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn hot_restart_closes_remaining_clients_after_its_patience() {
    let folder = folder("patience");
    let path = folder.join("control").to_str().unwrap().to_owned();
    let arguments = ["--control", &path, "--patience", "1", "127.0.0.1:0"];
    let (mut old, address) = Program::serve("hot_restart", &arguments);
    let mut client = TcpStream::connect(&address).unwrap();
    assert_eq!(ask(&mut client, "one"), format!("{}: one\n", old.child.id()));
    let (mut new, same) = Program::serve("hot_restart", &arguments);
    assert_eq!(same, address);
    new.read_until("took over the listeners");
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
    let end = old.end();
    assert_eq!((end.code, &*end.errors), (Some(0), ""), "{end:?}");
    assert!(end.output.contains("closing the remaining clients"), "{end:?}");
    new.read_until("the old process has ended");
    new.signal("TERM");
    assert_eq!(new.end().code, Some(0));
    std::fs::remove_dir_all(&folder).unwrap();
}
