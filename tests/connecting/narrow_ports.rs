//! Few ephemeral ports: sockets that connect to themselves, and no free port.

use crate::support::*;
use ropewalk::{Reactor, Transport};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

/// A network namespace with ten ephemeral ports.
const FEW_PORTS: [&str; 5] = [
    "unshare",
    "-rn",
    "sh",
    "-c",
    "ip link set lo up && echo 10000 10009 > /proc/sys/net/ipv4/ip_local_port_range \
     && exec \"$0\" \"$@\"",
];

fn run_with_few_ports(name: &str) {
    let trial = [&FEW_PORTS[1..], &["true"]].concat();
    if Command::new(FEW_PORTS[0]).args(trial).output().is_ok_and(|output| output.status.success()) {
        in_child(name, &FEW_PORTS);
    } else {
        println!("skipped: unshare(1) or ip(8) does not work here");
    }
}

#[test]
fn self_connected_socket_counts_as_refused() {
    if !is_child() {
        return run_with_few_ports(this_test!());
    }
    // A closed port in the ephemeral range, which the system soon chooses.
    let closed: SocketAddr = "127.0.0.1:10004".parse().unwrap();
    let (log, failures) = (Log::default(), Failures::default());
    let mut reactor = Reactor::new().unwrap();
    for round in 1..=200 {
        reactor.connect_tcp(closed, Caller::new(&log, &failures, only_record)).unwrap();
        turn_until(&mut reactor, "an outcome", |_| failures.borrow().len() + log.made() == round);
    }
    assert_eq!(log.made(), 0);
    let self_connected = |(_, error): &&(_, ropewalk::Error)| error.to_string().contains("itself");
    let self_connected = failures.borrow().iter().filter(self_connected).count();
    println!("{self_connected} of 200 connected to themselves");
    assert!(self_connected > 0, "no socket connected to itself");
    for (_, error) in failures.borrow().iter() {
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
    }
}

#[test]
fn attempt_without_a_free_port_fails() {
    if !is_child() {
        let name = this_test!();
        return run_with_few_ports(name);
    }
    let (log, failures) = (Log::default(), Failures::default());
    let listener = TcpListener::bind("127.0.0.1:9000").unwrap();
    let mut reactor = Reactor::new().unwrap();
    for _ in 0..20 {
        let caller = Caller::new(&log, &failures, |_: &mut Transport<'_>, _| {});
        reactor.connect_tcp(listener.local_addr().unwrap(), caller).unwrap();
    }
    turn_until(&mut reactor, "all outcomes", |_| log.made() + failures.borrow().len() == 20);
    assert_eq!((log.made(), failures.borrow().len()), (10, 10));
    for (_, error) in failures.borrow().iter() {
        assert!(error.to_string().contains("127.0.0.1:9000"), "{error}");
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable, "{error}");
    }
}
