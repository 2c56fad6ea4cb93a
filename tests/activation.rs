//! Inherited sockets, as systemd passes them to a program.

#![cfg(all(any(target_os = "linux", target_os = "android"), feature = "systemd"))]

mod support;

use ropewalk::{InheritedSockets, Protocol, Reactor, Reason, Transport};
use rustix::io::{FdFlags, fcntl_getfd};
use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Command, Output, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::{PATIENCE, child, client, dead, is_child, this_test};

/// An echo that stops the reactor after a number of clients.
struct CountedEcho(Rc<Cell<usize>>);

impl Protocol for CountedEcho {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.write(data);
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: Reason) {
        self.0.set(self.0.get() - 1);
        if self.0.get() == 0 {
            transport.context().stop();
        }
    }
}

/// Serves one client on each listener.
fn serve(listeners: Vec<OwnedFd>) {
    let left = Rc::new(Cell::new(listeners.len()));
    let mut reactor = Reactor::new().unwrap();
    for listener in listeners {
        let left = Rc::clone(&left);
        reactor.context().adopt_listener(listener, move || CountedEcho(Rc::clone(&left))).unwrap();
    }
    reactor.run().unwrap();
}

/// Connects, and asserts that data is echoed.
fn use_echo(address: SocketAddr) {
    let mut client = client(address);
    client.write_all(b"hello").unwrap();
    let mut answer = [0; 5];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"hello");
}

/// Returns a command that runs the test `name` as a child, with listeners as descriptors 3 and 4 and with
/// `variables`. `$$` stands for its process id.
fn activated(name: &str, variables: &str) -> (Command, [SocketAddr; 2]) {
    let listeners = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = [0, 1].map(|index: usize| listeners[index].local_addr().unwrap());
    let [first, second] = listeners.map(OwnedFd::from);
    let script = format!("exec 3<&0 4<&1 0</dev/null 1>&2; export {variables}; exec \"$0\" \"$@\"");
    let mut command = child(name, &["sh", "-c", &script]);
    command.stdin(first).stdout(second).stderr(Stdio::piped());
    (command, addresses)
}

fn assert_success(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs the test `name` as such a child, and asserts that it passes.
fn in_activated(name: &str, variables: &str) {
    assert_success(&activated(name, variables).0.output().unwrap());
}

#[test]
fn inherited_sockets_are_found_by_place_or_name() {
    if !is_child() {
        let variables = "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:admin";
        let (mut command, addresses) = activated(this_test!(), variables);
        let child = command.spawn().unwrap();
        drop(command); // It holds copies of the listeners.
        addresses.into_iter().for_each(use_echo);
        return assert_success(&child.wait_with_output().unwrap());
    }
    let mut inherited = InheritedSockets::take().unwrap();
    assert!(inherited.len() == 2 && !inherited.is_empty());
    assert_eq!(inherited.names().collect::<Vec<_>>(), ["web", "admin"]);

    let error = inherited.named("wep").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let expected = "cannot take over an inherited socket: no socket is named \"wep\", only \
                    [\"web\", \"admin\"]; does the socket unit set FileDescriptorName=wep?";
    assert_eq!(error.to_string(), expected);

    let admin = inherited.named("admin").unwrap();
    assert_eq!(inherited.names().collect::<Vec<_>>(), ["web"]);
    inherited.named("admin").unwrap_err();
    inherited.at(1).unwrap_err();
    let error = inherited.at(2).unwrap_err().to_string();
    assert!(error.contains("socket 2 of 2 does not exist"), "{error}");
    let web = inherited.at(0).unwrap();
    assert_eq!((web.as_raw_fd(), admin.as_raw_fd()), (3, 4));
    for socket in [&web, &admin] {
        assert!(fcntl_getfd(socket).unwrap().contains(FdFlags::CLOEXEC), "children inherit it");
    }
    serve(vec![web, admin]);
}

#[test]
fn names_may_repeat_or_be_absent() {
    if !is_child() {
        in_activated(this_test!(), "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:web");
        return in_activated(this_test!(), "LISTEN_PID=$$ LISTEN_FDS=2");
    }
    let mut inherited = InheritedSockets::take().unwrap();
    if std::env::var("LISTEN_FDNAMES").is_ok() {
        let both = [inherited.named("web").unwrap(), inherited.named("web").unwrap()];
        assert_eq!(both.map(|socket| socket.as_raw_fd()), [3, 4]);
    } else {
        assert_eq!(inherited.names().count(), 0);
        assert_eq!(inherited.at(1).unwrap().as_raw_fd(), 4);
    }
}

#[test]
fn inherited_sockets_can_be_taken_once() {
    if !is_child() {
        return in_activated(this_test!(), "LISTEN_PID=$$ LISTEN_FDS=2");
    }
    let first = InheritedSockets::take().unwrap();
    let taken = "cannot take over an inherited socket: LISTEN_FDS lists 2 descriptors, but \
                 descriptor 3 was not passed to this process, or was already taken";
    assert_eq!(InheritedSockets::take().unwrap_err().to_string(), taken);
    drop(first);
    // Even if the numbers belong to other descriptors by now.
    let _others = [0; 4].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    assert_eq!(InheritedSockets::take().unwrap_err().to_string(), taken);
}

#[test]
fn sockets_of_another_process_are_left_open() {
    if !is_child() {
        in_activated(this_test!(), "LISTEN_PID=1 LISTEN_FDS=2");
        return in_activated(this_test!(), "NOTHING=0");
    }
    assert!(InheritedSockets::take().unwrap().is_empty());
    for number in [3, 4] {
        let link = std::fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
        assert!(link.to_string_lossy().starts_with("socket:"), "{number} is open: {link:?}");
    }
}

#[test]
fn invalid_variables_are_refused() {
    if !is_child() {
        for count in ["two", "-1", "3", "4294967290", "4294967295"] {
            in_activated(this_test!(), &format!("LISTEN_PID=$$ LISTEN_FDS={count}"));
        }
        return in_activated(this_test!(), "LISTEN_PID=me LISTEN_FDS=2");
    }
    let error = InheritedSockets::take().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    let text = error.to_string();
    let expected = match std::env::var("LISTEN_FDS").unwrap().parse::<u32>() {
        Ok(3..) => "but descriptor 5 was not passed to this process",
        _ => "LISTEN_PID and LISTEN_FDS must be numbers",
    };
    assert!(text.contains(expected), "{text}");
}

#[test]
fn sockets_of_systemd_socket_activate_are_found() {
    if is_child() {
        return serve(vec![InheritedSockets::take().unwrap().named("web").unwrap()]);
    }
    if Command::new("systemd-socket-activate").arg("--version").output().is_err() {
        return println!("skipped: systemd-socket-activate does not exist here");
    }
    let address = dead(); // systemd binds with SO_REUSEADDR
    let listen = format!("--listen={address}");
    let wrapper =
        ["systemd-socket-activate", &listen, "--fdname=web", "--setenv=ROPEWALK_TEST_CHILD=1"];
    let child = child(this_test!(), &wrapper)
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        assert!(begin.elapsed() < PATIENCE, "no listener");
        std::thread::sleep(Duration::from_millis(5)); // Until it listens.
    }
    assert_success(&child.wait_with_output().unwrap());
}
