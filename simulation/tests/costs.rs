//! What work costs, and where.

use ropewalk::{Protocol, Transport};
use ropewalk_simulation::{Costs, World};
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
    world.set_costs(client, Costs::NONE);
    let second = Duration::from_secs(1);
    world.run_for(second);
    let worked = world.worked(server);
    assert!(worked > Costs::default().call * 3, "it accepted, read and wrote: {worked:?}");
    assert!(worked < second / 1000, "and then it was idle: {worked:?}");
    assert_eq!(world.worked(client), Duration::ZERO);
    world.run_for(second);
    assert_eq!(world.worked(server), worked);
}
