//! Log lines: connections, ends with their reasons, slow callbacks, panics and stops.

#[path = "support/script/mod.rs"]
mod script;
mod support;

use log::{Level, LevelFilter, Log as _, Metadata, Record};
use ropewalk::{Protocol, Transport};
use script::{Script, Wire};
use std::cell::RefCell;
use std::io::{ErrorKind, Write};
use std::sync::Once;
use std::thread;
use std::time::{Duration, Instant};
use support::*;

thread_local! {
    /// The lines logged on this thread. Each test has its own thread.
    static LINES: RefCell<Vec<(Level, String, String)>> = const { RefCell::new(Vec::new()) };
}

struct Capture;

impl log::Log for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("ropewalk")
    }
    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = (record.level(), record.target().to_owned(), record.args().to_string());
            LINES.with_borrow_mut(|lines| lines.push(line));
        }
    }
    fn flush(&self) {}
}

fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Capture).unwrap();
        log::set_max_level(LevelFilter::Trace);
        Capture.flush();
    });
}

/// Returns the lines of one level and target.
fn lines(level: Level, target: &str) -> Vec<String> {
    LINES.with_borrow(|lines| {
        let wanted = lines.iter().filter(|(l, t, _)| (*l, t.as_str()) == (level, target));
        wanted.map(|(_, _, text)| text.clone()).collect()
    })
}

/// How long a slow callback sleeps: longer than a busy machine may delay another callback.
const NAP: Duration = Duration::from_millis(300);

/// Spins, sleeps, panics or echoes, as the data says.
struct Commanded;

impl Protocol for Commanded {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        match data {
            b"spin" => {
                let begin = Instant::now();
                while begin.elapsed() < Duration::from_millis(10) {}
            }
            b"sleep" => thread::sleep(NAP),
            b"panic" => panic!("the test's panic"),
            _ => {}
        }
        transport.write(data);
    }
}

#[test]
fn session_is_logged_with_addresses_and_reason() {
    capture();
    let (mut reactor, address) = up(|| Commanded);
    reactor.set_slow_callback_duration(Duration::MAX); // On a busy machine any callback may be slow.
    let mut client = client(address);
    let peer = client.local_addr().unwrap();
    client.write_all(b"hello").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 5), b"hello");
    drop(client);
    turn_until(&mut reactor, "closed", |reactor| reactor.context().connections().count() == 0);
    reactor.context().stop();
    reactor.run().unwrap();

    let logged = lines(Level::Info, "ropewalk::tcp");
    let has =
        |words: &[&str]| logged.iter().any(|line| words.iter().all(|word| line.contains(word)));
    let (address, peer) = (address.to_string(), peer.to_string());
    assert!(has(&["listening on", &address]), "{logged:?}");
    assert!(has(&[&peer, "connected"]), "{logged:?}");
    assert!(has(&[&peer, "lost: closed by the peer", "5 bytes in", "5 out", " s)"]), "{logged:?}");
    assert!(has(&["no longer listening", &address]), "{logged:?}");
    let warnings =
        LINES.with_borrow(|lines| lines.iter().filter(|line| line.0 <= Level::Warn).count());
    assert_eq!(warnings, 0, "an ordinary session logged a warning");
}

#[test]
fn slow_callback_warning_names_protocol_and_time() {
    capture();
    let (mut reactor, address) = up(|| Commanded);
    reactor.set_slow_callback_duration(Duration::from_millis(5));
    let mut client = client(address);
    client.write_all(b"spin").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 4), b"spin");
    let logged = lines(Level::Warn, "ropewalk::reactor");
    let names_callback =
        |line: &String| line.contains("Commanded") && line.contains("data_received");
    assert!(logged.iter().any(|line| names_callback(line) && line.contains("ms")), "{logged:?}");
    let spin = |_: &mut ropewalk::Context| {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(10) {}
    };
    reactor.context().call_later(Duration::ZERO, spin);
    reactor.handle().call(spin).unwrap();
    turns(&mut reactor, 3);
    let logged = lines(Level::Warn, "ropewalk::reactor");
    assert!(
        logged.iter().any(|line| line.contains("timer") && line.contains("logs::")),
        "{logged:?}"
    );
    assert!(
        logged.iter().any(|line| line.contains("call") && line.contains("logs::")),
        "{logged:?}"
    );
}

