//! What work costs, and where.

use ropewalk::{Address, DatagramProtocol, DatagramTransport, Protocol, Transport};
use ropewalk_simulation::{Costs, Link, World};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Sends back what comes.
struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.write(data);
    }
}

/// Says so much, and hears it come back.
struct Speak(usize);

impl Protocol for Speak {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.write(&vec![b'x'; self.0]);
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

#[test]
fn a_node_may_have_costs_of_its_own_and_tells_how_long_it_has_worked() {
    let mut world = World::new(1);
    let listen =
        |reactor: &mut ropewalk::Reactor| reactor.listen_tcp("0.0.0.0:7", || Echo).map(drop);
    let server = world.add_node("server", listen);
    let client = world
        .add_node("client", |reactor| reactor.connect_tcp("server:7", || Speak(100)).map(drop));
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

/// Notes how long each datagram is.
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
fn what_a_node_is_asked_outside_of_its_turns_takes_time_as_well() {
    let link = Link { jitter: Duration::ZERO, ..Link::LOCAL };
    let mut world = World::new(1).link(link);
    let lengths = Rc::new(RefCell::new(Vec::new()));
    let theirs = lengths.clone();
    let server = world.add_node("server", move |reactor| {
        reactor.listen_udp("0.0.0.0:7", Lengths(theirs.clone())).map(drop)
    });
    let client = world.add_node("client", |_| Ok(()));
    let (address, day) = ((world.ipv4(server), 7), Duration::from_secs(86_400));
    let socket =
        world.reactor(client).unwrap().context().connect_udp(address, Lengths(lengths.clone()));
    let socket = socket.unwrap().id();
    world.run_for(day);
    let (worked, began) = (world.worked(client), world.now());
    let clock = world.reactor(client).unwrap().context().now();
    world.set_costs(client, Costs { call: Duration::from_secs(1), ..Costs::NONE });
    for length in [3, 2, 1] {
        world.reactor(client).unwrap().context().send(socket, &vec![b'x'; length]);
    }
    assert!(world.run_until(day, |_| lengths.borrow().len() == 3));
    assert_eq!(*lengths.borrow(), [3, 2, 1]);
    let sent = Duration::from_secs(3);
    assert!(world.now() - began >= sent, "{:?}", world.now() - began);
    assert!(world.worked(client) - worked >= sent, "{:?}", world.worked(client) - worked);
    assert!(world.reactor(client).unwrap().context().now() - clock >= sent);
}
