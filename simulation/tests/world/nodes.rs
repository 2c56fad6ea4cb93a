//! Nodes: their time, what lies between a node and itself, and what its listeners hand on.

use ropewalk::{
    Address, Context, DatagramProtocol, DatagramTransport, Id, KeepAlive, ListenOptions, Protocol,
    Reason, Transport,
};
use ropewalk_simulation::{Fault, FaultKind, Plan, World};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Notes when what came.
#[derive(Clone, Default)]
struct Diary(Rc<RefCell<Vec<(Instant, u8)>>>);

impl DatagramProtocol for Diary {
    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        _sender: &Address,
    ) {
        self.0.borrow_mut().push((transport.context().now(), data[0]));
    }
}

/// Sends the socket itself `count` datagrams, one a millisecond, of growing numbers.
fn count_up(context: &mut Context, id: Id, to: Address, number: u8, count: u8) {
    if number < count {
        context.send_to(id, &[number; 10], to.clone());
        context.call_later(Duration::from_millis(1), move |context| {
            count_up(context, id, to, number + 1, count);
        });
    }
}

#[test]
fn the_time_of_a_node_does_not_go_back_when_it_tells_itself_something() {
    let diary = Diary::default();
    let (mut world, theirs) = (World::new(1), diary.clone());
    world.add_node("node", move |reactor| {
        let context = reactor.context();
        let port = context.listen_unix_datagram("/run/diary", theirs.clone())?;
        let (id, to, theirs) = (port.id(), port.address().clone(), theirs.clone());
        context.call_later(Duration::ZERO, move |context| {
            theirs.0.borrow_mut().push((context.now(), 0));
            context.send_to(id, b"1", to);
        });
        Ok(())
    });
    world.run_for(Duration::from_secs(1));
    let diary = diary.0.borrow();
    assert_eq!(diary.len(), 2);
    assert!(diary[0].0 < diary[1].0, "what is sent in a turn is received in a later one");
}

#[test]
fn a_slow_line_does_not_lie_between_a_node_and_itself() {
    let diary = Diary::default();
    let (mut world, theirs) = (World::new(1), diary.clone());
    let node = world.add_node("node", move |reactor| {
        let context = reactor.context();
        let port = context.listen_udp("127.0.0.1:7000", theirs.clone())?;
        count_up(context, port.id(), port.address().clone(), 0, 100);
        Ok(())
    });
    let mut plan = Plan::none();
    let fault = Fault { kind: FaultKind::Bandwidth, node, other: node, severity: 1.0 };
    plan.add(Duration::from_millis(20), Duration::from_millis(60), fault);
    world.add_faults(&plan);
    world.run_for(Duration::from_secs(1));
    let numbers: Vec<u8> = diary.0.borrow().iter().map(|(_, number)| *number).collect();
    assert!(numbers.iter().copied().eq(0..100), "{numbers:?}");
}

/// Notes why it was lost.
struct Mourner(Rc<RefCell<Vec<Reason>>>);

impl Protocol for Mourner {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, reason: Reason) {
        self.0.borrow_mut().push(reason);
    }
}

#[test]
fn connections_inherit_the_options_of_their_listener() {
    let reasons = Rc::new(RefCell::new(Vec::new()));
    let (mut world, theirs) = (World::new(1), reasons.clone());
    let keep_alive =
        KeepAlive { idle: Duration::from_secs(10), interval: Duration::from_secs(1), count: 3 };
    world.add_node("server", move |reactor| {
        let options = ListenOptions::new().keep_alive(keep_alive);
        let theirs = theirs.clone();
        let factory = move || Mourner(theirs.clone());
        reactor.context().listen_tcp_with("0.0.0.0:7000", &options, factory).map(drop)
    });
    let client = world.add_node("client", |reactor| {
        reactor.connect_tcp("server:7000", || Mourner(Rc::default())).map(drop)
    });
    world.run_for(Duration::from_secs(1));
    world.crash(client);
    world.run_for(Duration::from_secs(20));
    assert!(matches!(reasons.borrow()[..], [Reason::TimedOut]), "{reasons:?}");
}

/// Passes a descriptor as soon as it is connected, and notes what came of it.
#[cfg(unix)]
struct Giver(Rc<RefCell<Vec<String>>>);

#[cfg(unix)]
impl Protocol for Giver {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let file = std::fs::File::open("/dev/null").unwrap();
        let error = transport.send_descriptors(b"x", [file]).unwrap_err();
        self.0.borrow_mut().push(error.to_string());
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

#[cfg(unix)]
#[test]
fn descriptors_are_refused_in_a_simulated_network_before_and_after_the_connection_is_made() {
    let notes = Rc::new(RefCell::new(Vec::new()));
    let (mut world, theirs) = (World::new(1), Rc::clone(&notes));
    world.add_node("node", move |reactor| {
        let (servers, clients) = (Rc::clone(&theirs), Rc::clone(&theirs));
        reactor.listen_unix("/run/give.sock", move || Giver(Rc::clone(&servers)))?;
        let factory = move || Giver(Rc::clone(&clients));
        let id = reactor.context().connect_unix("/run/give.sock", factory)?;
        let file = std::fs::File::open("/dev/null").unwrap();
        let error = reactor.context().send_descriptors(id, b"x", [file]).unwrap_err();
        theirs.borrow_mut().push(error.to_string());
        Ok(())
    });
    world.run_for(Duration::from_secs(1));
    assert_eq!(notes.borrow().len(), 3, "by attempt, by the client and by the server");
    for text in notes.borrow().iter() {
        assert!(text.contains("a simulated network passes no descriptors"), "{text}");
    }
}