#[test]
fn slow_callback_is_named_from_second_time() {
    capture();
    let (mut reactor, address) = up(|| Commanded);
    reactor.set_slow_callback_duration(NAP);
    let (mut first, mut second) = (client(address), client(address));
    turn_until(&mut reactor, "both made", |reactor| reactor.context().connections().count() == 2);
    turns(&mut reactor, 3);
    let named = |line: &String| line.contains("Commanded") && line.contains("data_received");
    for round in 0..2 {
        // One turn serves both in this order, and times only the first on its own.
        first.write_all(b"quick").unwrap();
        second.write_all(b"sleep").unwrap();
        assert_eq!(read_turning(&mut reactor, &second, 5), b"sleep");
        assert_eq!(read_turning(&mut reactor, &first, 5), b"quick");
        let logged = lines(Level::Warn, "ropewalk::reactor");
        assert_eq!(logged.len(), round + 1, "{logged:?}");
        assert!(
            logged[round].contains("slow: ") && named(&logged[round]) == (round == 1),
            "{logged:?}"
        );
    }
}

#[test]
fn panic_is_logged_with_protocol_and_message() {
    capture();
    let (mut reactor, address) = up(|| Commanded);
    let mut client = client(address);
    client.write_all(b"panic").unwrap();
    turn_until(&mut reactor, "logged", |_| !lines(Level::Error, "ropewalk::reactor").is_empty());
    let logged = lines(Level::Error, "ropewalk::reactor");
    assert_eq!(logged.len(), 1);
    for word in ["Commanded", "data_received", "the test's panic"] {
        assert!(logged[0].contains(word), "{logged:?}");
    }
    let records = lines(Level::Error, "ropewalk::journal");
    assert!(records.iter().any(|line| line.ends_with("data_received 5 bytes")), "{records:?}");
    let lost = lines(Level::Info, "ropewalk::tcp");
    assert!(lost.iter().any(|line| line.contains("lost: a callback panicked")), "{lost:?}");
}

#[test]
fn failed_attempt_is_logged_with_its_address() {
    capture();
    let (log, failures) = (Log::default(), Failures::default());
    let mut reactor = ropewalk::Reactor::new().unwrap();
    reactor.connect_tcp(dead(), Caller::new(&log, &failures, only_record)).unwrap();
    turn_until(&mut reactor, "logged", |_| !failures.borrow().is_empty());
    let logged = lines(Level::Info, "ropewalk::tcp");
    let failure = format!("cannot connect to {}", dead());
    assert!(logged.iter().any(|line| line.contains(&failure)), "{logged:?}");
}

#[test]
fn each_descriptor_exhaustion_is_logged_once() {
    capture();
    let (script, mut reactor) = Script::new();
    reactor.listen_tcp("10.0.0.1:7000", || Commanded).unwrap();
    let complaints = || {
        let logged = lines(Level::Warn, "ropewalk::tcp");
        logged.iter().filter(|line| line.contains("cannot accept on")).count()
    };
    for time in 1..=3 {
        // Each attempt fails.
        script.accept((0..5).map(|_| Err(ErrorKind::Other)));
        (0..5).for_each(|_| reactor.turn(Some(PATIENCE)).unwrap());
        assert_eq!(complaints(), time, "the same exhaustion was logged again");
        script.accept([Ok(Wire::unlimited())]);
        (0..2).for_each(|_| reactor.turn(Some(PATIENCE)).unwrap());
        assert_eq!(
            reactor.context().connections().count(),
            time,
            "the waiting client was not accepted"
        );
    }
}

