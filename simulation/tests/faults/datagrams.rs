//! The faults of other event loops, played: datagrams.

use crate::scene::*;
use ropewalk::{Address, Context, DatagramOptions, DatagramProtocol, DatagramTransport, Error, Id};
use ropewalk_simulation::{FaultKind, NodeId, World};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Notes what comes, and sends it back if it is to.
#[derive(Clone, Default)]
struct Pigeon(Rc<Notes>);

#[derive(Default)]
struct Notes {
    answers: bool,
    id: Cell<Option<Id>>,
    data: RefCell<Vec<Vec<u8>>>,
    truncated: Cell<usize>,
    refused: Cell<usize>,
    errors: RefCell<Vec<String>>,
    /// Whether it was asked to pause, and to go on.
    flow: RefCell<Vec<bool>>,
    stopped: Cell<usize>,
}

impl Pigeon {
    fn answering() -> Self {
        Self(Rc::new(Notes { answers: true, ..Notes::default() }))
    }

    fn id(&self) -> Id {
        self.0.id.get().expect("it has started")
    }

    fn count(&self) -> usize {
        self.0.data.borrow().len()
    }
}

impl DatagramProtocol for Pigeon {
    fn start_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        self.0.id.set(Some(transport.id()));
    }

    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        self.0.data.borrow_mut().push(data.to_vec());
        if self.0.answers {
            transport.send_to(data, sender.clone());
        }
    }

    fn datagram_truncated(
        &mut self,
        _transport: &mut DatagramTransport<'_>,
        _data: &[u8],
        _sender: &Address,
    ) {
        self.0.truncated.set(self.0.truncated.get() + 1);
    }

    fn connection_refused(&mut self, _transport: &mut DatagramTransport<'_>) {
        self.0.refused.set(self.0.refused.get() + 1);
    }

    fn error_received(&mut self, _transport: &mut DatagramTransport<'_>, error: Error) {
        self.0.errors.borrow_mut().push(error.to_string());
    }

    fn pause_writing(&mut self, _transport: &mut DatagramTransport<'_>) {
        self.0.flow.borrow_mut().push(true);
    }

    fn resume_writing(&mut self, _transport: &mut DatagramTransport<'_>) {
        self.0.flow.borrow_mut().push(false);
    }

    fn stop_protocol(&mut self, _transport: &mut DatagramTransport<'_>) {
        self.0.stopped.set(self.0.stopped.get() + 1);
    }
}

fn listens_for(world: &mut World, name: &str, pigeon: &Pigeon) -> NodeId {
    let pigeon = pigeon.clone();
    does(world, name, move |context| {
        let options = DatagramOptions::new().max_datagram_size(2000);
        assert!(context.listen_udp_with("0.0.0.0:7000", &options, pigeon.clone()).is_ok());
    })
}

fn on(world: &mut World, node: NodeId, what: impl FnOnce(&mut Context)) {
    what(world.reactor(node).unwrap().context());
    world.run_for(seconds(1));
}

const SERVER: &str = "10.0.0.1:7000";

#[test]
fn a_refusal_is_told_to_who_is_connected_and_costs_nothing_else() {
    let mut world = World::new(1);
    let (server, pigeon) = (Pigeon::answering(), Pigeon::default());
    let node = listens_for(&mut world, "server", &server);
    let theirs = pigeon.clone();
    let other = does(&mut world, "client", move |context| {
        assert!(context.connect_udp(SERVER, theirs.clone()).is_ok());
    });
    world.run_for(seconds(1));
    on(&mut world, node, |context| context.close(server.id()));
    assert_eq!(server.0.stopped.get(), 1);
    on(&mut world, other, |context| context.send(pigeon.id(), b"anybody?"));
    assert_eq!(pigeon.0.refused.get(), 1);
    let again = server.clone();
    on(&mut world, node, move |context| _ = context.listen_udp("0.0.0.0:7000", again).unwrap());
    on(&mut world, other, |context| context.send(pigeon.id(), b"and now?"));
    assert_eq!((pigeon.count(), pigeon.0.errors.borrow().len(), pigeon.0.stopped.get()), (1, 0, 0));
}

