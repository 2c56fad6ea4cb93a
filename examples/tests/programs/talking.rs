//! Programs over TCP.

use crate::scene::*;

#[test]
fn two_clients_chat() {
    // With several reactors, the clients can be on the same one or not.
    let options = ["--listen", "127.0.0.1:0", "--reactors", "4"];
    let (_server, address) = Program::serve("chat", &options);
    let mut alice = Client::connect(&address);
    alice.read_until("name");
    alice.type_line("alice");
    alice.read_until("alone");
    let mut bob = Client::connect(&address);
    bob.type_line("bob");
    alice.read_until("bob joined");
    alice.type_line("good evening, zoë 你好");
    bob.read_until("<alice> good evening, zoë 你好");
    bob.type_line("/me bows");
    alice.read_until("* bob bows");
    bob.type_line("and leaves");
    assert_eq!(bob.end(), "* goodbye\n");
    alice.read_until("<bob> and leaves");
    alice.read_until("* bob left");
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
    let mut client = Client::connect(&address);
    client.read_until("since the start");
    client.read_until("goodbye");
    assert_eq!(client.end(), "");
}

#[test]
fn worker_answers_requests_before_eof() {
    let (_server, address) = Program::serve("worker", &["--listen", "127.0.0.1:0"]);
    let mut client = Client::connect(&address);
    client.type_line("1000");
    client.type_line("ping");
    client.type_line("0");
    let answers = client.end();
    for answer in ["prime number 1000 is 7919;", "pong", "type a number"] {
        assert!(answers.contains(answer), "{answer}: {answers}");
    }
}

#[test]
fn run_jobs_counts_primes_and_failures() {
    let end = run("run_jobs", &["--demo"]);
    assert_eq!((end.code, &*end.errors), (Some(0), ""));
    assert!(
        end.output.contains("failed: job 13: the job has panicked: on purpose"),
        "{}",
        end.output
    );
    assert!(end.output.contains("20 of 20 jobs in"), "{}", end.output);
    let end = run("run_jobs", &["--jobs", "3", "--size", "10", "--threads", "2"]);
    assert!(end.output.ends_with("0 of them failed: 10 prime numbers\n"), "{}", end.output);
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
