//! The program `multicast`.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

fn program(arguments: &[&str]) -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let mut command = Command::new(path.join("examples/multicast"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

struct Member {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Member {
    fn join(port: &str, name: &str) -> Self {
        let options = ["--interface", "127.0.0.1", "--port", port, "--name", name];
        let mut child = program(&options).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut member = Self { child, output };
        member.read_until("Ctrl-D leaves");
        member.read_until(&format!("<{name}> has joined"));
        member
    }

    fn type_text(&mut self, text: &str) {
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[track_caller]
    fn read_until(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "no {text:?}");
        }
    }

    /// Closes the input, and returns the rest of the output.
    fn end(mut self) -> String {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success());
        rest
    }
}

#[test]
fn members_receive_each_others_lines() {
    // The port is bound until the end of the test: other programs cannot use it.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&std::net::SocketAddr::from(([0, 0, 0, 0], 0)).into()).unwrap();
    let socket = UdpSocket::from(socket);
    let port = socket.local_addr().unwrap().port().to_string();
    let (mut alice, mut bob) = (Member::join(&port, "alice"), Member::join(&port, "bob"));
    alice.read_until("<bob> has joined");
    alice.type_text("good evening, zoë 你好\n");
    bob.read_until("<alice> good evening, zoë 你好");
    // Datagrams of any sender are received.
    let group = format!("239.255.77.77:{port}");
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket2::SockRef::from(&other).set_multicast_if_v4(&[127, 0, 0, 1].into()).unwrap();
    other.send_to(b"<other> \x1bme too", &group).unwrap();
    alice.read_until("<other> me too");
    // The last line has no newline, and is sent too.
    bob.type_text("and leaves");
    assert!(bob.end().ends_with("<bob> and leaves\n<bob> has left\n"));
    alice.read_until("<bob> and leaves");
    alice.read_until("<bob> has left");
    assert!(alice.end().contains("<alice> has left"));
}

#[test]
fn demo_and_faulty_arguments() {
    let end = program(&["--demo"]).output().unwrap();
    assert!(end.status.success() && end.stderr.is_empty(), "{end:?}");
    assert!(end.stdout.ends_with(b"each member has received all three lines\n"), "{end:?}");
    for (argument, code) in [("nonsense", 2), ("127.0.0.1", 1)] {
        let end = program(&["--group", argument]).output().unwrap();
        assert_eq!(end.status.code(), Some(code), "{end:?}");
        assert!(String::from_utf8_lossy(&end.stderr).contains(argument), "{end:?}");
    }
}
