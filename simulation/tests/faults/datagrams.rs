//! Faults of other event loops: datagrams.

use crate::scripts::*;
use ropewalk::{Address, Context, DatagramOptions, DatagramProtocol, DatagramTransport, Error, Id};
use ropewalk_simulation::{FaultKind, NodeId, World};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Records received datagrams, and sends them back if `echoes` is set.
#[derive(Clone, Default)]
struct DatagramRecorder(Rc<RecordData>);

#[derive(Default)]
struct RecordData {
    answers: bool,
    id: Cell<Option<Id>>,
    data: RefCell<Vec<Vec<u8>>>,
    truncated: Cell<usize>,
    refused: Cell<usize>,
    errors: RefCell<Vec<String>>,
    /// The pauses and resumptions of writing.
    flow: RefCell<Vec<bool>>,
    stopped: Cell<usize>,
}

impl DatagramRecorder {
    fn answering() -> Self {
        Self(Rc::new(RecordData { answers: true, ..RecordData::default() }))
    }

    fn id(&self) -> Id {
        self.0.id.get().expect("it has started")
    }

    fn count(&self) -> usize {
        self.0.data.borrow().len()
    }
}

impl DatagramProtocol for DatagramRecorder {
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

fn listens_for(world: &mut World, name: &str, recorder: &DatagramRecorder) -> NodeId {
    let recorder = recorder.clone();
    run_on_node(world, name, move |context| {
        let options = DatagramOptions::new().max_datagram_size(2000);
        assert!(options.listen_udp(context, "0.0.0.0:7000", recorder.clone()).is_ok());
    })
}

fn on(world: &mut World, node: NodeId, what: impl FnOnce(&mut Context)) {
    what(world.reactor(node).unwrap().context());
    world.run_for(seconds(1));
}

const SERVER: &str = "10.0.0.1:7000";

#[test]
fn a_refusal_is_reported_to_connected_sockets() {
    let mut world = World::new(1);
    let (server, recorder) = (DatagramRecorder::answering(), DatagramRecorder::default());
    let node = listens_for(&mut world, "server", &server);
    let shared = recorder.clone();
    let other = run_on_node(&mut world, "client", move |context| {
        assert!(context.connect_udp(SERVER, shared.clone()).is_ok());
    });
    world.run_for(seconds(1));
    on(&mut world, node, |context| context.close(server.id()));
    assert_eq!(server.0.stopped.get(), 1);
    on(&mut world, other, |context| context.datagram(recorder.id()).send(b"anybody?"));
    assert_eq!(recorder.0.refused.get(), 1);
    let again = server.clone();
    on(&mut world, node, move |context| _ = context.listen_udp("0.0.0.0:7000", again).unwrap());
    on(&mut world, other, |context| context.datagram(recorder.id()).send(b"and now?"));
    assert_eq!(
        (recorder.count(), recorder.0.errors.borrow().len(), recorder.0.stopped.get()),
        (1, 0, 0)
    );
}

#[test]
fn datagrams_reach_a_service_by_its_name() {
    let mut world = World::new(1);
    let (server, client) = (DatagramRecorder::answering(), DatagramRecorder::default());
    let shared = server.clone();
    run_on_node(&mut world, "server", move |context| {
        let port = context.listen_udp("0.0.0.0:ntp", shared.clone()).unwrap();
        assert_eq!(port.address().port(), Some(123));
    });
    let node = listens_for(&mut world, "client", &client);
    world.run_for(seconds(1));
    on(&mut world, node, |context| {
        context.datagram(client.id()).send_to(b"when?", "10.0.0.1:ntp");
    });
    assert_eq!((server.count(), client.count()), (1, 1));
}

#[test]
fn an_answer_to_a_closed_socket_is_ignored() {
    let mut world = World::new(1);
    let (server, client) = (DatagramRecorder::answering(), DatagramRecorder::default());
    listens_for(&mut world, "server", &server);
    let node = listens_for(&mut world, "client", &client);
    world.run_for(seconds(1));
    on(&mut world, node, |context| {
        context.datagram(client.id()).send_to(b"one", SERVER);
        context.close(client.id());
    });
    let again = client.clone();
    on(&mut world, node, move |context| _ = context.listen_udp("0.0.0.0:7000", again).unwrap());
    on(&mut world, node, |context| context.datagram(client.id()).send_to(b"two", SERVER));
    assert_eq!(client.count(), 1);
    assert!(server.0.errors.borrow().is_empty() && server.0.refused.get() == 0);
}

#[test]
fn truncated_and_empty_datagrams_are_received() {
    let mut world = World::new(1);
    let (server, client) = (DatagramRecorder::default(), DatagramRecorder::default());
    listens_for(&mut world, "server", &server);
    let node = listens_for(&mut world, "client", &client);
    world.run_for(seconds(1));
    on(&mut world, node, |context| {
        for length in [2001, 60_000, 0, 2000] {
            context.datagram(client.id()).send_to(&pattern(length), SERVER);
        }
    });
    let mut lengths: Vec<usize> = server.0.data.borrow().iter().map(Vec::len).collect();
    lengths.sort();
    assert_eq!((server.0.truncated.get(), lengths), (2, vec![0, 2000]));
}

#[test]
fn a_flood_of_datagrams_does_not_starve_connections() {
    let mut world = World::new(1);
    let (server, client) = (DatagramRecorder::default(), DatagramRecorder::default());
    let node = listens_for(&mut world, "server", &server);
    let echo = Script::echo();
    world.reactor(node).unwrap().listen_tcp("0.0.0.0:7000", echo).unwrap();
    let other = listens_for(&mut world, "client", &client);
    world.run_for(seconds(1));
    let id = client.id();
    fn flood(context: &mut Context, id: Id, left: u32) {
        for _ in 0..100 {
            context.datagram(id).send_to(b"!", SERVER);
        }
        if left > 0 {
            context.call_later(Duration::ZERO, move |context| flood(context, id, left - 1));
        }
    }
    world.reactor(other).unwrap().context().call_later(Duration::ZERO, move |context| {
        flood(context, id, 500);
    });
    let (pinging, slowest) = pinging();
    add_client(&mut world, &pinging);
    world.run_for(milliseconds(90));
    assert!(pinging.record.received() > 20, "{}", pinging.record.received());
    assert!(slowest.get() < milliseconds(5), "{slowest:?}");
}

#[test]
fn send_errors_are_reported_and_others_queued() {
    let mut world = World::new(1);
    let (server, client) = (DatagramRecorder::default(), DatagramRecorder::default());
    listens_for(&mut world, "server", &server);
    let node = listens_for(&mut world, "client", &client);
    add_fault(&mut world, FaultKind::WouldBlock, node, seconds(10));
    world.run_for(seconds(1));
    on(&mut world, node, |context| {
        context.datagram(client.id()).send_to(&pattern(70_000), SERVER); // longer than any datagram
        context.datagram(client.id()).send_to(b"to all", "255.255.255.255:7000"); // not allowed
        context.datagram(client.id()).send_to(b"!", "192.0.2.1:7000"); // unreachable
        for number in 0..200_u8 {
            context.datagram(client.id()).send_to(&[number], SERVER);
        }
    });
    world.run_for(seconds(10));
    assert_eq!(client.0.errors.borrow().len(), 3, "{:?}", client.0.errors);
    assert_eq!(server.count(), 200);
    assert!(client.0.flow.borrow().len().is_multiple_of(2), "{:?}", client.0.flow);
    assert!(!client.0.flow.borrow().is_empty(), "some datagrams were queued");
    let context = world.reactor(node).unwrap().context();
    assert_eq!(context.datagram(client.id()).counts().queued, 0);
}
