//! Sockets that race to the addresses of one attempt (RFC 8305).

use crate::script::{Script, Wire};
use crate::support::*;
use crate::targets::*;
use ropewalk::backend::Readiness;
use ropewalk::{ConnectOptions, Id, Reactor};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

const DELAY: Duration = Duration::from_millis(250);

/// An attempt on the scripted backend.
struct Race {
    script: Script,
    reactor: Reactor,
    log: Log,
    failures: Failures,
    id: Id,
}

/// Starts an attempt with one address for each wire.
fn race<const N: usize>(timeout: Duration) -> (Race, [Wire; N]) {
    let (script, mut reactor) = Script::new();
    let (log, failures) = (Log::default(), Failures::default());
    let wires = std::array::from_fn(|_| Wire::unlimited());
    wires.iter().for_each(|wire| script.connect(Ok(wire.clone())));
    let addresses: Vec<SocketAddr> = (1..=N).map(|n| ([10, 0, 0, n as u8], 7000).into()).collect();
    let options = ConnectOptions::new().timeout(timeout);
    let caller = Caller::new(&log, &failures, only_record);
    let id = options.connect_tcp(reactor.context(), &addresses[..], caller).unwrap();
    (Race { script, reactor, log, failures, id }, wires)
}

impl Race {
    /// Turns until the delay before the next attempt is over, and begins it.
    fn wait(&mut self) {
        self.script.advance(DELAY);
        turn(&mut self.reactor);
    }

    fn connect(&mut self, wire: &Wire) {
        wire.connected();
        self.script.report(wire.id(), Readiness::WRITABLE);
        turn(&mut self.reactor);
    }

    fn refuse(&mut self, wire: &Wire) {
        wire.has_error(ErrorKind::ConnectionRefused);
        self.script.report(wire.id(), Readiness::WRITABLE);
        turn(&mut self.reactor);
    }
}

fn is_begun(wire: &Wire) -> bool {
    wire.acts().contains(&"registered")
}

const LONG: Duration = Duration::from_secs(30);

#[test]
fn next_address_is_tried_after_the_delay() {
    let (mut race, [first, second, third]) = race(LONG);
    turn(&mut race.reactor);
    assert_eq!(race.reactor.timeout(), Some(DELAY));
    assert!(is_begun(&first) && !is_begun(&second));
    race.wait();
    assert!(is_begun(&second) && !is_begun(&third) && !first.is_closed());
    race.wait();
    assert!(is_begun(&third));
    assert_eq!(race.reactor.timeout(), Some(LONG - 2 * DELAY), "no further address is due");
}

#[test]
fn first_to_connect_wins_and_others_are_closed() {
    for winner in 0..3 {
        let (mut race, wires) = race::<3>(LONG);
        race.reactor.context().transport(race.id).write(b"early ");
        race.wait();
        race.wait();
        race.connect(&wires[winner]);
        assert_eq!((race.log.made(), race.log.ids()), (1, vec![race.id]));
        assert_eq!(wires[winner].id(), race.id, "events are reported under the id");
        for (number, wire) in wires.iter().enumerate() {
            assert_eq!(wire.is_closed(), number != winner);
            let written = if number == winner { b"early ".to_vec() } else { Vec::new() };
            assert_eq!(wire.written(), written);
        }
        assert_eq!(race.reactor.timeout(), None);
        wires[winner].push_read(Ok(b"answer"));
        race.script.report_readable(&wires[winner]);
        turn(&mut race.reactor);
        assert_eq!(race.log.data(), b"answer");
    }
}

#[test]
fn failure_begins_the_next_attempt_at_once() {
    let (mut race, [first, second, third, fourth]) = race(LONG);
    turn(&mut race.reactor);
    race.refuse(&first);
    assert!(is_begun(&second) && first.is_closed());
    assert_eq!(race.reactor.timeout(), Some(DELAY), "the delay begins again");
    race.wait();
    race.refuse(&third);
    assert!(is_begun(&fourth) && !second.is_closed());
    race.refuse(&second);
    race.connect(&fourth);
    assert_eq!((race.log.made(), race.failures.borrow().len()), (1, 0));
}

