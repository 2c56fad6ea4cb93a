//! Producers with a scripted backend, where each system call does what the test chooses.

use crate::script::{Script, Wire};
use crate::support::*;
use ropewalk::{Context, Id, Producer, Reactor, Transport};
use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

/// The callbacks of a producer, in order.
type ProducerLog = Rc<RefCell<Vec<&'static str>>>;

/// Records its callbacks, and writes a chunk on each resume.
struct Chunks {
    calls: ProducerLog,
    chunk: &'static [u8],
    panics: bool,
}

impl Producer for Chunks {
    fn resume_producing(&mut self, transport: &mut Transport<'_>) {
        self.calls.borrow_mut().push("resume");
        transport.write(self.chunk);
        assert!(!self.panics, "the producer's panic");
    }

    fn pause_producing(&mut self, _transport: &mut Transport<'_>) {
        self.calls.borrow_mut().push("pause");
    }

    fn stop_producing(&mut self, _context: &mut Context) {
        self.calls.borrow_mut().push("stop");
    }
}

fn chunks(calls: &ProducerLog, chunk: &'static [u8]) -> Chunks {
    Chunks { calls: Rc::clone(calls), chunk, panics: false }
}

/// A server that echoes, with one connection for each wire.
fn serve(log: &Log, wires: &[Wire]) -> (Script, Reactor) {
    let (script, mut reactor) = Script::new();
    reactor.listen_tcp("10.0.0.1:7000", recorders(log, echo)).unwrap();
    script.accept(wires.iter().cloned().map(Ok));
    turn(&mut reactor);
    assert_eq!(log.made(), wires.len());
    (script, reactor)
}

#[test]
fn producer_registered_between_turns_resumes_next_turn() {
    let (log, calls, wire) = (Log::default(), ProducerLog::default(), Wire::default());
    let (script, mut reactor) = serve(&log, std::slice::from_ref(&wire));
    script.make_room(&wire, 3);
    turn(&mut reactor);
    reactor.context().transport(wire.id()).register_pull_producer(chunks(&calls, b"abc")).unwrap();
    turn(&mut reactor);
    turn(&mut reactor);
    assert_eq!((wire.written(), &calls.borrow()[..2]), (b"abc".to_vec(), &["resume"; 2][..]));
}

#[test]
fn broken_connection_does_not_resume_its_producer() {
    let (log, calls, wire) = (Log::default(), ProducerLog::default(), Wire::default());
    let (script, mut reactor) = serve(&log, std::slice::from_ref(&wire));
    reactor.context().transport(wire.id()).register_pull_producer(chunks(&calls, b"")).unwrap();
    script.make_room(&wire, 30);
    turn(&mut reactor);
    // A part of the data is sent, after which a working connection would resume its producer.
    reactor.context().transport(wire.id()).write(&[0; 100]);
    turn(&mut reactor);
    wire.write_fails(ErrorKind::ConnectionReset);
    wire.push_read(Ok(b"final data"));
    wire.push_read(Err(ErrorKind::ConnectionReset));
    script.make_room(&wire, usize::MAX);
    (0..3).for_each(|_| turn(&mut reactor));
    assert_eq!((log.data(), log.reasons()), (b"final data".to_vec(), vec!["Reset".to_owned()]));
    assert_eq!((wire.written().len(), &*calls.borrow()), (30, &vec!["resume", "stop"]));
}

#[test]
fn stop_does_not_resume_a_paused_producer() {
    let (log, calls, wire) = (Log::default(), ProducerLog::default(), Wire::default());
    let (script, mut reactor) = serve(&log, std::slice::from_ref(&wire));
    reactor.context().transport(wire.id()).register_push_producer(chunks(&calls, b"")).unwrap();
    reactor.context().transport(wire.id()).write(&[0; 100_000]);
    turn(&mut reactor);
    reactor.context().stop();
    for room in [90_000, usize::MAX] {
        assert!(reactor.run_turn(Some(Duration::ZERO)).unwrap(), "data is queued");
        script.make_room(&wire, room);
    }
    while reactor.run_turn(Some(Duration::ZERO)).unwrap() {}
    assert_eq!((wire.written().len(), log.reasons()), (100_000, vec!["Stopped".to_owned()]));
    assert_eq!(*calls.borrow(), ["pause", "stop"]);
}

