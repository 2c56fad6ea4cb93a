//! The number and order of system calls.

use super::streams::{CLIENTS, SCENARIO};
use super::traced;
use crate::support::*;
use ropewalk::{Reactor, Transport, UnixAddress};
use std::collections::HashSet;
use std::rc::Rc;

/// Returns the calls of a child that runs the test `name`, without process ids.
fn calls(name: &str, only: &str) -> Vec<String> {
    let path = std::env::temp_dir().join(format!("ropewalk-{}-{name}", std::process::id()));
    let text = path.to_str().unwrap();
    let output = traced(name, &["-o", text, "-e", only]);
    let calls = std::fs::read_to_string(&path).unwrap();
    let _ = std::fs::remove_file(&path);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let without_pid =
        |line: &str| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').to_owned();
    calls.lines().map(without_pid).collect()
}

#[test]
fn sockets_register_once_and_deregister_before_close() {
    if !strace_works() {
        return;
    }
    let mut watched = HashSet::new();
    let mut registrations = 0;
    for call in calls(SCENARIO, "trace=epoll_ctl,close") {
        let arguments: Vec<&str> = call.split(['(', ',', ')']).map(str::trim).collect();
        match arguments[..] {
            ["epoll_ctl", _, "EPOLL_CTL_ADD", fd, ..] => {
                registrations += 1;
                assert!(watched.insert(fd.to_owned()), "{call}");
            }
            ["epoll_ctl", _, "EPOLL_CTL_MOD", ..] => panic!("a registration was changed"),
            ["epoll_ctl", _, "EPOLL_CTL_DEL", fd, ..] => assert!(watched.remove(fd), "{call}"),
            ["close", fd, ..] => {
                // The waker's descriptor is closed with the poll.
                assert!(!watched.contains(fd) || watched.len() == 1, "{call}: still watched");
            }
            _ => {}
        }
    }
    assert_eq!(registrations, 1 + 1 + 2 * CLIENTS, "the waker, the listener, the connections");
}

#[test]
fn writes_of_a_turn_take_one_call() {
    const MEMBERS: usize = 5;
    if is_child() {
        let log = Log::default();
        let all = log.clone();
        let hook = move |transport: &mut Transport<'_>, event: &Event| {
            if *event == Event::Made {
                // Ten own writes.
                (0..10).for_each(|_| transport.write(b"own "));
            } else if matches!(event, Event::Data(_)) {
                // A hundred lines to all other connections.
                let me = transport.id();
                for _ in 0..100 {
                    for id in all.ids().into_iter().filter(|id| *id != me) {
                        transport.context().transport(id).write(b"broadcast\n");
                    }
                }
            }
        };
        let (mut reactor, address) = up(recorders(&log, hook));
        let clients: Vec<_> = (0..MEMBERS).map(|_| client(address)).collect();
        turn_until(&mut reactor, "all made", |_| log.made() == MEMBERS);
        std::io::Write::write_all(&mut &clients[0], b"go").unwrap();
        for client in &clients[1..] {
            assert_eq!(read_turning(&mut reactor, client, 1_040).len(), 1_040);
        }
        return;
    }
    if !strace_works() {
        return;
    }
    let calls = calls(this_test!(), "trace=sendto,sendmsg");
    let own = calls.iter().filter(|call| call.contains("\"own own ") && call.ends_with("= 40"));
    assert_eq!(own.count(), MEMBERS, "{calls:?}");
    let others = calls.iter().filter(|call| call.contains("broadcast"));
    assert_eq!(others.count(), MEMBERS - 1, "one call each: {calls:?}");
}

/// A read of a Unix socket may stop at descriptors, but an echo takes one read and one write.
/// Descriptors of one call take one message.
#[test]
fn unix_echo_takes_one_read_and_one_write() {
    const ECHOES: usize = 20;
    if is_child() {
        let name = UnixAddress::abstract_name(format!("ropewalk-{}", std::process::id()));
        let (mut reactor, log, failures) = (Reactor::new().unwrap(), Log::default(), Rc::default());
        reactor.listen_unix(&name, || Echo).unwrap();
        let mut left = ECHOES;
        let caller = Caller::new(&log, &failures, move |transport, event| match event {
            Event::Made => transport.write(b"there and back"),
            Event::Data(_) if left > 1 => {
                left -= 1;
                transport.write(b"there and back");
            }
            Event::Data(data) if data.starts_with(b"there") => {
                let null = || std::fs::File::open("/dev/null").unwrap();
                transport.send_descriptors(b"and no more", [null(), null(), null()]).unwrap();
            }
            Event::Data(_) => transport.close(),
            _ => {}
        });
        reactor.connect_unix(&name, caller).unwrap();
        turn_until(&mut reactor, "lost", |_| log.lost() == 1);
        return;
    }
    if !strace_works() {
        return;
    }
    let calls = calls(this_test!(), "trace=recvmsg,sendto,sendmsg");
    let written = calls.iter().filter(|call| call.starts_with("sendto(") && call.contains("there"));
    assert_eq!(written.count(), 2 * ECHOES, "{calls:?}");
    let read = |call: &&String| call.starts_with("recvmsg(") && call.contains("there");
    assert_eq!(calls.iter().filter(read).count(), 2 * ECHOES, "{calls:?}");
    let blocked = calls.iter().filter(|call| call.contains("EAGAIN")).count();
    assert!(blocked <= 3, "only after descriptors, and at the end: {blocked} in {calls:?}");
    let passed = calls.iter().filter(|call| call.starts_with("sendmsg(")).count();
    assert_eq!(passed, 1, "{calls:?}");
}
