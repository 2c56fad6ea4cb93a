//! Delays: they count from the call that sets them, however long the turn has taken before.

use crate::script::{Script, Wire};
use crate::support::*;
use ropewalk::{
    Address, ConnectOptions, Context, Error, Factory, Id, Protocol, Reactor, Transport,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The time of an event, once it has happened.
type When = Rc<Cell<Option<Instant>>>;

/// The time that a callback takes.
const WORK: Duration = Duration::from_millis(60);

const DELAY: Duration = Duration::from_millis(50);

const HOUR: Duration = Duration::from_secs(3600);

fn note(script: &Script, when: &When) -> impl FnOnce(&mut Context) + 'static {
    let (script, when) = (script.clone(), Rc::clone(when));
    move |_| when.set(Some(script.time()))
}

/// Runs `call` in a timer after work. Returns the time of the call, and the time that `when` records.
fn after_work(
    script: &Script,
    reactor: &mut Reactor,
    when: &When,
    call: impl FnOnce(&mut Context) + 'static,
) -> (Instant, Instant) {
    let made: When = Rc::default();
    let (theirs, clock) = (Rc::clone(&made), script.clone());
    reactor.context().call_later(Duration::ZERO, move |context| {
        clock.advance(WORK);
        theirs.set(Some(clock.time()));
        call(context);
    });
    turn_until(reactor, "the event", |_| when.get().is_some());
    (made.get().expect("the call was made"), when.take().expect("the event"))
}

#[test]
fn timer_scheduled_after_work_waits_its_whole_delay() {
    let (script, mut reactor) = Script::new();
    let when = When::default();
    let fired = note(&script, &when);
    let (made, came) = after_work(&script, &mut reactor, &when, move |context| {
        context.call_later(DELAY, fired);
    });
    assert_eq!(came - made, DELAY);
}

#[test]
fn timer_reset_after_work_waits_its_whole_delay() {
    let (script, mut reactor) = Script::new();
    let when = When::default();
    let timer = reactor.context().call_later(HOUR, note(&script, &when));
    let (made, came) = after_work(&script, &mut reactor, &when, move |context| {
        assert!(context.reset(timer, DELAY));
    });
    assert_eq!(came - made, DELAY);
}

#[test]
fn call_at_after_work_fires_at_its_instant() {
    let (script, mut reactor) = Script::new();
    let when = When::default();
    let (fired, begin) = (note(&script, &when), script.time());
    let (_, came) = after_work(&script, &mut reactor, &when, move |context| {
        assert_eq!(context.now(), begin, "the turn's instant stays the same");
        context.call_at(begin + WORK + DELAY, fired);
    });
    assert_eq!(came - begin, WORK + DELAY);
}

#[test]
fn attempt_after_work_has_its_whole_timeout() {
    struct Fails(Script, When);

    impl Factory for Fails {
        fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
            None
        }

        fn connection_failed(&mut self, _context: &mut Context, _id: Id, _error: Error) {
            self.1.set(Some(self.0.time()));
        }
    }

    let (script, mut reactor) = Script::new();
    let when = When::default();
    script.connect(Ok(Wire::default()));
    let factory = Fails(script.clone(), Rc::clone(&when));
    let (made, came) = after_work(&script, &mut reactor, &when, move |context| {
        let options = ConnectOptions::new().timeout(DELAY);
        options.connect_tcp(context, "10.0.0.2:7000", factory).unwrap();
    });
    assert_eq!(came - made, DELAY);
}

#[test]
fn close_after_work_has_its_whole_timeout() {
    for limit in [Some(DELAY), None] {
        let (script, mut reactor) = Script::new();
        let (when, log) = (When::default(), Log::default());
        let hook = {
            let (script, when) = (script.clone(), Rc::clone(&when));
            move |transport: &mut Transport<'_>, event: &Event| match event {
                Event::Made => transport.write(&[0; 100_000]),
                Event::Lost(_) => when.set(Some(script.time())),
                _ => {}
            }
        };
        reactor.listen_tcp("10.0.0.1:7000", recorders(&log, hook)).unwrap();
        script.accept([Ok(Wire::default())]);
        turn_until(&mut reactor, "made", |_| log.made() == 1);
        let id = log.ids()[0];
        let (made, came) = after_work(&script, &mut reactor, &when, move |context| match limit {
            Some(limit) => context.transport(id).close_within(limit),
            None => context.close(id),
        });
        assert_eq!(came - made, limit.unwrap_or(Duration::from_secs(60)));
        assert_eq!(log.reasons(), ["CloseTimeout"]);
    }
}

#[test]
fn callback_without_delays_reads_no_clock() {
    let (script, mut reactor) = Script::new();
    let readings = Rc::new(RefCell::new(Vec::new()));
    let (theirs, clock) = (Rc::clone(&readings), script.clone());
    reactor.context().call_later(Duration::ZERO, move |context| {
        let begin = clock.readings();
        let note = || theirs.borrow_mut().push(clock.readings() - begin);
        let now = context.now();
        let timer = context.call_at(now + HOUR, |_| {});
        context.cancel(timer);
        context.stop();
        note();
        context.call_later(HOUR, |_| {});
        note();
    });
    reactor.turn(None).unwrap();
    assert_eq!(*readings.borrow(), [0, 1]);
}

/// A protocol that takes time to drop.
struct Slow(Script);

impl Drop for Slow {
    fn drop(&mut self) {
        self.0.advance(WORK);
    }
}

impl Protocol for Slow {
    fn data_received(&mut self, transport: &mut Transport<'_>, _data: &[u8]) {
        transport.abort();
    }
}

#[test]
fn slow_drop_is_measured_and_delays_no_timer() {
    let (script, mut reactor) = Script::new();
    reactor.set_slow_callback_duration(WORK);
    let (when, theirs) = (When::default(), script.clone());
    reactor.listen_tcp("10.0.0.1:7000", move || Slow(theirs.clone())).unwrap();
    let wire = Wire::unlimited();
    wire.push_read(Ok(b"hello"));
    script.accept([Ok(wire)]);
    let (begin, fired) = (script.time(), note(&script, &when));
    reactor.context().call_later(WORK + DELAY, move |context| {
        fired(context);
        context.stop();
    });
    reactor.run().unwrap();
    assert_eq!(when.get().unwrap() - begin, WORK + DELAY);
    assert_eq!(reactor.context().statistics().longest_callback, WORK);
}

#[test]
fn work_between_last_turns_delays_no_timer() {
    let (script, mut reactor) = Script::new();
    let (when, log) = (When::default(), Log::default());
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if *event == Event::Made {
            transport.write(&[0; 100_000]);
        }
    };
    reactor.listen_tcp("10.0.0.1:7000", recorders(&log, hook)).unwrap();
    script.accept([Ok(Wire::default())]);
    assert!(reactor.run_turn(Some(Duration::ZERO)).unwrap());
    let begin = script.time();
    reactor.context().call_later(WORK + DELAY, note(&script, &when));
    reactor.context().stop();
    for _ in 0..3 {
        assert!(reactor.run_turn(Some(Duration::ZERO)).unwrap(), "a connection has data to send");
    }
    script.advance(WORK);
    assert!(reactor.run_turn(None).unwrap());
    assert_eq!(when.get().map(|when| when - begin), Some(WORK + DELAY));
}
