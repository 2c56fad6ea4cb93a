//! Nodes: their time, their loopback, and inherited options.

use ropewalk::{
    Address, Context, DatagramProtocol, DatagramTransport, Id, KeepAlive, ListenOptions, Protocol,
    Reason, Transport,
};
use ropewalk_simulation::{Fault, FaultKind, Plan, World};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Records the time of each datagram.
#[derive(Clone, Default)]
struct TimeRecorder(Rc<RefCell<Vec<(Instant, u8)>>>);

impl DatagramProtocol for TimeRecorder {
    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        _sender: &Address,
    ) {
        self.0.borrow_mut().push((transport.context().now(), data[0]));
    }
}

/// Sends `count` numbered datagrams to the socket itself, one per millisecond.
fn count_up(context: &mut Context, id: Id, to: Address, number: u8, count: u8) {
    if number < count {
        context.datagram(id).send_to(&[number; 10], to.clone());
        context.call_later(Duration::from_millis(1), move |context| {
            count_up(context, id, to, number + 1, count);
        });
    }
}

#[test]
fn a_nodes_time_is_monotonic_on_loopback() {
    let times = TimeRecorder::default();
    let (mut world, shared) = (World::new(1), times.clone());
    world.add_node("node", move |reactor| {
        let context = reactor.context();
        let port = context.listen_unix_datagram("/run/diary", shared.clone())?;
        let (id, to, shared) = (port.id(), port.address().clone(), shared.clone());
        context.call_later(Duration::ZERO, move |context| {
            shared.0.borrow_mut().push((context.now(), 0));
            context.datagram(id).send_to(b"1", to);
        });
        Ok(())
    });
    world.run_for(Duration::from_secs(1));
    let times = times.0.borrow();
    assert_eq!(times.len(), 2);
    assert!(times[0].0 < times[1].0, "a datagram is received in a later turn");
}

#[test]
fn the_uplink_does_not_affect_loopback() {
    let times = TimeRecorder::default();
    let (mut world, shared) = (World::new(1), times.clone());
    let node = world.add_node("node", move |reactor| {
        let context = reactor.context();
        let port = context.listen_udp("127.0.0.1:7000", shared.clone())?;
        count_up(context, port.id(), port.address().clone(), 0, 100);
        Ok(())
    });
    let mut plan = Plan::none();
    let fault = Fault { kind: FaultKind::Bandwidth, node, other: node, severity: 1.0 };
    plan.add(Duration::from_millis(20), Duration::from_millis(60), fault);
    world.add_faults(&plan);
    world.run_for(Duration::from_secs(1));
    let numbers: Vec<u8> = times.0.borrow().iter().map(|(_, number)| *number).collect();
    assert!(numbers.iter().copied().eq(0..100), "{numbers:?}");
}

/// Records the reason of the loss.
struct LossRecorder(Rc<RefCell<Vec<Reason>>>);

impl Protocol for LossRecorder {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, reason: Reason) {
        self.0.borrow_mut().push(reason);
    }
}

#[test]
fn connections_inherit_their_listeners_options() {
    let reasons = Rc::new(RefCell::new(Vec::new()));
    let (mut world, shared) = (World::new(1), reasons.clone());
    let keep_alive =
        KeepAlive { idle: Duration::from_secs(10), interval: Duration::from_secs(1), count: 3 };
    world.add_node("server", move |reactor| {
        let options = ListenOptions::new().keep_alive(keep_alive);
        let shared = shared.clone();
        let factory = move || LossRecorder(shared.clone());
        options.listen_tcp(reactor.context(), "0.0.0.0:7000", factory).map(drop)
    });
    let client = world.add_node("client", |reactor| {
        reactor.connect_tcp("server:7000", || LossRecorder(Rc::default())).map(drop)
    });
    world.run_for(Duration::from_secs(1));
    world.crash(client);
    world.run_for(Duration::from_secs(20));
    assert!(matches!(reasons.borrow()[..], [Reason::TimedOut]), "{reasons:?}");
}

/// Passes a descriptor as soon as it is connected, and records the result.
#[cfg(unix)]
struct DescriptorSender(Rc<RefCell<Vec<String>>>);

#[cfg(unix)]
impl Protocol for DescriptorSender {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let file = std::fs::File::open("/dev/null").unwrap();
        let error = transport.send_descriptors(b"x", [file]).unwrap_err();
        self.0.borrow_mut().push(error.to_string());
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

#[cfg(unix)]
#[test]
fn descriptors_are_refused_in_a_simulated_network() {
    let notes = Rc::new(RefCell::new(Vec::new()));
    let (mut world, shared) = (World::new(1), Rc::clone(&notes));
    world.add_node("node", move |reactor| {
        let (servers, clients) = (Rc::clone(&shared), Rc::clone(&shared));
        reactor.listen_unix("/run/give.sock", move || DescriptorSender(Rc::clone(&servers)))?;
        let factory = move || DescriptorSender(Rc::clone(&clients));
        let id = reactor.context().connect_unix("/run/give.sock", factory)?;
        let file = std::fs::File::open("/dev/null").unwrap();
        let error = reactor.context().transport(id).send_descriptors(b"x", [file]).unwrap_err();
        shared.borrow_mut().push(error.to_string());
        Ok(())
    });
    world.run_for(Duration::from_secs(1));
    assert_eq!(notes.borrow().len(), 3, "by attempt, by the client and by the server");
    for text in notes.borrow().iter() {
        assert!(
            text.contains("the reactor's backend does not support passing descriptors"),
            "{text}"
        );
    }
}
