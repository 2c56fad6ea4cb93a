//! Callbacks beyond the budget of a turn: the next turn makes them, in order, and none is lost.

#![cfg(unix)]

use crate::producers;
use crate::recorder::{DatagramEvent, DatagramLog, DatagramRecorder};
use crate::support::*;
use ropewalk::{Context, Id, Producer, Reactor, Transport};
use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

/// More than the 256 pending callbacks that a turn makes.
const MANY: usize = 300;

/// Adopts many connections at once. Returns the other ends.
fn adopt_many(context: &mut Context, log: &Log) -> Vec<UnixStream> {
    let adopt = |_| {
        let (ours, theirs) = UnixStream::pair().unwrap();
        context.adopt_connection(ours, Recorder::new(log, echo)).unwrap();
        theirs
    };
    (0..MANY).map(adopt).collect()
}

/// Makes one turn in which a timer runs `act`.
fn turn_with<T: 'static>(
    reactor: &mut Reactor,
    act: impl FnOnce(&mut Context) -> T + 'static,
) -> T {
    let done = Rc::new(Cell::new(None));
    let result = Rc::clone(&done);
    reactor.context().call_later(Duration::ZERO, move |context| result.set(Some(act(context))));
    reactor.turn(Some(Duration::ZERO)).unwrap();
    done.take().unwrap()
}

/// Registers many producers for a connection that is gone. Each causes one pending callback, its stop.
fn stop_many(context: &mut Context, gone: Id) {
    for _ in 0..MANY {
        let producer = producers::noting(&producers::ProducerLog::default(), producers::ignore);
        context.transport(gone).register_pull_producer(producer).unwrap();
    }
}

/// Makes one turn in which a timer runs `act` after more callbacks are pending than the turn may make. These
/// cause no event of the poll. What `act` makes is in use at once: in the next turn its events come first.
fn busy_turn_with<T: 'static>(
    reactor: &mut Reactor,
    act: impl FnOnce(&mut Context) -> T + 'static,
) -> T {
    let gone = reactor
        .listen_udp("127.0.0.1:0", DatagramRecorder::quiet(&DatagramLog::default()))
        .unwrap()
        .id();
    turn_with(reactor, move |context| {
        stop_many(context, gone);
        act(context)
    })
}

#[test]
fn many_adopted_connections_are_made_before_data() {
    let (log, mut reactor) = (Log::default(), Reactor::new().unwrap());
    let theirs = log.clone();
    let mut others = turn_with(&mut reactor, move |context| adopt_many(context, &theirs));
    assert!(
        (1..MANY).contains(&log.made()),
        "{} connections are made in the first turn",
        log.made()
    );
    others.iter_mut().for_each(|other| other.write_all(b"data").unwrap());
    reactor.turn(None).unwrap();
    assert_eq!(log.made(), MANY, "the other connections are made in the next turn");
    turn_until(&mut reactor, "all data", |_| log.data().len() == 4 * MANY);
    for other in &mut others {
        let mut answer = [0; 4];
        other.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"data");
    }
    drop(others);
    turn_until(&mut reactor, "all lost", |_| log.lost() == MANY);
    log.check(true);
}

#[test]
fn many_lost_connections_need_no_further_event() {
    let (log, mut reactor) = (Log::default(), Reactor::new().unwrap());
    let _others = adopt_many(reactor.context(), &log);
    turn_until(&mut reactor, "all made", |_| log.made() == MANY);
    let ids = log.ids();
    turn_with(&mut reactor, move |context| ids.iter().for_each(|id| context.abort(*id)));
    assert!(
        (1..MANY).contains(&log.lost()),
        "{} connections are lost in the first turn",
        log.lost()
    );
    assert_eq!(reactor.timeout(), Some(Duration::ZERO), "the next turn does not wait");
    reactor.turn(None).unwrap();
    assert_eq!(log.lost(), MANY);
    log.check(true);
    assert_eq!(reactor.timeout(), None);
}

#[test]
fn end_of_run_makes_all_pending_callbacks() {
    let (log, mut reactor) = (Log::default(), Reactor::new().unwrap());
    let _others = adopt_many(reactor.context(), &log);
    turn_until(&mut reactor, "all made", |_| log.made() == MANY);
    log.ids().iter().for_each(|id| reactor.context().abort(*id));
    reactor.context().stop();
    reactor.run().unwrap();
    assert_eq!(log.lost(), MANY);
    // The reactor is dropped before any of these is made.
    let _others = adopt_many(reactor.context(), &log);
    drop(reactor);
    assert_eq!((log.made(), log.lost()), (2 * MANY, 2 * MANY));
    log.check(true);
}

#[test]
fn connection_adopted_in_busy_turn_loses_no_data() {
    let (log, mut reactor) = (Log::default(), Reactor::new().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = client(listener.local_addr().unwrap());
    let (ours, protocol) = (listener.accept().unwrap().0, Recorder::new(&log, echo));
    busy_turn_with(&mut reactor, |context| _ = context.adopt_connection(ours, protocol).unwrap());
    assert_eq!(log.made(), 0);
    client.write_all(b"data").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 4), b"data");
    log.check(false);
}

