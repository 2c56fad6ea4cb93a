//! Support for the tests: running programs and their results.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpStream;
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

/// The time limit for a program, after which it is killed and its test fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The servers, with arguments for a port that the system chooses.
pub(crate) const SERVERS: &[(&str, &[&str])] = &[
    ("chat", &["--listen", "127.0.0.1:0"]),
    ("chat", &["--listen", "127.0.0.1:0", "--reactors", "3"]),
    ("clock", &["--listen", "127.0.0.1:0"]),
    ("echo", &["127.0.0.1:0"]),
    ("echo", &["127.0.0.1:0", "--reactors", "3"]),
    ("proxy", &["--listen", "127.0.0.1:0", "--to", "127.0.0.1:1"]),
    #[cfg(feature = "inotify")]
    ("tail", &["Cargo.toml", "127.0.0.1:0"]),
    ("worker", &["--listen", "127.0.0.1:0"]),
];

/// A running program.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) output: Option<BufReader<ChildStdout>>,
    pub(crate) errors: Option<JoinHandle<String>>,
    /// Dropping this ends the watchdog.
    _watched: Sender<()>,
}

/// The result of a program.
#[derive(Debug)]
pub(crate) struct End {
    /// The exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// The output that the test has not read.
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
        // Background jobs of a shell ignore SIGINT, and children inherit that.
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

    /// Starts a server. Its first line contains its address.
    pub(crate) fn serve(name: &str, arguments: &[&str]) -> (Self, String) {
        let mut server = Self::start(name, arguments);
        let first = server.read_line();
        let address = first.strip_prefix("listening on ").map(str::to_owned);
        (server, address.unwrap_or_else(|| panic!("{name} printed {first:?} first")))
    }

    pub(crate) fn end_input(&mut self) {
        self.child.stdin = None;
    }

    /// Reads the next line; empty at the end.
    pub(crate) fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.output.as_mut().unwrap().read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Reads up to a line that contains `text`.
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

    /// Closes the input, and waits for the end.
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

/// A client of a server, in lines.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        writeln!(self.0.get_mut(), "{line}").unwrap();
    }

    /// Reads up to a line that contains `text`.
    #[track_caller]
    pub(crate) fn read_until(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "no {text:?}");
        }
    }

    /// Ends its side, and returns what it receives until the end of the other side.
    pub(crate) fn end(mut self) -> String {
        self.0.get_mut().shutdown(Shutdown::Write).unwrap();
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        rest
    }
}

/// Returns the path of a program: Cargo puts examples beside tests.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is missing: cargo build --examples", path.display());
    path
}

/// Starts a watchdog that kills the process after the time limit.
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

/// Makes a folder for a test.
pub(crate) fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("ropewalk-{name}-{}", std::process::id()));
    std::fs::create_dir(&path).unwrap();
    path
}

/// Runs a shell script that uses socat(1), and returns its output. Without socat(1) it prints a message and returns
/// `None`.
pub(crate) fn socat(script: &str) -> Option<Vec<u8>> {
    match Command::new("sh").args(["-c", script]).stderr(Stdio::null()).output() {
        Ok(output) if output.status.success() => Some(output.stdout),
        _ => {
            println!("skipped: there is no socat(1) here");
            None
        }
    }
}

/// Returns true if there is a Python that can pass descriptors (3.9). Otherwise it prints a message.
pub(crate) fn has_python() -> bool {
    let script = "import socket; socket.recv_fds";
    let mut command = Command::new("python3");
    let status = command.args(["-c", script]).stderr(Stdio::null()).status();
    let there = status.is_ok_and(|status| status.success());
    if !there {
        println!("skipped: python3 is missing or older than 3.9");
    }
    there
}

/// Runs a Python script and returns its output; `None` without Python.
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
