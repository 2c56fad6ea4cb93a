//! The program `shell`, used by clients on TCP.
#![cfg(target_os = "linux")]

mod programs;

use programs::{connect, line, listen, program, terminate};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

/// A file for which a script waits.
struct Signal(PathBuf);

impl Signal {
    fn new(name: &str) -> Self {
        let name = format!("ropewalk-shell-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// Returns a command that waits for the file.
    fn wait(&self) -> String {
        format!("while ! test -e {}; do sleep 0.01; done", self.0.display())
    }

    fn give(&self) {
        File::create(&self.0).unwrap();
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn send(client: &BufReader<TcpStream>, text: &str) {
    client.get_ref().write_all(text.as_bytes()).unwrap();
}

/// Reads lines until one of them ends with `last`, and returns them. A prompt may stand before it.
fn lines_until(client: &mut impl BufRead, last: &str) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| !line.ends_with(last)) {
        let next = line(client);
        assert!(!next.is_empty() || lines.len() < 100, "no {last} in {lines:?}");
        lines.push(next);
    }
    lines
}

#[test]
fn output_reaches_all_clients() {
    let signal = Signal::new("all");
    let script = format!("echo first; {}; echo last >&2; exit 3", signal.wait());
    let (mut shell, mut output, address) = listen("shell", &["127.0.0.1:0", "sh", "-c", &script]);
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = BufReader::new(connect(&address));
        assert_eq!(line(&mut client), "first", "a later client has it too");
        clients.push(client);
    }
    send(&clients[0], "ignored\n");
    clients[1].get_ref().shutdown(Shutdown::Write).unwrap();
    signal.give();
    for client in &mut clients {
        let mut rest = String::new();
        client.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "last\n");
    }
    assert_eq!(line(&mut output), "the program exited with code 3");
    assert!(shell.wait().unwrap().success());
}

#[test]
fn terminal_is_shared_by_its_clients() {
    let options = ["--pty", "--rows", "40", "--columns", "120", "127.0.0.1:0", "sh"];
    let (mut shell, mut output, address) = listen("shell", &options);
    let mut clients = [(); 2].map(|()| BufReader::new(connect(&address)));
    // Quotes, so that the echo of the command is not taken for its output.
    send(&clients[0], "test -t 0 && stty si''ze; echo rea''dy\n");
    for client in &mut clients {
        let lines = lines_until(client, "ready");
        assert!(lines.iter().any(|line| line.ends_with("40 120")), "{lines:?}");
    }
    // The second shell is in the foreground when it says so.
    send(&clients[1], "sh -c 'echo sl\"\"eeps; exec sleep 1000'\n");
    clients.iter_mut().for_each(|client| drop(lines_until(client, "sleeps")));
    send(&clients[0], "\x03");
    send(&clients[0], "echo inter''rupted\n");
    clients.iter_mut().for_each(|client| drop(lines_until(client, "interrupted")));
    send(&clients[1], "exit 7\n");
    assert_eq!(line(&mut output), "the program exited with code 7");
    assert!(shell.wait().unwrap().success());
}

#[test]
fn client_that_does_not_read_delays_the_others_only() {
    const LENGTH: usize = 20_000_000;
    let signal = Signal::new("slow");
    let script = format!("echo; {}; head -c {LENGTH} /dev/zero", signal.wait());
    let (mut shell, _output, address) = listen("shell", &["127.0.0.1:0", "sh", "-c", &script]);
    let [slow, mut fast] = [(); 2].map(|()| BufReader::new(connect(&address)));
    assert_eq!(line(&mut fast), "");
    fast.get_ref().set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    signal.give();
    let mut received = Vec::new();
    let error = fast.read_to_end(&mut received).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(received.len() < LENGTH);
    drop(slow);
    fast.get_ref().set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    fast.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), LENGTH);
    assert!(shell.wait().unwrap().success());
}

#[test]
fn program_ends_with_the_server() {
    let (mut shell, _output, address) = listen("shell", &["--pty", "127.0.0.1:0", "sh"]);
    let mut client = BufReader::new(connect(&address));
    send(&client, "echo nu''mber $$\n");
    let number = loop {
        let answer = line(&mut client);
        if let Some((_, number)) = answer.split_once("number ") {
            break number.to_owned();
        }
    };
    // An interactive shell ignores SIGTERM.
    terminate(&mut shell);
    assert!(!PathBuf::from(format!("/proc/{number}")).exists());
}

#[test]
fn demo_ends_by_itself() {
    let end = program("shell", &["--demo"]).output().unwrap();
    let output = String::from_utf8_lossy(&end.stdout);
    for number in [1, 2] {
        assert!(output.contains(&format!("client {number}: received 'HELLO'")), "{output}");
    }
    assert!(output.ends_with("the program exited with code 0\n"), "{output}");
}
