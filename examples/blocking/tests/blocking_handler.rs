//! The program `blocking_handler`.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

fn program(arguments: &[&str]) -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let mut command = Command::new(path.join("examples/blocking_handler"));
    command.args(arguments).stdin(Stdio::null());
    command
}

#[test]
fn demo_serves_five_hundred_clients_at_once() {
    let end = program(&["--demo"]).output().unwrap();
    let output = String::from_utf8_lossy(&end.stdout);
    assert!(end.status.success(), "{output}");
    assert!(output.contains("500 were answered in"), "{output}");
    assert_eq!(String::from_utf8_lossy(&end.stderr), "");
}

#[test]
fn client_is_answered_until_the_server_stops() {
    let mut command = program(&["--listen", "127.0.0.1:0", "--work", "1"]);
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = piped.spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let address = lines.next().unwrap().unwrap();
    let mut client = TcpStream::connect(address.strip_prefix("listening on ").unwrap()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut received = BufReader::new(client.try_clone().unwrap()).lines();
    assert_eq!(received.next().unwrap().unwrap(), "what is your name?");
    client.write_all(b"Ada\n").unwrap();
    assert_eq!(received.next().unwrap().unwrap(), "hello, Ada");
    Command::new("kill").arg(server.id().to_string()).status().unwrap();
    assert!(received.next().is_none(), "the handler reads the end");
    assert!(server.wait().unwrap().success());
}