#[test]
fn stop_logs_its_connections_and_bytes() {
    capture();
    let (script, mut reactor) = Script::new();
    reactor.set_grace(Duration::from_secs(1));
    reactor.listen_tcp("10.0.0.1:7000", || Commanded).unwrap();
    let wires = [Wire::default(), Wire::default()];
    script.accept(wires.iter().cloned().map(Ok));
    reactor.turn(Some(Duration::ZERO)).unwrap();
    reactor.context().transport(wires[0].id()).write(&[0; 1234]);
    reactor.context().stop();
    reactor.run().unwrap();
    let logged = lines(Level::Info, "ropewalk::reactor");
    let waits = |line: &String| line.contains("waiting up to 1s for 1 sockets to send 1234 bytes");
    assert!(logged.iter().any(waits), "{logged:?}");
    let logged = lines(Level::Warn, "ropewalk::reactor");
    assert!(
        logged.iter().any(|line| line.contains("aborting 1 sockets; 1234 bytes")),
        "{logged:?}"
    );
}

#[test]
fn stop_without_queued_data_logs_nothing() {
    capture();
    let (log, wire) = (Log::default(), Wire::unlimited());
    let (script, mut reactor) = Script::new();
    reactor.set_grace(Duration::ZERO);
    reactor.listen_tcp("10.0.0.1:7000", recorders(&log, only_record)).unwrap();
    script.accept([Ok(wire)]);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    reactor.context().stop();
    reactor.run().unwrap();
    assert_eq!(log.reasons(), ["Stopped"]);
    for level in [Level::Warn, Level::Info] {
        assert_eq!(lines(level, "ropewalk::reactor"), [""; 0]);
    }
}

#[test]
fn run_with_nothing_to_wait_for_says_so() {
    capture();
    let mut reactor = ropewalk::Reactor::new().unwrap();
    reactor.run().unwrap();
    let logged = lines(Level::Warn, "ropewalk::reactor");
    assert!(logged.len() == 1 && logged[0].starts_with("nothing to wait for"), "{logged:?}");
}

#[test]
fn drop_without_a_run_names_what_was_made() {
    capture();
    let mut reactor = ropewalk::Reactor::new().unwrap();
    reactor.listen_tcp("127.0.0.1:0", || Commanded).unwrap();
    reactor.context().call_later(Duration::from_secs(1), |_| {});
    drop(reactor);
    let mut reactor = ropewalk::Reactor::new().unwrap();
    reactor.context().call_when_running(|_| {});
    drop(reactor);
    let logged = lines(Level::Warn, "ropewalk::reactor");
    let expected = [
        "the reactor was dropped without a run; sockets, processes and watches: 1, and there are timers",
        "the reactor was dropped without a run; sockets, processes and watches: 0, and there are triggers",
    ];
    assert_eq!(logged, expected);
}

#[test]
fn drop_after_a_run_or_without_requests_logs_nothing() {
    capture();
    drop(ropewalk::Reactor::new().unwrap());
    let mut reactor = ropewalk::Reactor::new().unwrap();
    reactor.listen_tcp("127.0.0.1:0", || Commanded).unwrap();
    reactor.turn(Some(Duration::ZERO)).unwrap();
    drop(reactor);
    assert_eq!(lines(Level::Warn, "ropewalk::reactor"), [""; 0]);
}

fn work_that_hangs(gate: &std::sync::mpsc::Receiver<()>) {
    let _ = gate.recv();
}

#[test]
fn stop_names_jobs_that_have_not_ended() {
    capture();
    let mut reactor = ropewalk::Reactor::new().unwrap();
    reactor.set_grace(Duration::from_millis(20));
    for _ in 0..2 {
        let (gate, closed) = std::sync::mpsc::channel();
        let work = move || work_that_hangs(&closed);
        ropewalk::call_in_thread(reactor.context(), work, move |_, _| drop(gate)).unwrap();
    }
    reactor.context().stop();
    reactor.run().unwrap();
    let logged = lines(Level::Warn, "ropewalk::reactor");
    let name = "2 of logs::stop_names_jobs_that_have_not_ended::{{closure}}";
    assert!(logged.iter().any(|line| line.contains("2 jobs") && line.contains(name)), "{logged:?}");
}
