//! Programs of this package, started by tests.

#![allow(dead_code)] // No test program uses all of it.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Returns the command of a program. Signals that this process ignores, as under nohup(1), would stay ignored in it.
pub(crate) fn program(name: &str, arguments: &[&str]) -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let mut command = Command::new("env");
    command.arg("--default-signal=HUP,INT,QUIT").arg(path.join("examples").join(name));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

pub(crate) fn start(name: &str, arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut child = program(name, arguments).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

pub(crate) fn line(output: &mut impl BufRead) -> String {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

pub(crate) fn terminate(child: &mut Child) {
    Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(child.wait().unwrap().success());
}

/// Starts a server, and returns its address too.
pub(crate) fn listen(name: &str, arguments: &[&str]) -> (Child, BufReader<ChildStdout>, String) {
    let (child, mut output) = start(name, arguments);
    let address = line(&mut output).strip_prefix("listening on ").unwrap().to_owned();
    (child, output, address)
}

pub(crate) fn connect(address: &str) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client
}
