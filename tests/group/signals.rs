//! Signals that end a group: the first gracefully, the second at once.

use crate::running::*;
use crate::support::*;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Serves until signals end it, and prints its progress for the parent.
fn serve() {
    let mut group = run(2, |group| {
        group.set_grace(6 * PATIENCE);
        group.stop_on_signals().unwrap();
    });
    println!("\nADDRESS {}", group.address);
    group.end();
    println!("\nENDED");
}

#[test]
fn second_signal_ends_the_process_at_once() {
    if is_child() {
        return serve();
    }
    let mut server = child(this_test!(), &[]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut wait_for =
        |mark: &str| lines.find_map(|line| line.strip_prefix(mark).map(str::to_owned));
    let address = wait_for("ADDRESS ").unwrap().parse().unwrap();
    let id = server.id().to_string();
    let signal = || {
        let kill = Command::new("kill").args(["-s", "INT", &id]).status();
        assert!(kill.unwrap().success());
    };
    // On each reactor a client that does not read, and an idle one.
    let mut clients = Vec::new();
    for wanted in ["0\n", "0\n", "1\n", "1\n"] {
        clients.push((0..1_000).map(|_| client(address)).find(|c| read_some(c, 2) == wanted));
    }
    let clients: Vec<TcpStream> = clients.into_iter().flatten().collect();
    for mut stuck in [&clients[0], &clients[2]] {
        stuck.write_all(b"much").unwrap();
        assert_eq!(stuck.peek(&mut [0]).unwrap(), 1);
    }
    signal();
    for idle in [&clients[1], &clients[3]] {
        assert_eq!(read_all(idle), b"", "the idle client sees an orderly end");
    }
    assert!(server.try_wait().unwrap().is_none(), "the group waits for the slow readers");
    let begin = Instant::now();
    signal();
    assert!(wait_for("ENDED").is_some());
    assert!(begin.elapsed() < PATIENCE, "a reactor waited for its client");
    assert!(server.wait().unwrap().success());
    for mut stuck in [&clients[0], &clients[2]] {
        let error = stuck.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

/// Each member catches the signal itself, and is also stopped by the others.
#[test]
fn one_signal_ends_a_group_gracefully() {
    if !is_child() {
        return drop(in_child(this_test!(), &[]));
    }
    let mut group = run(4, |group| {
        group.set_grace(6 * PATIENCE);
        group.stop_on_signals().unwrap();
    });
    let clients: Vec<_> = (0..4).map(|index| group.client_of(index)).collect();
    for mut client in &clients {
        client.write_all(b"much").unwrap();
        assert_eq!(client.peek(&mut [0]).unwrap(), 1);
    }
    signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
    for client in &clients {
        assert!(read_all(client) == pattern(MUCH));
    }
    group.end();
}

#[test]
fn second_signal_ends_all_members_at_once() {
    if !is_child() {
        return drop(in_child(this_test!(), &[]));
    }
    let mut group = run(3, |group| {
        group.set_grace(600 * PATIENCE);
        group.stop_on_signals().unwrap();
    });
    let clients: Vec<_> = (0..3).map(|index| group.client_of(index)).collect();
    for mut client in &clients {
        client.write_all(b"much").unwrap();
        assert_eq!(client.peek(&mut [0]).unwrap(), 1);
    }
    let raise = || signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
    raise();
    // A closed port shows that the first signal has been handled. Two signals before that would count as one.
    while TcpStream::connect(group.address).is_ok() {}
    raise();
    group.end_at_once();
    for mut client in &clients {
        let error = client.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn second_signal_reaches_the_remaining_member() {
    if !is_child() {
        return drop(in_child(this_test!(), &[]));
    }
    let mut group = run(2, |group| {
        group.set_grace(600 * PATIENCE);
        group.stop_on_signals().unwrap();
    });
    let (idle, mut stuck) = (group.client_of(0), group.client_of(1));
    stuck.write_all(b"much").unwrap();
    assert_eq!(stuck.peek(&mut [0]).unwrap(), 1);
    let raise = || signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
    raise();
    assert_eq!(read_all(&idle), b"");
    while TcpStream::connect(group.address).is_ok() {}
    thread::sleep(Duration::from_millis(50)); // The run of the first member ends.
    raise();
    group.end_at_once();
}
