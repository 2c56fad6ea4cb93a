//! Connection attempts to names.

use crate::script::{Script, Wire};
use crate::support::*;
use crate::targets::*;
use crate::{Queries, hanging, take};
use ropewalk::backend::Readiness;
use ropewalk::{Answer, ConnectOptions, Context, Id, Reactor};
use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(3);

/// An attempt to connect to a name on the scripted backend. Its look-up hangs.
struct Attempt {
    script: Script,
    reactor: Reactor,
    queries: Queries,
    log: Log,
    failures: Failures,
    id: Id,
}

fn attempt(wires: impl IntoIterator<Item = Wire>) -> Attempt {
    let (script, mut reactor) = Script::new();
    let queries = hanging(&mut reactor);
    wires.into_iter().for_each(|wire| script.connect(Ok(wire)));
    let (log, failures) = (Log::default(), Failures::default());
    let caller = Caller::new(&log, &failures, only_record);
    let options = ConnectOptions::new().timeout(TIMEOUT);
    let id = options.connect_tcp(reactor.context(), "example.org:443", caller).unwrap();
    turn(&mut reactor);
    Attempt { script, reactor, queries, log, failures, id }
}

impl Attempt {
    fn answer(&self) -> Answer {
        take(&self.queries)
    }

    /// Makes a turn that receives what was answered.
    fn turn(&mut self) {
        self.script.wake();
        turn(&mut self.reactor);
    }

    fn wait(&mut self, time: Duration) {
        self.script.advance(time);
        self.turn();
    }

    fn failure(&self) -> (ErrorKind, String) {
        let failures = self.failures.borrow();
        assert_eq!((failures.len(), self.log.made()), (1, 0), "one outcome");
        assert_eq!(failures[0].0, self.id);
        (failures[0].1.kind(), failures[0].1.to_string())
    }
}

