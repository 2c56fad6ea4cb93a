//! Costs of work.

use ropewalk::{Address, Context, DatagramProtocol, DatagramTransport, Protocol};
use ropewalk::{Reactor, Transport};
use ropewalk_protocols::Echo;
use ropewalk_simulation::{Costs, Link, World};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Sends all datagrams back.
struct DatagramEcho;

impl DatagramProtocol for DatagramEcho {
    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        transport.send_to(data, sender);
    }
}

/// Sends chunks of 100 bytes, one per millisecond, and ignores the answers.
struct Sender(u32);

impl Sender {
    fn speak(&self, context: &mut Context, send: impl Fn(&mut Context, &[u8]) + Copy + 'static) {
        for number in 1..=self.0 {
            let delay = Duration::from_millis(number.into());
            context.call_later(delay, move |context| send(context, &[b'x'; 100]));
        }
    }
}

impl Protocol for Sender {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let id = transport.id();
        self.speak(transport.context(), move |context, data| context.transport(id).write(data));
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

impl DatagramProtocol for Sender {
    fn start_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        let id = transport.id();
        self.speak(transport.context(), move |context, data| context.datagram(id).send(data));
    }

    fn datagram_received(
        &mut self,
        _transport: &mut DatagramTransport<'_>,
        _data: &[u8],
        _sender: &Address,
    ) {
    }
}

#[test]
fn a_node_can_have_its_own_costs() {
    let mut world = World::new(1);
    let listen = |reactor: &mut Reactor| reactor.listen_tcp("0.0.0.0:7", || Echo).map(drop);
    let server = world.add_node("server", listen);
    let address = (world.ipv4(server), 7); // A look-up would come first.
    let client = world
        .add_node("client", move |reactor| reactor.connect_tcp(address, || Sender(1)).map(drop));
    let begun = world.worked(client);
    assert_eq!(begun, Costs::default().call, "it began to connect");
    world.set_costs(client, Costs::NONE);
    let second = Duration::from_secs(1);
    world.run_for(second);
    let worked = world.worked(server);
    assert!(worked > Costs::default().call * 3, "it accepted, read and wrote: {worked:?}");
    assert!(worked < second / 1000, "and then it was idle: {worked:?}");
    assert_eq!(world.worked(client), begun);
    world.run_for(second);
    assert_eq!(world.worked(server), worked);
}

/// Records the length of each datagram.
struct Lengths(Rc<RefCell<Vec<usize>>>);

impl DatagramProtocol for Lengths {
    fn datagram_received(
        &mut self,
        _transport: &mut DatagramTransport<'_>,
        data: &[u8],
        _sender: &Address,
    ) {
        self.0.borrow_mut().push(data.len());
    }
}

#[test]
fn requests_outside_of_turns_take_time() {
    let link = Link { jitter: Duration::ZERO, ..Link::LOCAL };
    let mut world = World::new(1).link(link);
    let lengths = Rc::new(RefCell::new(Vec::new()));
    let shared = lengths.clone();
    let server = world.add_node("server", move |reactor| {
        reactor.listen_udp("0.0.0.0:7", Lengths(shared.clone())).map(drop)
    });
    let client = world.add_node("client", |_| Ok(()));
    let (address, day) = ((world.ipv4(server), 7), Duration::from_secs(86_400));
    let socket =
        world.reactor(client).unwrap().context().connect_udp(address, Lengths(lengths.clone()));
    let socket = socket.unwrap().id();
    world.run_for(day);
    let (worked, began) = (world.worked(client), world.now());
    let clock = world.reactor(client).unwrap().context().now();
    world.set_costs(client, Costs { write: Duration::from_secs(1), ..Costs::NONE });
    for length in [3, 2, 1] {
        world.reactor(client).unwrap().context().datagram(socket).send(&vec![b'x'; length]);
    }
    assert!(world.run_until(day, |_| lengths.borrow().len() == 3));
    assert_eq!(*lengths.borrow(), [3, 2, 1]);
    let sent = Duration::from_secs(3);
    assert!(world.now() - began >= sent, "{:?}", world.now() - began);
    assert!(world.worked(client) - worked >= sent, "{:?}", world.worked(client) - worked);
    assert!(world.reactor(client).unwrap().context().now() - clock >= sent);
}

/// The number of chunks, and the price of a KiB: a chunk costs less than a nanosecond.
const PIECES: u32 = 1000;
const PRICE: Duration = Duration::from_nanos(7);

/// Returns the price of these bytes.
fn price_of(bytes: u32) -> Duration {
    PRICE * bytes / 1024
}

/// Returns a world in which only data costs time.
fn world() -> World {
    World::new(1).costs(Costs { kibibyte: PRICE, ..Costs::NONE })
}

#[test]
fn write_calls_have_their_own_price() {
    let mut world = World::new(1).costs(Costs { write: PRICE, ..Costs::NONE });
    let listen = |reactor: &mut Reactor| reactor.listen_tcp("0.0.0.0:7", || Echo).map(drop);
    let server = world.add_node("server", listen);
    let speak = |reactor: &mut Reactor| reactor.connect_tcp("server:7", || Sender(3)).map(drop);
    let client = world.add_node("client", speak);
    world.run_for(Duration::from_secs(1));
    for node in [server, client] {
        assert_eq!(world.worked(node), PRICE * 3, "three chunks, and an answer to each");
    }
}

#[test]
fn each_byte_costs_its_share_of_a_kibibyte() {
    let mut world = world();
    let listen = |reactor: &mut Reactor| reactor.listen_tcp("0.0.0.0:7", || Echo).map(drop);
    let server = world.add_node("server", listen);
    let speak =
        |reactor: &mut Reactor| reactor.connect_tcp("server:7", || Sender(PIECES)).map(drop);
    let client = world.add_node("client", speak);
    world.run_for(Duration::from_secs(2));
    for node in [server, client] {
        assert_eq!(world.worked(node), price_of(2 * 100 * PIECES), "sent and sent back");
    }
}

#[test]
fn datagrams_cost_the_same_per_byte() {
    let mut world = world();
    let listen = |reactor: &mut Reactor| reactor.listen_udp("0.0.0.0:7", DatagramEcho).map(drop);
    let server = world.add_node("server", listen);
    let address = (world.ipv4(server), 7);
    let speak = move |reactor: &mut Reactor| {
        let context = reactor.context();
        context.connect_udp(address, Sender(PIECES)).map(drop)
    };
    let client = world.add_node("client", speak);
    world.run_for(Duration::from_secs(2));
    for node in [server, client] {
        assert_eq!(world.worked(node), price_of(2 * 100 * PIECES), "sent and sent back");
    }
}

#[test]
#[cfg(unix)]
fn unix_datagrams_cost_the_same_per_byte() {
    let mut world = world();
    let node = world.add_node("node", |reactor| {
        reactor.context().listen_unix_datagram("/run/silent", Sender(0))?;
        reactor.context().connect_unix_datagram("/run/silent", Sender(PIECES)).map(drop)
    });
    world.run_for(Duration::from_secs(2));
    assert_eq!(world.worked(node), price_of(2 * 100 * PIECES), "sent and received");
}
