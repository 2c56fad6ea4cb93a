//! Steps: they are the parts of a turn, in order, and a turn completes what they began.

use ropewalk::journal::{Callback, What};
use ropewalk::{Protocol, Reactor, Step, Transport};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.write(data);
    }
}

/// A reactor with an echo and clients that are connected and have sent something.
fn with_clients(count: usize) -> (Reactor, Vec<TcpStream>) {
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_tcp("127.0.0.1:0", || Echo).unwrap();
    let clients: Vec<_> = (0..count).map(|_| TcpStream::connect(port.address()).unwrap()).collect();
    while reactor.context().connections().count() < count {
        reactor.turn(None).unwrap();
    }
    reactor.turn(Some(Duration::ZERO)).unwrap();
    clients.iter().for_each(|mut client| client.write_all(b"hello").unwrap());
    (reactor, clients)
}

/// Makes the steps of one turn.
fn steps(reactor: &mut Reactor) -> Vec<Step> {
    let mut steps = Vec::new();
    while steps.last() != Some(&Step::TurnEnded) {
        steps.push(reactor.step(None).unwrap());
    }
    steps
}

fn callbacks(reactor: &mut Reactor, wanted: Callback) -> usize {
    let records = reactor.context().journal().records();
    records
        .filter(|record| matches!(record.what, What::Called(callback, _) if callback == wanted))
        .count()
}

#[test]
fn each_event_is_a_step_of_its_own() {
    let (mut reactor, mut clients) = with_clients(3);
    assert_eq!(reactor.step(None).unwrap(), Step::Waited(3));
    for served in 1..=3 {
        assert!(matches!(reactor.step(None).unwrap(), Step::Event(Some(_))));
        assert_eq!(callbacks(&mut reactor, Callback::DataReceived), served);
    }
    assert_eq!(reactor.step(None).unwrap(), Step::TurnEnded);
    for client in &mut clients {
        let mut echo = [0; 5];
        client.read_exact(&mut echo).unwrap();
        assert_eq!(&echo, b"hello");
    }
}

#[test]
fn calls_timers_and_flushes_are_steps() {
    let (mut reactor, _clients) = with_clients(1);
    let id = reactor.context().connections().next().unwrap();
    let timer = reactor.context().call_later(Duration::ZERO, move |context| {
        context.transport(id).write(b"by id");
    });
    reactor.handle().call(|_| {}).unwrap();
    let made = steps(&mut reactor);
    assert_eq!(made[1], Step::Timer(timer), "{made:?}");
    assert_eq!(made.iter().filter(|step| **step == Step::Call).count(), 1, "{made:?}");
    assert_eq!(made[made.len() - 2..], [Step::Flushed(id), Step::TurnEnded]);
}

#[test]
fn turn_completes_what_steps_began() {
    let (mut reactor, _clients) = with_clients(3);
    reactor.step(None).unwrap();
    reactor.step(None).unwrap();
    assert_eq!(callbacks(&mut reactor, Callback::DataReceived), 1);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(callbacks(&mut reactor, Callback::DataReceived), 3);
}

#[test]
fn connection_closed_between_steps_gets_no_event() {
    let (mut reactor, _clients) = with_clients(2);
    reactor.step(None).unwrap();
    let first = match reactor.step(None).unwrap() {
        Step::Event(Some(first)) => first,
        step => panic!("{step:?}"),
    };
    let other = reactor.context().connections().find(|id| *id != first).unwrap();
    reactor.context().abort(other);
    while reactor.step(None).unwrap() != Step::TurnEnded {}
    assert_eq!(callbacks(&mut reactor, Callback::DataReceived), 1);
}

#[test]
fn many_flushes_are_preceded_by_another_wait() {
    let (mut reactor, _clients) = with_clients(20);
    steps(&mut reactor);
    reactor.context().call_later(Duration::ZERO, |context| {
        let ids: Vec<_> = context.connections().collect();
        ids.into_iter().for_each(|id| context.transport(id).write(b"to all"));
    });
    let made = steps(&mut reactor);
    let waits = made.iter().filter(|step| matches!(step, Step::Waited(_))).count();
    let flushes = made.iter().filter(|step| matches!(step, Step::Flushed(_))).count();
    assert_eq!((waits, flushes), (2, 20), "{made:?}");
}

/// Writes to the other connections when its own queue crosses the mark.
struct Crossing;

impl Protocol for Crossing {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        let own = transport.id();
        let context = transport.context();
        let others: Vec<_> = context.connections().filter(|id| *id != own).collect();
        others.into_iter().for_each(|id| context.transport(id).write(b"ping"));
    }
}

#[test]
fn turn_in_the_middle_of_flushes_sends_everything() {
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_tcp("127.0.0.1:0", || Crossing).unwrap();
    let mut clients: Vec<_> = (0..3).map(|_| TcpStream::connect(port.address()).unwrap()).collect();
    while reactor.context().connections().count() < 3 {
        reactor.turn(None).unwrap();
    }
    let ids: Vec<_> = reactor.context().connections().collect();
    for &id in &ids {
        reactor.context().transport(id).write(b"1");
    }
    reactor.context().call_later(Duration::ZERO, {
        let ids = ids.clone();
        move |context| ids.iter().for_each(|&id| context.transport(id).write(b"2"))
    });
    while !matches!(reactor.step(None).unwrap(), Step::Flushed(_)) {}
    reactor.context().transport(ids[2]).write(&vec![b'x'; 9_000_000]);
    for _ in 0..5 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    for client in &mut clients[..2] {
        let mut received = [0; 6];
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        client.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"12ping");
    }
}
