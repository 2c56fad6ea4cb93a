//! Peers that vanish without a FIN: keep-alive, the user timeout, and connections killed by the system.

use crate::datagrams;
use crate::support::*;
use ropewalk::{KeepAlive, ListenOptions, Reactor, SocketOption, Transport};
use socket2::{SockFilter, SockRef};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

/// The shortest times that Linux supports: the connection ends after two seconds.
const KEEP_ALIVE: KeepAlive =
    KeepAlive { idle: Duration::from_secs(1), interval: Duration::from_secs(1), count: 1 };

/// Returns a reactor with one connection, and its client, which has sent data.
fn connected(options: &ListenOptions, log: &Log, paused: bool) -> (Reactor, TcpStream) {
    let mut reactor = Reactor::new().unwrap();
    let factory = recorders(log, move |transport: &mut Transport<'_>, event: &Event| {
        if matches!(event, Event::Data(_)) && paused {
            transport.pause();
        }
    });
    let port = options.listen_tcp(reactor.context(), "127.0.0.1:0", factory).unwrap();
    let mut client = client(SocketAddr::from(([127, 0, 0, 1], port.address().port().unwrap())));
    client.write_all(b"hello").unwrap();
    turn_until(&mut reactor, "received", |_| log.data() == b"hello");
    (reactor, client)
}

/// Drops all packets to `client`, so that it answers nothing: a filter that returns 0 (socket(7),
/// SO_ATTACH_FILTER).
fn vanish(client: &TcpStream) {
    const RETURN: u16 = 0x06;
    SockRef::from(client).attach_filter(&[SockFilter::new(RETURN, 0, 0, 0)]).unwrap();
}

/// Plays a scenario with a connection that reads and with a paused one, at the same time.
fn reading_and_paused(play: fn(bool)) {
    thread::scope(|scope| {
        for paused in [false, true] {
            scope.spawn(move || play(paused));
        }
    });
}

#[test]
fn keep_alive_ends_a_silent_connection() {
    reading_and_paused(|paused| {
        let log = Log::default();
        let options = ListenOptions::new().keep_alive(KEEP_ALIVE);
        let (mut reactor, client) = connected(&options, &log, paused);
        vanish(&client);
        assert!(becomes_idle(&mut reactor), "the reactor spins");
        turn_until(&mut reactor, "timed out", |_| log.lost() == 1);
        assert_eq!(log.reasons(), ["TimedOut"], "paused: {paused}");
        log.check(true);
    });
}

#[test]
fn keep_alive_keeps_a_responsive_connection() {
    let log = Log::default();
    let options = ListenOptions::new().keep_alive(KEEP_ALIVE);
    let (mut reactor, mut client) = connected(&options, &log, false);
    // Without answers the connection would end after two seconds.
    turns_for(&mut reactor, Duration::from_millis(2500));
    assert_eq!(log.lost(), 0);
    client.write_all(b" again").unwrap();
    turn_until(&mut reactor, "received", |_| log.data() == b"hello again");
}

#[test]
fn user_timeout_ends_an_unacknowledged_connection() {
    reading_and_paused(|paused| {
        let log = Log::default();
        let timeout = SocketOption::UserTimeout(Some(Duration::from_millis(500)));
        let (mut reactor, client) = connected(&ListenOptions::new().option(timeout), &log, paused);
        vanish(&client);
        reactor.context().transport(log.ids()[0]).write(b"unanswered");
        turn_until(&mut reactor, "timed out", |_| log.lost() == 1);
        assert_eq!(log.reasons(), ["TimedOut"], "paused: {paused}");
        log.check(true);
    });
}

#[test]
fn connection_killed_by_the_system_is_noticed() {
    if !is_child() {
        let name = this_test!();
        return datagrams::in_network(name, "ip link set lo up");
    }
    for paused in [false, true] {
        let log = Log::default();
        let (mut reactor, client) = connected(&ListenOptions::new(), &log, paused);
        let port = client.local_addr().unwrap().port().to_string();
        // Kills the server's end, as an administrator might (ss(8)).
        let mut command = Command::new("ss");
        let Ok(output) = command.args(["-tK", "dport", "=", &port]).output() else {
            return println!("skipped: ss(8) does not exist here");
        };
        if !String::from_utf8_lossy(&output.stdout).contains(&port) {
            return println!("skipped: this system does not kill connections: {output:?}");
        }
        turn_until(&mut reactor, "noticed", |_| log.lost() == 1);
        let reasons = log.reasons();
        assert!(reasons[0].contains("ConnectionAborted"), "paused: {paused}: {reasons:?}");
        log.check(true);
    }
}
