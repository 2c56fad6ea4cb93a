//! Odd things that need few ports: sockets that meet themselves, and ports that run out.

use crate::support::*;
use ropewalk::{Reactor, Transport};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

/// A network of its own, in which there are ten ports to connect from.
const NARROW: [&str; 5] = [
    "unshare",
    "-rn",
    "sh",
    "-c",
    "ip link set lo up && echo 10000 10009 > /proc/sys/net/ipv4/ip_local_port_range \
     && exec \"$0\" \"$@\"",
];

fn run_narrowly(name: &str) {
    let trial = [&NARROW[1..], &["true"]].concat();
    if Command::new(NARROW[0]).args(trial).output().is_ok_and(|output| output.status.success()) {
        in_child(name, &NARROW);
    } else {
        println!("skipped: no network namespace may be made here (unshare(1), ip(8))");
    }
}

#[test]
fn self_connected_socket_counts_as_refused() {
    if !is_child() {
        return run_narrowly(this_test!());
    }
    // A closed port among those that the system chooses from: soon it chooses that one.
    let closed: SocketAddr = "127.0.0.1:10004".parse().unwrap();
    let (log, failures) = (Log::default(), Failures::default());
    let mut reactor = Reactor::new().unwrap();
    for round in 1..=200 {
        reactor.connect_tcp(closed, Caller::new(&log, &failures, only_record)).unwrap();
        turn_until(&mut reactor, "told", |_| failures.borrow().len() + log.made() == round);
    }
    assert_eq!(log.made(), 0);
    let met = |(_, error): &&(_, ropewalk::Error)| error.to_string().contains("itself");
    let met = failures.borrow().iter().filter(met).count();
    println!("{met} of 200 met themselves");
    assert!(met > 0, "the scenario needs one that does");
    for (_, error) in failures.borrow().iter() {
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
    }
}

#[test]
fn attempt_without_a_free_port_fails() {
    if !is_child() {
        let name = this_test!();
        return run_narrowly(name);
    }
    let (log, failures) = (Log::default(), Failures::default());
    let listener = TcpListener::bind("127.0.0.1:9000").unwrap();
    let mut reactor = Reactor::new().unwrap();
    for _ in 0..20 {
        let caller = Caller::new(&log, &failures, |_: &mut Transport<'_>, _| {});
        reactor.connect_tcp(listener.local_addr().unwrap(), caller).unwrap();
    }
    turn_until(&mut reactor, "all answered", |_| log.made() + failures.borrow().len() == 20);
    assert_eq!((log.made(), failures.borrow().len()), (10, 10));
    for (_, error) in failures.borrow().iter() {
        assert!(error.to_string().contains("127.0.0.1:9000"), "{error}");
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable, "{error}");
    }
}
