//! Programs on Unix sockets.

use crate::scene::*;
use std::io::BufRead;
use std::io::BufReader;
use std::process::Command;
use std::process::Stdio;

#[test]
fn unix_echo_answers_other_programs() {
    let folder = folder("unix_echo");
    let path = folder.join("echo.sock").to_str().unwrap().to_owned();
    let (mut server, address) = Program::serve("unix_echo", &["--mode", "600", &path]);
    assert_eq!(address, path);
    let second = run("unix_echo", &[&path]);
    assert_eq!(second.code, Some(1), "{second:?}");
    let taken = format!("cannot listen on {path}: address already in use");
    assert!(second.errors.contains(&taken), "{second:?}");
    let end = run("unix_echo", &["--say", "hello", &path]);
    assert_eq!((end.code, &*end.output), (Some(0), "hello\n"), "{end:?}");
    if let Some(answer) = socat(&format!("echo hello | socat -t 5 - UNIX-CONNECT:{path}")) {
        assert_eq!(answer, b"hello\n");
    }
    server.signal("TERM");
    let end = server.end();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.output.contains("closed by the peer"), "{end:?}");
    let shows_user = end.output.contains(", user ");
    assert_eq!(shows_user, cfg!(feature = "credentials"), "{end:?}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "the file was removed");

    // The file of a killed server does not disturb the next one.
    let (server, _) = Program::serve("unix_echo", &[&path]);
    drop(server);
    let (_server, _) = Program::serve("unix_echo", &[&path]);
    let end = run("unix_echo", &["--say", "again", &path]);
    assert_eq!((end.code, &*end.output), (Some(0), "again\n"), "{end:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A foreign server: Python's `socketserver`.
const PYTHONS_ECHO: &str = "
import socketserver, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
with socketserver.UnixStreamServer(sys.argv[1], Echo) as server:
    print('ready', flush=True)
    server.handle_request()
";

#[test]
fn unix_echo_is_a_client_of_python() {
    let folder = folder("socketserver");
    let path = folder.join("echo.sock").to_str().unwrap().to_owned();
    let mut command = Command::new("python3");
    command.args(["-c", PYTHONS_ECHO, &path]).stdin(Stdio::null()).stdout(Stdio::piped());
    if has_python() {
        let mut server = command.spawn().unwrap();
        let _watched = watch(server.id());
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let end = run("unix_echo", &["--say", "hello", &path]);
        assert_eq!((end.code, &*end.output), (Some(0), "hello\n"), "{end:?}");
        assert!(server.wait().unwrap().success());
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Requests a file that exists, and one that does not.
const PYTHON_READS: &str = "
import os, socket, sys
library = socket.socket(socket.AF_UNIX)
library.connect(sys.argv[1])
for name in b'poem\\n', b'novel\\n':
    library.sendall(name)
    answer, files, flags, _ = socket.recv_fds(library, 100, 4)
    print(answer.decode().strip(), len(files), [os.read(file, 100).decode() for file in files])
";

#[test]
fn fd_passing_passes_files_to_other_programs() {
    let folder = folder("fd_passing");
    std::fs::write(folder.join("poem"), "a line, and another").unwrap();
    let path = folder.join("library.sock").to_str().unwrap().to_owned();
    let shelf = folder.to_str().unwrap().to_owned();
    let (mut server, address) = Program::serve("fd_passing", &["--serve", &shelf, &path]);
    assert_eq!(address, path);
    let end = run("fd_passing", &["--get", "poem", &path]);
    assert_eq!((end.code, &*end.output), (Some(0), "a line, and another"), "{end:?}");
    for (name, message) in [("novel", "No such file"), ("../x", "a file's name"), (".", "name")] {
        let end = run("fd_passing", &["--get", name, &path]);
        assert_eq!(end.code, Some(1), "{end:?}");
        assert!(end.errors.contains(message), "{end:?}");
    }
    if let Some(said) = python(PYTHON_READS, &path) {
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[0], "+poem 1 ['a line, and another']");
        assert!(lines[1].starts_with("-No such file") && lines[1].ends_with("0 []"), "{said}");
    }
    // A client that accepts no descriptors receives the line alone.
    if let Some(answer) = socat(&format!("echo poem | socat -t 0.5 - UNIX-CONNECT:{path}")) {
        assert_eq!(answer, b"+poem\n");
    }
    server.signal("INT");
    assert_eq!(server.end().code, Some(0));
    std::fs::remove_dir_all(&folder).unwrap();
}
