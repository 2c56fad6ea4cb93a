//! Ctrl-C and its kin, each in a child of its own.
#![cfg(all(unix, feature = "signals"))]

mod support;

use ropewalk::{Reactor, Transport};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use support::*;

/// A child that serves, and the lines it prints.
struct Server {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    address: SocketAddr,
}

impl Server {
    fn start(name: &str) -> Self {
        let mut child = child(name, &[]).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, output, address: ([0, 0, 0, 0], 0).into() };
        server.address = server.wait_for("ADDRESS ").parse().unwrap();
        server
    }

    /// What follows `mark` in the first line that has it.
    fn wait_for(&mut self, mark: &str) -> String {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if let Some((_, rest)) = line.split_once(mark) {
                return rest.trim().to_owned();
            }
            line.clear();
        }
        panic!("the child never said {mark}");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    fn end(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begin.elapsed() < 2 * PATIENCE, "the child does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until a signal comes: `much` is answered with 20 MB, all else is echoed.
fn serve() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| match event {
        Event::Data(data) if data == b"much" => transport.write(&pattern(20_000_000)),
        _ => echo(transport, event),
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    reactor.set_grace(6 * PATIENCE);
    reactor.stop_on_signals().unwrap();
    // Something of ours to be interrupted by, which means nothing.
    signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::new(AtomicBool::new(false)))
        .unwrap();
    println!("\nADDRESS {address}");
    reactor.run().unwrap();
    log.check(true);
    println!("\nENDED {:?}", log.reasons());
}

#[test]
fn sigint_and_sigterm_end_the_run_in_order_and_lose_nothing() {
    if is_child() {
        return serve();
    }
    for signal in ["INT", "TERM"] {
        let name = "sigint_and_sigterm_end_the_run_in_order_and_lose_nothing";
        let mut server = Server::start(name);
        let idle = client(server.address);
        let mut busy = client(server.address);
        busy.write_all(b"much").unwrap();
        let mut first = [0; 1000];
        busy.read_exact(&mut first).unwrap();
        server.signal(signal);
        assert_eq!(read_all(&idle), b"", "the idle one ends in order");
        drop(idle);
        let rest = read_all(&busy);
        assert!([&first[..], &rest].concat() == pattern(20_000_000), "{} bytes", rest.len());
        drop(busy);
        assert_eq!(server.wait_for("ENDED "), "[\"Stopped\", \"Stopped\"]");
        assert!(server.end().success());
    }
}

#[test]
fn a_second_signal_ends_the_run_at_once() {
    if is_child() {
        return serve();
    }
    let mut server = Server::start("a_second_signal_ends_the_run_at_once");
    let mut stuck = client(server.address);
    stuck.write_all(b"much").unwrap();
    stuck.read_exact(&mut [0; 1000]).unwrap();
    server.signal("INT");
    // It has been heard when nobody listens any more; before that, two would count as one.
    let begin = Instant::now();
    while TcpStream::connect(server.address).is_ok() {
        assert!(begin.elapsed() < PATIENCE, "the first signal was not heard");
    }
    assert!(server.child.try_wait().unwrap().is_none(), "it waits for the slow reader");
    server.signal("INT");
    assert!(server.wait_for("ENDED ").contains("Stopped"));
    assert!(server.end().success());
    let error = stuck.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_storm_of_other_signals_interrupts_nothing() {
    if is_child() {
        return serve();
    }
    let mut server = Server::start("a_storm_of_other_signals_interrupts_nothing");
    let pid = server.child.id();
    let script = format!("for i in $(seq 5000); do kill -USR1 {pid}; done");
    let mut storm = Command::new("sh").args(["-c", &script]).spawn().unwrap();
    let mut client = client(server.address);
    let mut rounds = 0;
    while storm.try_wait().unwrap().is_none() || rounds < 10 {
        client.write_all(b"ping").unwrap();
        let mut answer = [0; 4];
        client.read_exact(&mut answer).unwrap();
        rounds += 1;
    }
    drop(client);
    server.signal("INT");
    server.wait_for("ENDED ");
    assert!(server.end().success());
}

#[test]
fn when_the_reactor_is_gone_a_signal_ends_the_process_again() {
    if is_child() {
        let mut reactor = Reactor::new().unwrap();
        reactor.stop_on_signals().unwrap();
        drop(reactor);
        println!("\nADDRESS 127.0.0.1:1");
        // The fail-safe, should the signal be swallowed: an orderly end, which is the wrong one.
        std::thread::sleep(Duration::from_secs(5));
        return;
    }
    let mut server = Server::start("when_the_reactor_is_gone_a_signal_ends_the_process_again");
    server.signal("TERM");
    assert!(!server.end().success(), "the signal was swallowed");
}

/// The signal is handled on one thread, while the reactor that has heard of it ends on another.
#[test]
fn a_signal_that_has_ended_a_run_does_not_end_the_process_as_well() {
    let name = "a_signal_that_has_ended_a_run_does_not_end_the_process_as_well";
    if is_child() {
        let mut reactor = Reactor::new().unwrap();
        reactor.stop_on_signals().unwrap();
        let pid = std::process::id().to_string();
        let mut kill = Command::new("kill").args(["-s", "INT", &pid]).spawn().unwrap();
        reactor.run().unwrap();
        drop(reactor);
        kill.wait().unwrap();
        return;
    }
    if strace_works() {
        // The thread in which the signal is caught is held up when it has told the reactor.
        let held_up = ["-e", "trace=sendto", "-e", "inject=sendto:delay_exit=300000"];
        in_child(name, &[&["strace", "-f", "-qq", "-o", "/dev/null"], &held_up[..]].concat());
    }
}
