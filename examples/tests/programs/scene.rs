//! What the tests share: a program that runs, and what came of it.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::Sender;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a program may take before it is killed, and its test fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// How each server is run on a port that the system chooses.
pub(crate) const SERVERS: [(&str, &[&str]); 8] = [
    ("chat", &["--listen", "127.0.0.1:0"]),
    ("chat", &["--listen", "127.0.0.1:0", "--reactors", "3"]),
    ("clock", &["--listen", "127.0.0.1:0"]),
    ("echo", &["127.0.0.1:0"]),
    ("echo", &["127.0.0.1:0", "--reactors", "3"]),
    ("proxy", &["--listen", "127.0.0.1:0", "--to", "127.0.0.1:1"]),
    ("tail", &["Cargo.toml", "127.0.0.1:0"]),
    ("worker", &["--listen", "127.0.0.1:0"]),
];

/// A program that runs.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) output: Option<BufReader<ChildStdout>>,
    pub(crate) errors: Option<JoinHandle<String>>,
    /// While this is there, so is the watchdog.
    _watched: Sender<()>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct End {
    /// `None` if it was killed.
    pub(crate) code: Option<i32>,
    /// What it printed that nobody had read.
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Program {
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        Self::start_with_input(name, arguments, Stdio::piped())
    }

    pub(crate) fn start_with_input(name: &str, arguments: &[&str], input: Stdio) -> Self {
        Self::start_with(name, arguments, input, Stdio::piped())
    }

    pub(crate) fn start_with(name: &str, arguments: &[&str], input: Stdio, output: Stdio) -> Self {
        // A shell starts what runs in the background with SIGINT ignored, and children inherit it.
        let mut child = Command::new("env")
            .arg("--default-signal=INT")
            .arg(program(name))
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdin(input)
            .stdout(output)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.stdout.take().map(BufReader::new);
        let mut stderr = child.stderr.take().unwrap();
        let errors = thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        let watched = watch(child.id());
        Self { child, output, errors: Some(errors), _watched: watched }
    }

    /// Starts a server; the first line that it prints says where it listens.
    pub(crate) fn serve(name: &str, arguments: &[&str]) -> (Self, String) {
        let mut server = Self::start(name, arguments);
        let first = server.read_line();
        let address = first.strip_prefix("listening on ").map(str::to_owned);
        (server, address.unwrap_or_else(|| panic!("{name} printed {first:?} first")))
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    pub(crate) fn end_input(&mut self) {
        self.child.stdin = None;
    }

    /// The next line that it prints; empty if there is none.
    pub(crate) fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.output.as_mut().unwrap().read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Reads until a line contains `text`.
    pub(crate) fn read_until(&mut self, text: &str) {
        let mut before = Vec::new();
        loop {
            let line = self.read_line();
            if line.contains(text) {
                return;
            }
            assert!(!line.is_empty(), "no {text:?} in {before:#?}, {:?}", self.end());
            before.push(line);
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Ends its input, and waits until it ends.
    pub(crate) fn end(&mut self) -> End {
        self.end_input();
        let mut output = String::new();
        if let Some(mut rest) = self.output.take() {
            rest.read_to_string(&mut output).unwrap();
        }
        let code = self.child.wait().unwrap().code();
        let errors = self.errors.take().unwrap().join().unwrap();
        End { code, output, errors }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Cargo puts the examples beside the tests.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is missing: cargo build --examples", path.display());
    path
}

/// Kills the process if it takes too long.
pub(crate) fn watch(process: u32) -> Sender<()> {
    let (watched, watch) = mpsc::channel();
    thread::spawn(move || {
        if watch.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            signal(process, "KILL");
        }
    });
    watched
}

pub(crate) fn signal(process: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &process.to_string()]).status();
    assert!(status.unwrap().success());
}

pub(crate) fn run(name: &str, arguments: &[&str]) -> End {
    Program::start(name, arguments).end()
}

/// A folder of its own for a test's sockets.
pub(crate) fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("ropewalk-{name}-{}", std::process::id()));
    std::fs::create_dir(&path).unwrap();
    path
}

/// Whether there is a Python that can pass descriptors (3.9); if not, it is said.
pub(crate) fn has_python() -> bool {
    let script = "import socket; socket.recv_fds";
    let mut command = Command::new("python3");
    let status = command.args(["-c", script]).stderr(Stdio::null()).status();
    let there = status.is_ok_and(|status| status.success());
    if !there {
        println!("skipped: there is no python3 here, or it is old");
    }
    there
}

/// What a Python script prints, or nothing where there is no Python.
pub(crate) fn python(script: &str, argument: &str) -> Option<String> {
    if !has_python() {
        return None;
    }
    let mut command = Command::new("python3");
    let output = command.args(["-c", script, argument]).stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
