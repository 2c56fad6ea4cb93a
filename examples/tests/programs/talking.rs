//! Programs over TCP.

use crate::scene::*;
use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::process::Stdio;

#[test]
fn two_clients_chat() {
    // With several reactors, the clients can be on the same one or not.
    let options = ["--listen", "127.0.0.1:0", "--reactors", "4"];
    let (_server, address) = Program::serve("chat", &options);
    let mut alice = Program::start("connect", &[&address]);
    alice.read_until("name");
    alice.type_line("alice");
    alice.read_until("alone");
    let mut bob = Program::start("connect", &[&address]);
    bob.type_line("bob");
    alice.read_until("bob joined");
    alice.type_line("good evening, zoë 你好");
    bob.read_until("<alice> good evening, zoë 你好");
    bob.type_line("/me bows");
    alice.read_until("* bob bows");
    bob.type_line("and leaves");
    assert_eq!(bob.end().code, Some(0));
    alice.read_until("<bob> and leaves");
    alice.read_until("* bob left");
    alice.signal("INT");
    let end = alice.end();
    assert_eq!(end.code, Some(0), "{end:?}");
}

#[test]
fn connect_reads_files_pipes_and_empty_input() {
    let (_server, address) = Program::serve("echo", &["127.0.0.1:0"]);
    let end = Program::start_with_input("connect", &[&address], Stdio::null()).end();
    assert_eq!((end.code, &*end.output), (Some(0), ""), "{end:?}");

    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
    let file = File::open(lock).unwrap();
    let end = Program::start_with_input("connect", &[&address], file.into()).end();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(end.output, std::fs::read_to_string(lock).unwrap());

    let mut talk = Program::start("connect", &[&address]);
    talk.type_line("there");
    talk.read_until("there");
    talk.type_line("and back");
    let end = talk.end();
    assert_eq!((end.code, &*end.output), (Some(0), "and back\n"), "{end:?}");
}

#[test]
fn connect_ends_quietly_when_its_output_is_closed() {
    let (_server, address) =
        Program::serve("clock", &["--listen", "127.0.0.1:0", "--every", "0.01"]);
    let mut connect = Program::start("connect", &[&address]);
    connect.read_until("since the start");
    connect.output = None;
    assert_eq!(connect.child.wait().unwrap().code(), Some(0));
    assert_eq!(connect.end().errors, "");
}

#[test]
fn connect_reports_a_lost_connection() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let mut connect = Program::start("connect", &[&address]);
    let (mut peer, _) = server.accept().unwrap();
    connect.type_line("unread");
    assert_eq!(peer.peek(&mut [0]).unwrap(), 1);
    peer.write_all(b"last words\n").unwrap();
    connect.read_until("last words");
    drop(peer); // Unread data causes a reset.
    let end = connect.end();
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.errors.contains(&format!("{address} ended: reset")), "{end:?}");
}

#[test]
fn echo_client_checks_received_data() {
    let (_server, address) = Program::serve("echo", &["127.0.0.1:0"]);
    let load = ["--connections", "20", "--messages", "50", "--size", "3000"];
    let end = run("echo_client", &[&[&*address], &load[..]].concat());
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.output.contains("1000 messages of 3000 bytes, every byte as sent"), "{end:?}");

    let (_server, address) = Program::serve("worker", &["--listen", "127.0.0.1:0"]);
    let end = run("echo_client", &[&address]);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.errors.contains("received data differs"), "{end:?}");
}

#[test]
fn clock_ticks_and_disconnects_idle_clients() {
    let arguments = ["--listen", "127.0.0.1:0", "--every", "0.02", "--idle", "0.2"];
    let (_server, address) = Program::serve("clock", &arguments);
    let mut client = Program::start("connect", &[&address]);
    client.read_until("since the start");
    client.read_until("goodbye");
    let end = client.end();
    assert_eq!((end.code, &*end.output), (Some(0), ""), "{end:?}");
}

#[test]
fn worker_answers_requests_before_eof() {
    let (_server, address) = Program::serve("worker", &["--listen", "127.0.0.1:0"]);
    let mut client = Program::start("connect", &[&address]);
    client.type_line("1000");
    client.type_line("ping");
    client.type_line("0");
    let end = client.end();
    assert_eq!(end.code, Some(0), "{end:?}");
    for answer in ["prime number 1000 is 7919;", "pong", "type a number"] {
        assert!(end.output.contains(answer), "{answer}: {end:?}");
    }
}

#[test]
fn resolve_prints_addresses_and_failures() {
    let end = run("resolve", &["--demo"]);
    assert_eq!((end.code, &*end.errors), (Some(0), ""));
    for text in [
        "quick.test:80 is [127.0.0.1:80]",
        "slow.test:80 is [127.0.0.1:80, 127.0.0.2:80]",
        "cannot look up empty.test:80: the name has no address",
        "tick",
    ] {
        assert!(end.output.contains(text), "{}", end.output);
    }
    let end = run("resolve", &["127.0.0.1:80", "no such host:80"]);
    assert_eq!(end.code, Some(1));
    assert!(end.output.contains("127.0.0.1:80 is [127.0.0.1:80]"), "{}", end.output);
    assert!(end.errors.contains("1 of the names were not found"), "{}", end.errors);
}