#[test]
fn success_at_the_end_of_the_delay_begins_nothing() {
    let (mut race, [first, second]) = race(LONG);
    turn(&mut race.reactor);
    first.connected(); // Its event comes later than the timer.
    race.wait();
    assert_eq!(race.log.made(), 1);
    assert!(!is_begun(&second));
}

#[test]
fn success_at_the_timeout_is_no_failure() {
    let (mut race, [first, second]) = race(LONG);
    race.wait();
    second.connected();
    race.script.advance(LONG);
    turn(&mut race.reactor);
    assert_eq!((race.log.made(), race.failures.borrow().len()), (1, 0));
    assert!(first.is_closed() && !second.is_closed());
}

#[test]
fn each_address_is_listed_with_its_reason() {
    let (mut race, wires) = race::<3>(LONG);
    race.wait();
    race.refuse(&wires[1]);
    race.script.advance(LONG);
    turn(&mut race.reactor);
    turn(&mut race.reactor);
    let failures = race.failures.borrow();
    assert_eq!(failures.len(), 1);
    let text = failures[0].1.to_string();
    assert!(text.contains("10.0.0.1:7000: timed out"), "{text}");
    assert!(text.contains("10.0.0.2:7000: as scripted"), "{text}");
    assert!(text.contains("10.0.0.3:7000: timed out"), "{text}");
    assert!(wires.iter().all(Wire::is_closed));
}

#[test]
fn short_timeout_leaves_time_for_each_address() {
    let (mut race, wires) = race::<4>(Duration::from_millis(400));
    for count in 1..=4 {
        let begun = wires.iter().filter(|wire| is_begun(wire)).count();
        assert_eq!(begun, count);
        race.script.advance(Duration::from_millis(100));
        turn(&mut race.reactor);
    }
    assert_eq!(race.failures.borrow().len(), 1);
}

#[test]
fn ninth_socket_replaces_the_oldest() {
    let (mut race, wires) = race::<12>(LONG);
    (0..11).for_each(|_| race.wait());
    let open = wires.iter().filter(|wire| !wire.is_closed()).count();
    assert_eq!(open, 8);
    assert!(wires[..4].iter().all(Wire::is_closed));
    race.connect(&wires[11]);
    assert_eq!(race.log.made(), 1);
}

#[test]
fn closed_race_fails_once_and_closes_all() {
    for written in [false, true] {
        let (mut race, wires) = race::<3>(LONG);
        if written {
            race.reactor.context().transport(race.id).write(b"early");
        }
        race.wait();
        let id = race.id;
        race.reactor.context().close(id);
        race.reactor.context().close(id);
        turn(&mut race.reactor);
        assert_eq!(race.failures.borrow().len(), 1);
        assert!(wires[0].is_closed() && wires[1].is_closed() && !is_begun(&wires[2]));
        assert_eq!(wires[1].acts().contains(&"reset"), written);
        assert_eq!(race.reactor.timeout(), None);
    }
}

#[test]
fn stop_ends_a_race() {
    let (mut race, wires) = race::<3>(LONG);
    race.wait();
    race.reactor.context().stop();
    race.reactor.run().unwrap();
    assert_eq!((race.failures.borrow().len(), race.log.made()), (1, 0));
    assert!(wires[0].is_closed() && wires[1].is_closed());
}

#[test]
fn silent_address_delays_a_connection_briefly() {
    let (log, failures) = (Log::default(), Failures::default());
    let (silent, _listener, _fillers) = silent();
    let (listener, live) = listening();
    let mut reactor = Reactor::new().unwrap();
    let options = ConnectOptions::new().attempt_delay(Duration::from_millis(20));
    let begin = std::time::Instant::now();
    let caller = Caller::new(&log, &failures, |transport, event| {
        if let Event::Data(_) = event {
            transport.write(b"bye");
            transport.close();
        }
    });
    let id = options.connect_tcp(reactor.context(), &[silent, live][..], caller).unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    assert!(begin.elapsed() >= Duration::from_millis(20));
    assert_eq!(log.ids(), [id]);
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(b"hello").unwrap();
    turn_until(&mut reactor, "data", |_| log.data() == b"hello");
    let mut text = String::new();
    turns(&mut reactor, 3);
    peer.read_to_string(&mut text).unwrap();
    assert_eq!(text, "bye");
}
