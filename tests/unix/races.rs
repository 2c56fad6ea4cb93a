//! Races of several processes for one socket file.

use crate::support::*;
use crate::unix::*;
use ropewalk::Reactor;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};

/// A process that listens on a path on command, and reports whether it succeeded.
struct Racer(Child, BufReader<std::process::ChildStdout>);

impl Racer {
    fn start(name: &str, path: &Path) -> Self {
        let mut command = child(name, &[]);
        command.env("ROPEWALK_TEST_PATH", path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the racer starts");
        let output = BufReader::new(child.stdout.take().unwrap());
        Self(child, output)
    }

    fn command(&mut self, command: &str) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{command}").unwrap();
    }

    /// Returns its next answer, without the output of the test harness.
    fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.1.read_line(&mut line).unwrap() > 0, "the racer ended");
            if let Some(answer) = line.trim().split("answer ").nth(1) {
                return answer.to_owned();
            }
        }
    }
}

impl Drop for Racer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn stale_file_replacement_needs_an_exclusive_lock() {
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    leave_behind(&path);
    let mut reactor = Reactor::new().unwrap();
    let lock = fs::File::create(folder.path("echo.sock.ropewalk-lock")).unwrap();
    lock.try_lock_shared().unwrap();
    let error = reactor.listen_unix(path.as_path(), || Echo).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    drop(lock);
    once_free(|| reactor.listen_unix(path.as_path(), || Echo));
}

#[test]
fn one_process_wins_a_stale_file() {
    if is_child() {
        return race();
    }
    let folder = Folder::new();
    let path = folder.path("echo.sock");
    let name = this_test!();
    let mut racers: Vec<Racer> = (0..4).map(|_| Racer::start(name, &path)).collect();
    for racer in &mut racers {
        assert_eq!(racer.answer(), "ready");
    }
    for round in 0..50 {
        leave_behind(&path);
        racers.iter_mut().for_each(|racer| racer.command("go"));
        let answers: Vec<String> = racers.iter_mut().map(Racer::answer).collect();
        let won = answers.iter().filter(|answer| *answer == "won").count();
        let lost = answers.iter().filter(|answer| *answer == "AddrInUse").count();
        assert_eq!((won, lost), (1, 3), "round {round}: {answers:?}");
        UnixStream::connect(&path).expect("the winner accepts connections");
        racers.iter_mut().for_each(|racer| racer.command("stop"));
        racers.iter_mut().for_each(|racer| assert_eq!(racer.answer(), "stopped"));
        assert_eq!(folder.contents(), [""; 0], "round {round}");
    }
}

/// Runs the child's part of the race.
fn race() {
    let path = std::env::var_os("ROPEWALK_TEST_PATH").unwrap();
    let mut reactor = Reactor::new().unwrap();
    let mut port = None;
    println!("answer ready");
    for command in std::io::stdin().lines().map_while(Result::ok) {
        if command == "go" {
            match reactor.listen_unix(Path::new(&path), || Echo) {
                Ok(won) => {
                    port = Some(won);
                    println!("answer won");
                }
                Err(error) => println!("answer {:?}", error.kind()),
            }
        } else {
            if let Some(port) = port.take() {
                reactor.context().close(port.id());
                turns(&mut reactor, 1);
            }
            println!("answer stopped");
        }
    }
}