#[test]
fn connection_pending_two_turns_loses_no_data() {
    let (log, mut reactor) = (Log::default(), Reactor::new().unwrap());
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(b"data").unwrap();
    let gone = reactor
        .listen_udp("127.0.0.1:0", DatagramRecorder::quiet(&DatagramLog::default()))
        .unwrap()
        .id();
    let first =
        Recorder::new(&Log::discarding(), move |transport: &mut Transport<'_>, _: &Event| {
            stop_many(transport.context(), gone);
        });
    let (second, first_end) = (Recorder::new(&log, only_record), UnixStream::pair().unwrap().0);
    busy_turn_with(&mut reactor, move |context| {
        context.adopt_connection(first_end, first).unwrap();
        context.adopt_connection(ours, second).unwrap();
        // A timer makes pending callbacks, so that the second stays pending until its event.
        context.call_later(Duration::ZERO, |_| {});
    });
    reactor.turn(None).unwrap();
    assert_eq!(log.made(), 0, "the second turn is busy too");
    turn_until(&mut reactor, "data", |_| log.data() == b"data");
    log.check(false);
}

#[test]
fn datagram_socket_in_busy_turn_starts_first() {
    let (events, mut reactor) = (DatagramLog::default(), Reactor::new().unwrap());
    let protocol = DatagramRecorder::quiet(&events);
    let port = busy_turn_with(&mut reactor, |context| {
        context.listen_udp("127.0.0.1:0", protocol).unwrap()
    });
    assert_eq!(events.all(), []);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.send_to(b"data", port.address().socket_addr().unwrap()).unwrap();
    turn_until(&mut reactor, "a datagram", |_| !events.data().is_empty());
    assert_eq!(events.all(), [DatagramEvent::Started, DatagramEvent::Data(b"data".to_vec())]);
}

#[test]
fn connector_in_busy_turn_has_its_factory() {
    let (log, failures, mut reactor) =
        (Log::default(), Failures::default(), Reactor::new().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (to, caller) = (listener.local_addr().unwrap(), Caller::new(&log, &failures, only_record));
    busy_turn_with(&mut reactor, move |context| _ = context.connect_tcp(to, caller).unwrap());
    let _peer = listener.accept().unwrap();
    turn_until(&mut reactor, "connected", |_| log.made() == 1);
}

#[test]
fn listener_in_busy_turn_has_its_factory() {
    let (log, mut reactor) = (Log::default(), Reactor::new().unwrap());
    let factory = recorders(&log, only_record);
    let port =
        busy_turn_with(&mut reactor, |context| context.listen_tcp("127.0.0.1:0", factory).unwrap());
    let _client = client(port.address().socket_addr().unwrap());
    turn_until(&mut reactor, "accepted", |_| log.made() == 1);
}

#[test]
fn channel_in_busy_turn_has_its_receiver() {
    let (received, mut reactor) = (Rc::new(Cell::new(0)), Reactor::new().unwrap());
    let counter = Rc::clone(&received);
    let sender = busy_turn_with(&mut reactor, |context| {
        context.channel(move |_, message: u32| counter.set(message))
    });
    sender.send(7).unwrap();
    turn_until(&mut reactor, "a message", |_| received.get() == 7);
}

/// Its connection is served in the turn of the registration, before the producer has its place.
#[test]
fn producer_registered_in_busy_turn_is_resumed() {
    let (log, calls) = (Log::default(), producers::ProducerLog::default());
    let (mut reactor, id, client) = producers::one(&log);
    let producer = producers::pieces(&calls, 3);
    (&client).write_all(b"data").unwrap();
    busy_turn_with(&mut reactor, move |context| {
        context.transport(id).register_pull_producer(producer).unwrap();
    });
    assert_eq!(log.data(), b"data", "the connection was served");
    assert_eq!(read_turning(&mut reactor, &client, 30_000).len(), 30_000);
}

/// Notes the callbacks of its connection when it is stopped.
struct StopRecorder(Log, Id, Rc<RefCell<Vec<Event>>>);

impl Producer for StopRecorder {
    fn resume_producing(&mut self, _transport: &mut Transport<'_>) {}

    fn stop_producing(&mut self, _context: &mut Context) {
        self.2.borrow_mut().extend(self.0.of(self.1));
    }
}

#[test]
fn late_producer_stops_before_pending_connection_lost() {
    let (log, mut reactor) = (Log::default(), Reactor::new().unwrap());
    let _others = adopt_many(reactor.context(), &log);
    turn_until(&mut reactor, "all made", |_| log.made() == MANY);
    let (ids, events) = (log.ids(), Rc::default());
    let last = ids[MANY - 1];
    let producer = StopRecorder(log.clone(), last, Rc::clone(&events));
    reactor.context().call_later(Duration::ZERO, move |context| {
        ids.iter().for_each(|id| context.abort(*id));
    });
    reactor.context().call_later(Duration::ZERO, move |context| {
        context.transport(last).register_pull_producer(producer).unwrap();
    });
    turn_until(&mut reactor, "all lost", |_| log.lost() == MANY);
    assert_eq!(*events.borrow(), [Event::Made]);
}

#[test]
fn endless_chain_does_not_starve_a_client() {
    fn again(transport: &mut Transport<'_>, event: &Event) {
        if matches!(event, Event::Made) {
            transport.abort();
        } else if matches!(event, Event::Lost(_)) {
            let (ours, _) = UnixStream::pair().unwrap();
            let next = Recorder::new(&Log::discarding(), again);
            let adopted = transport.context().adopt_connection(ours, next);
            assert!(adopted.is_ok() || transport.context().is_stopping());
        }
    }
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let (ours, _) = UnixStream::pair().unwrap();
    let first = Recorder::new(&Log::discarding(), again);
    reactor.context().adopt_connection(ours, first).unwrap();
    assert_client_is_echoed(&mut reactor, address);
    let before = descriptors();
    turns(&mut reactor, 100);
    assert!(descriptors() <= before + 2, "{} descriptors more", descriptors() - before);
    reactor.context().stop();
    reactor.run().unwrap();
    log.check(true);
}