#[test]
fn an_answer_to_one_who_is_gone_is_no_error() {
    let mut world = World::new(1);
    let (server, client) = (Pigeon::answering(), Pigeon::default());
    listens_for(&mut world, "server", &server);
    let node = listens_for(&mut world, "client", &client);
    world.run_for(seconds(1));
    on(&mut world, node, |context| {
        context.send_to(client.id(), b"one", SERVER);
        context.close(client.id());
    });
    let again = client.clone();
    on(&mut world, node, move |context| _ = context.listen_udp("0.0.0.0:7000", again).unwrap());
    on(&mut world, node, |context| context.send_to(client.id(), b"two", SERVER));
    assert_eq!(client.count(), 1);
    assert!(server.0.errors.borrow().is_empty() && server.0.refused.get() == 0);
}

#[test]
fn what_is_too_long_is_told_to_be_and_what_is_empty_is_no_end() {
    let mut world = World::new(1);
    let (server, client) = (Pigeon::default(), Pigeon::default());
    listens_for(&mut world, "server", &server);
    let node = listens_for(&mut world, "client", &client);
    world.run_for(seconds(1));
    on(&mut world, node, |context| {
        for length in [2001, 60_000, 0, 2000] {
            context.send_to(client.id(), &pattern(length), SERVER);
        }
    });
    let mut lengths: Vec<usize> = server.0.data.borrow().iter().map(Vec::len).collect();
    lengths.sort();
    assert_eq!((server.0.truncated.get(), lengths), (2, vec![0, 2000]));
}

#[test]
fn a_flood_of_datagrams_leaves_connections_their_turn() {
    let mut world = World::new(1);
    let (server, client) = (Pigeon::default(), Pigeon::default());
    let node = listens_for(&mut world, "server", &server);
    let echo = Cast::echo();
    world.reactor(node).unwrap().listen_tcp("0.0.0.0:7000", echo).unwrap();
    let other = listens_for(&mut world, "client", &client);
    world.run_for(seconds(1));
    let id = client.id();
    fn flood(context: &mut Context, id: Id, left: u32) {
        for _ in 0..100 {
            context.send_to(id, b"!", SERVER);
        }
        if left > 0 {
            context.call_later(Duration::ZERO, move |context| flood(context, id, left - 1));
        }
    }
    world.reactor(other).unwrap().context().call_later(Duration::ZERO, move |context| {
        flood(context, id, 500);
    });
    let (pings, slowest) = pings();
    connects(&mut world, &pings);
    world.run_for(milliseconds(90));
    assert!(pings.heard.received() > 20, "{}", pings.heard.received());
    assert!(slowest.get() < milliseconds(5), "{slowest:?}");
}

#[test]
fn what_cannot_be_sent_is_told_and_what_can_waits_in_order() {
    let mut world = World::new(1);
    let (server, client) = (Pigeon::default(), Pigeon::default());
    listens_for(&mut world, "server", &server);
    let node = listens_for(&mut world, "client", &client);
    has(&mut world, FaultKind::WouldBlock, node, seconds(10));
    world.run_for(seconds(1));
    on(&mut world, node, |context| {
        context.send_to(client.id(), &pattern(70_000), SERVER); // longer than any
        context.send_to(client.id(), b"to all", "255.255.255.255:7000"); // not allowed
        context.send_to(client.id(), b"!", "192.0.2.1:7000"); // no way there
        for number in 0..200_u8 {
            context.send_to(client.id(), &[number], SERVER);
        }
    });
    world.run_for(seconds(10));
    assert_eq!(client.0.errors.borrow().len(), 3, "{:?}", client.0.errors);
    assert_eq!(server.count(), 200);
    assert!(client.0.flow.borrow().len().is_multiple_of(2), "{:?}", client.0.flow);
    assert!(!client.0.flow.borrow().is_empty(), "something had to wait");
    let context = world.reactor(node).unwrap().context();
    assert_eq!(context.datagram_counts(client.id()).unwrap().waiting, 0);
}
