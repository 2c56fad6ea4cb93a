//! Peers that vanish without a word, as when their power is cut: the system gives them up where it was
//! told to, and so do we, whether we read or not.
#![cfg(any(target_os = "linux", target_os = "android"))]

#[path = "support/datagrams.rs"]
mod datagrams;
mod support;

use ropewalk::{KeepAlive, ListenOptions, Reactor, SocketOption, Transport};
use socket2::{SockFilter, SockRef};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;
use support::*;

/// The shortest that the system knows: it gives up after two seconds.
const KEEP_ALIVE: KeepAlive =
    KeepAlive { idle: Duration::from_secs(1), interval: Duration::from_secs(1), count: 1 };

/// A reactor, and one of its connections, to a client that has said something.
fn connected(options: &ListenOptions, log: &Log, paused: bool) -> (Reactor, TcpStream) {
    let mut reactor = Reactor::new().unwrap();
    let factory = recorders(log, move |transport: &mut Transport<'_>, event: &Event| {
        if matches!(event, Event::Data(_)) && paused {
            transport.pause();
        }
    });
    let port = reactor.context().listen_tcp_with("127.0.0.1:0", options, factory).unwrap();
    let mut client = client(SocketAddr::from(([127, 0, 0, 1], port.address().port().unwrap())));
    client.write_all(b"hello").unwrap();
    turn_until(&mut reactor, "heard", |_| log.data() == b"hello");
    (reactor, client)
}

/// From here on nothing reaches it, and so it answers nothing: its system drops what comes, by a filter
/// (socket(7), SO_ATTACH_FILTER) that returns 0 for every packet.
fn vanish(client: &TcpStream) {
    const RETURN: u16 = 0x06;
    SockRef::from(client).attach_filter(&[SockFilter::new(RETURN, 0, 0, 0)]).unwrap();
}

#[test]
fn one_that_is_silent_is_asked_and_given_up_paused_or_not() {
    for paused in [false, true] {
        let log = Log::default();
        let options = ListenOptions::new().keep_alive(KEEP_ALIVE);
        let (mut reactor, client) = connected(&options, &log, paused);
        vanish(&client);
        assert!(comes_to_rest(&mut reactor), "it does not spin meanwhile");
        turn_until(&mut reactor, "given up", |_| log.lost() == 1);
        assert_eq!(log.reasons(), ["TimedOut"], "paused: {paused}");
        log.check(true);
    }
}

#[test]
fn one_that_is_there_is_asked_and_stays() {
    let log = Log::default();
    let options = ListenOptions::new().keep_alive(KEEP_ALIVE);
    let (mut reactor, mut client) = connected(&options, &log, false);
    // If it did not answer it would be given up after two seconds.
    turns_for(&mut reactor, Duration::from_millis(2500));
    assert_eq!(log.lost(), 0);
    client.write_all(b" again").unwrap();
    turn_until(&mut reactor, "heard", |_| log.data() == b"hello again");
}

#[test]
fn one_that_does_not_confirm_what_it_was_sent_is_given_up_paused_or_not() {
    for paused in [false, true] {
        let log = Log::default();
        let timeout = SocketOption::UserTimeout(Some(Duration::from_millis(500)));
        let (mut reactor, client) = connected(&ListenOptions::new().option(timeout), &log, paused);
        vanish(&client);
        reactor.context().write(log.ids()[0], b"are you there?");
        turn_until(&mut reactor, "given up", |_| log.lost() == 1);
        assert_eq!(log.reasons(), ["TimedOut"], "paused: {paused}");
        log.check(true);
    }
}

#[test]
fn one_that_is_cut_off_by_the_system_is_noticed_paused_or_not() {
    if !is_child() {
        let name = "one_that_is_cut_off_by_the_system_is_noticed_paused_or_not";
        return datagrams::in_network(name, "ip link set lo up");
    }
    for paused in [false, true] {
        let log = Log::default();
        let (mut reactor, client) = connected(&ListenOptions::new(), &log, paused);
        let port = client.local_addr().unwrap().port().to_string();
        // Our end of it, as an administrator would (ss(8)).
        let mut command = Command::new("ss");
        let Ok(output) = command.args(["-tK", "dport", "=", &port]).output() else {
            return println!("skipped: there is no ss(8) here");
        };
        if !String::from_utf8_lossy(&output.stdout).contains(&port) {
            return println!("skipped: this system does not cut connections off: {output:?}");
        }
        turn_until(&mut reactor, "noticed", |_| log.lost() == 1);
        let reasons = log.reasons();
        assert!(reasons[0].contains("ConnectionAborted"), "paused: {paused}: {reasons:?}");
        log.check(true);
    }
}