fn is_begun(wire: &Wire) -> bool {
    wire.acts().contains(&"registered")
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn answer_connects_under_the_same_id() {
    let wire = Wire::unlimited();
    let mut attempt = attempt([wire.clone()]);
    assert_eq!(attempt.queries.borrow()[0].0, "example.org 443");
    attempt.reactor.context().transport(attempt.id).write(b"early");
    attempt.answer().succeed(["10.0.0.1:443".parse().unwrap()]);
    attempt.turn();
    wire.connected();
    attempt.script.report(wire.id(), Readiness::WRITABLE);
    attempt.turn();
    assert_eq!((attempt.log.made(), attempt.log.ids()), (1, vec![attempt.id]));
    assert_eq!(wire.written(), b"early");
    assert_eq!(attempt.reactor.timeout(), None);
}

#[test]
fn timeout_covers_the_look_up() {
    let mut attempt = attempt([]);
    let answer = attempt.answer();
    assert_eq!(attempt.reactor.timeout(), Some(TIMEOUT));
    assert!(answer.is_wanted());
    attempt.wait(TIMEOUT);
    let (kind, text) = attempt.failure();
    assert_eq!(kind, ErrorKind::TimedOut);
    assert!(
        text.starts_with("cannot connect to example.org:443: the look-up of the name timed out"),
        "{text}"
    );
    assert!(!answer.is_wanted());
    answer.succeed(["10.0.0.1:443".parse().unwrap()]); // Too late.
    attempt.turn();
    attempt.failure();
}

#[test]
fn timeout_includes_the_time_of_the_look_up() {
    let wire = Wire::unlimited();
    let mut attempt = attempt([wire.clone()]);
    attempt.script.advance(millis(2900));
    attempt.answer().succeed(["10.0.0.1:443".parse().unwrap()]);
    attempt.turn();
    assert_eq!(attempt.reactor.timeout(), Some(millis(100)));
    attempt.wait(millis(100));
    let (kind, text) = attempt.failure();
    assert_eq!(kind, ErrorKind::TimedOut);
    assert!(
        text.starts_with("cannot connect to example.org:443 at 10.0.0.1:443: timed out"),
        "{text}"
    );
    assert!(wire.is_closed());
}

#[test]
fn closing_cancels_the_look_up() {
    for end in [Context::close as fn(&mut Context, Id), Context::abort] {
        let mut attempt = attempt([]);
        let answer = attempt.answer();
        let id = attempt.id;
        end(attempt.reactor.context(), id);
        assert!(!answer.is_wanted());
        attempt.turn();
        attempt.failure();
        answer.fail(ErrorKind::NotFound.into());
        attempt.turn();
        attempt.failure();
        assert_eq!(attempt.reactor.timeout(), None);
    }
}

#[test]
fn stop_ends_a_look_up() {
    let mut attempt = attempt([]);
    attempt.reactor.context().stop();
    attempt.reactor.run().unwrap();
    let (_, text) = attempt.failure();
    assert!(text.contains("the reactor stopped"), "{text}");
}

#[test]
fn failed_look_up_fails_the_attempt() {
    type End = fn(Answer);
    let ends: [(End, ErrorKind, &str); 3] = [
        (Answer::end, ErrorKind::NotFound, "the name has no address"),
        (
            |answer| answer.fail(ErrorKind::NotFound.into()),
            ErrorKind::NotFound,
            "is the name correct",
        ),
        (drop, ErrorKind::Other, "the resolver did not answer"),
    ];
    for (end, kind, expected) in ends {
        let mut attempt = attempt([]);
        end(attempt.answer());
        attempt.turn();
        let (found, text) = attempt.failure();
        assert_eq!(found, kind);
        assert!(text.starts_with("cannot connect to example.org:443: "), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn families_alternate_and_duplicates_are_skipped() {
    let wires = [(); 3].map(|()| Wire::unlimited());
    let mut attempt = attempt(wires.clone());
    let texts = ["10.0.0.1:443", "10.0.0.1:443", "10.0.0.2:443", "[::1]:443", "10.0.0.1:443"];
    attempt.answer().succeed(texts.map(|text| text.parse().unwrap()));
    attempt.turn();
    for wire in &wires {
        assert!(is_begun(wire));
        wire.has_error(ErrorKind::ConnectionRefused);
        attempt.script.report(wire.id(), Readiness::WRITABLE);
        attempt.turn();
    }
    let (_, text) = attempt.failure();
    let places =
        ["10.0.0.1:443: ", "[::1]:443: ", "10.0.0.2:443: "].map(|text_of| text.find(text_of));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
    assert_eq!(text.matches("10.0.0.1:443").count(), 1, "{text}");
}

#[test]
fn single_ipv4_address_waits_briefly_for_ipv6() {
    let wires = [(); 2].map(|()| Wire::unlimited());
    let mut attempt = attempt(wires.clone());
    let mut answer = attempt.answer();
    answer.found("10.0.0.1:443".parse().unwrap());
    attempt.turn();
    assert!(!is_begun(&wires[0]));
    assert_eq!(attempt.reactor.timeout(), Some(millis(50)));
    attempt.wait(millis(50));
    assert!(is_begun(&wires[0]) && !is_begun(&wires[1]));
    answer.found("[::1]:443".parse().unwrap());
    attempt.turn();
    assert!(!is_begun(&wires[1]), "the delay between two attempts applies");
    attempt.wait(millis(250));
    assert!(is_begun(&wires[1]));
}

#[test]
fn race_waits_for_further_answers() {
    let wires = [(); 2].map(|()| Wire::unlimited());
    let mut attempt = attempt(wires.clone());
    let mut answer = attempt.answer();
    answer.found("[::1]:443".parse().unwrap());
    attempt.turn();
    assert!(is_begun(&wires[0]), "IPv6 does not wait");
    wires[0].has_error(ErrorKind::ConnectionRefused);
    attempt.script.report(wires[0].id(), Readiness::WRITABLE);
    attempt.turn();
    assert!(attempt.failures.borrow().is_empty(), "another address may be found");
    answer.found("10.0.0.1:443".parse().unwrap());
    attempt.turn();
    assert!(is_begun(&wires[1]));
    answer.fail(ErrorKind::NotFound.into());
    wires[1].connected();
    attempt.script.report(wires[1].id(), Readiness::WRITABLE);
    attempt.turn();
    assert_eq!((attempt.log.made(), attempt.failures.borrow().len()), (1, 0));
}

#[test]
fn timer_ticks_while_a_look_up_hangs() {
    let mut reactor = Reactor::new().unwrap();
    let queries = hanging(&mut reactor);
    let (log, failures) = (Log::default(), Failures::default());
    let caller = Caller::new(&log, &failures, only_record);
    let options = ConnectOptions::new().timeout(millis(100));
    options.connect_tcp(reactor.context(), "hangs.test:1", caller).unwrap();
    let ticks = Rc::new(Cell::new(0));
    fn tick(context: &mut Context, ticks: Rc<Cell<usize>>) {
        ticks.set(ticks.get() + 1);
        context.call_later(millis(10), move |context| tick(context, ticks));
    }
    tick(reactor.context(), Rc::clone(&ticks));
    turn_until(&mut reactor, "timed out", |_| !failures.borrow().is_empty());
    assert!(ticks.get() > 2, "{}", ticks.get());
    assert_eq!(failures.borrow()[0].1.kind(), ErrorKind::TimedOut);
    drop(queries);
}

#[test]
fn silent_first_address_of_a_name_is_passed() {
    let (silent, _listener, _fillers) = silent();
    let (_server, live) = listening();
    let mut reactor = Reactor::new().unwrap();
    let resolver = move |_: &mut Context, _: &str, _: u16, answer: Answer| {
        std::thread::spawn(move || answer.succeed([silent, live]));
        None
    };
    reactor.set_resolver(resolver);
    let (log, failures) = (Log::default(), Failures::default());
    let caller = Caller::new(&log, &failures, only_record);
    let id = reactor.connect_tcp("two.test:1", caller).unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    assert_eq!((log.ids(), failures.borrow().len()), (vec![id], 0));
}

#[test]
fn system_resolves_names_on_a_thread() {
    let mut reactor = Reactor::new().unwrap();
    let (_server, live) = listening();
    let (log, failures) = (Log::default(), Failures::default());
    let caller = Caller::new(&log, &failures, only_record);
    reactor.connect_tcp(("localhost", live.port()), caller).unwrap();
    let caller = Caller::new(&log, &failures, only_record);
    reactor.connect_tcp("no such host:1", caller).unwrap();
    turn_until(&mut reactor, "both outcomes", |_| log.made() + failures.borrow().len() == 2);
    let failures = failures.borrow();
    assert_eq!((log.made(), failures[0].1.kind()), (1, ErrorKind::NotFound));
    let text = failures[0].1.to_string();
    assert!(text.starts_with("cannot connect to no such host:1: "), "{text}");
    assert!(text.ends_with("(is the name correct, and is the name server reachable?)"), "{text}");
}
