//! Faults of other event loops: sockets that are closed too early after a graceful close.

use crate::scripts::*;
use ropewalk_simulation::World;

/// More than the read buffer, and less than the buffers of the simulated system.
const MUCH: usize = 250_000;

/// Runs a server that sends `count` bytes and closes, and this client.
fn run(count: usize, client: &Script) -> (World, Script) {
    let mut world = World::new(1);
    let sends = pattern(count);
    let server = Script::new(move |transport, event| {
        if let Event::Made = event {
            transport.write(&sends);
            transport.close();
        }
    });
    add_server(&mut world, &server);
    add_client(&mut world, client);
    world.run_for(seconds(100));
    (world, server)
}

/// Much may be left in the buffers of the system after a close, and a reset would destroy it.
#[test]
fn a_slow_reader_that_sends_receives_everything() {
    let client = Script::new(|transport, event| match event {
        Event::Data(_) => {
            transport.write(b"next");
            pause_for(transport, milliseconds(1500));
        }
        event => close_at_end(transport, event),
    });
    run(MUCH, &client);
    let record = &client.record;
    assert_eq!((record.reasons(), record.received()), (vec!["ClosedByPeer".to_owned()], MUCH));
}

#[test]
fn a_closed_socket_lingers_half_a_minute_at_most() {
    let client = Script::new(|transport, event| {
        if let Event::Made = event {
            transport.pause();
            let id = transport.id();
            for n in 1..90 {
                transport
                    .context()
                    .call_later(seconds(n), move |context| context.transport(id).write(b"more"));
            }
        }
    });
    let (_, server) = run(1000, &client);
    assert_eq!(client.record.reasons(), ["Reset"]);
    let took = client.record.at.get().unwrap() - server.record.at.get().unwrap();
    assert!((seconds(29)..seconds(34)).contains(&took), "{took:?}");
}