#[test]
fn unregistering_the_producer_completes_the_close() {
    let (log, calls, wire) = (Log::default(), ProducerLog::default(), Wire::unlimited());
    let (_script, mut reactor) = serve(&log, std::slice::from_ref(&wire));
    let id = wire.id();
    reactor.context().transport(id).register_push_producer(chunks(&calls, b"")).unwrap();
    reactor.context().close(id);
    turn(&mut reactor);
    assert_eq!(log.lost(), 0, "the close waits for the producer");
    reactor
        .context()
        .call_later(Duration::ZERO, move |context| context.transport(id).unregister_producer());
    turn(&mut reactor);
    assert_eq!(log.reasons(), ["Closed"], "the close needs no further event");
    assert_eq!(*calls.borrow(), [""; 0], "an unregistered producer receives no callback");
    assert_eq!(wire.acts(), ["registered", "shut down"]);
}

#[test]
fn producer_after_close_is_stopped_without_reset() {
    for closes in [true, false] {
        let (log, calls, wire) = (Log::default(), ProducerLog::default(), Wire::default());
        let (script, mut reactor) = serve(&log, std::slice::from_ref(&wire));
        let id = wire.id();
        reactor.context().transport(id).write(b"final data");
        match closes {
            true => reactor.context().close(id),
            false => reactor.context().transport(id).write_eof(),
        }
        reactor
            .context()
            .transport(id)
            .register_pull_producer(chunks(&calls, b"too late"))
            .unwrap();
        turn(&mut reactor);
        assert_eq!(*calls.borrow(), ["stop"], "closes: {closes}");
        script.make_room(&wire, usize::MAX);
        turn(&mut reactor);
        assert_eq!(wire.written(), b"final data");
        assert_eq!(wire.acts(), ["registered", "shut down"], "closes: {closes}");
    }
}

#[test]
fn producer_unregistered_after_abort_is_not_stopped() {
    let (log, calls, wire) = (Log::default(), ProducerLog::default(), Wire::unlimited());
    let (_script, mut reactor) = serve(&log, std::slice::from_ref(&wire));
    let id = wire.id();
    reactor.context().transport(id).register_push_producer(chunks(&calls, b"")).unwrap();
    turn(&mut reactor);
    reactor.context().abort(id);
    reactor.context().transport(id).unregister_producer();
    turn(&mut reactor);
    assert_eq!(log.reasons(), ["Aborted"]);
    assert_eq!(*calls.borrow(), [""; 0], "an unregistered producer receives no callback");
}

/// Starts an attempt to connect.
fn attempt(log: &Log) -> (Script, Reactor, Wire, Id) {
    let (script, mut reactor) = Script::new();
    let wire = Wire::unlimited();
    script.connect(Ok(wire.clone()));
    let id = reactor.connect_tcp("10.0.0.2:7000", recorders(log, only_record)).unwrap();
    (script, reactor, wire, id)
}

fn connect(script: &Script, reactor: &mut Reactor, wire: &Wire) {
    wire.connected();
    script.make_room(wire, usize::MAX);
    turn(reactor);
}

#[test]
fn producer_after_early_write_eof_is_stopped() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let (script, mut reactor, wire, id) = attempt(&log);
    reactor.context().transport(id).write(b"hello");
    reactor.context().transport(id).write_eof();
    reactor.context().transport(id).register_pull_producer(chunks(&calls, b"too late")).unwrap();
    turn(&mut reactor);
    assert_eq!(*calls.borrow(), ["stop"]);
    connect(&script, &mut reactor, &wire);
    assert_eq!((log.made(), wire.written()), (1, b"hello".to_vec()));
    assert_eq!(wire.acts(), ["registered", "shut down"]);
}

#[test]
fn producer_unregistered_while_connecting_is_never_called() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let (script, mut reactor, wire, id) = attempt(&log);
    reactor.context().transport(id).register_pull_producer(chunks(&calls, b"too late")).unwrap();
    reactor.context().transport(id).unregister_producer();
    connect(&script, &mut reactor, &wire);
    turn(&mut reactor);
    assert_eq!((log.made(), wire.written()), (1, Vec::new()));
    reactor.context().close(id);
    turn(&mut reactor);
    assert_eq!(log.reasons(), ["Closed"], "the close waits for no producer");
    assert_eq!(*calls.borrow(), [""; 0]);
}

#[test]
fn writes_of_panicking_producer_reach_no_other() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let wires = [Wire::unlimited(), Wire::unlimited()];
    let (script, mut reactor) = serve(&log, &wires);
    let panics = Chunks { calls: Rc::clone(&calls), chunk: b"part of a chunk", panics: true };
    reactor.context().transport(wires[0].id()).register_pull_producer(panics).unwrap();
    wires[1].push_read(Ok(b"hello"));
    script.report_readable(&wires[1]);
    turn(&mut reactor);
    turn(&mut reactor);
    assert_eq!(log.reasons(), ["Panicked"]);
    assert_eq!((wires[0].written(), wires[1].written()), (b"".to_vec(), b"hello".to_vec()));
    assert_eq!(*calls.borrow(), ["resume", "stop"]);
}
