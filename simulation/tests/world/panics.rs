//! Panics of callbacks fail the run of a world.

use ropewalk::{Context, Error, Protocol, Reactor, Transport};
use ropewalk_protocols::Echo;
use ropewalk_simulation::kit::{TestConnection, TestServer};
use ropewalk_simulation::{Exploration, World};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Returns the message with which `code` panics.
fn message_of<R>(code: impl FnOnce() -> R) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(code)).err()?;
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    Some(text.or_else(|| payload.downcast_ref::<String>().cloned()).expect("a message"))
}

/// Panics when it is dropped.
struct PanickingDrop;

impl Drop for PanickingDrop {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

impl Protocol for PanickingDrop {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

/// Panics when it receives data.
struct PanickingProtocol;

impl Protocol for PanickingProtocol {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {
        panic!("on purpose");
    }
}

/// Sends a line, and closes.
struct Caller;

impl Protocol for Caller {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.write(b"hello");
        transport.close();
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

type Program = fn(&mut Reactor) -> Result<(), Error>;

fn serve(reactor: &mut Reactor, make: fn() -> Box<dyn Protocol>) -> Result<(), Error> {
    reactor.listen_tcp("[::]:7000", ProtocolFactory(make)).map(drop)
}

struct ProtocolFactory(fn() -> Box<dyn Protocol>);

impl ropewalk::Factory for ProtocolFactory {
    fn build(&mut self, _peer: &ropewalk::Address) -> Option<Box<dyn Protocol>> {
        Some((self.0)())
    }
}

/// The panics, and how to cause them.
const PROGRAMS: [(&str, Program); 6] = [
    ("panic in data_received of", |reactor| serve(reactor, || Box::new(PanickingProtocol))),
    ("panic in drop of", |reactor| serve(reactor, || Box::new(PanickingDrop))),
    ("panic in build of", |reactor| serve(reactor, || panic!("on purpose"))),
    ("panic in timer of", |reactor| {
        reactor.context().call_later(SECOND, |_| panic!("on purpose"));
        Ok(())
    }),
    ("panic in timer of", |reactor| {
        // Its reactor is removed at the end of the turn.
        reactor.context().call_later(SECOND, |context: &mut Context| {
            context.stop();
            panic!("on purpose");
        });
        Ok(())
    }),
    ("panic in call of", |reactor| {
        let handle = reactor.handle();
        reactor.context().call_later(SECOND, move |_| {
            handle.call(|_| panic!("on purpose")).expect("the reactor runs");
        });
        Ok(())
    }),
];

fn world(program: Program) -> World {
    let mut world = World::new(1);
    world.add_node("server", program);
    world.add_node("client", |reactor| {
        reactor.context().call_later(SECOND, |context| {
            context.connect_tcp("server:7000", || Caller).expect("the address is valid");
        });
        Ok(())
    });
    world
}

#[test]
fn a_panic_of_a_callback_fails_the_run() {
    for (what, program) in PROGRAMS {
        let mut world = world(program);
        let message = message_of(|| world.run_for(2 * SECOND)).expect(what);
        assert!(message.starts_with("node server: "), "{what}: {message}");
        assert!(message.contains(what) && message.ends_with(": on purpose"), "{message}");
        world.run_for(2 * SECOND); // It is raised once.
    }
}

#[test]
fn allowed_panics_do_not_fail_the_run() {
    for (what, program) in PROGRAMS {
        let mut world = world(program);
        world.allow_panics(|message| message == "on purpose");
        world.run_for(2 * SECOND);
        let mut world = self::world(program);
        world.allow_panics(|message| message == "another message");
        assert!(message_of(|| world.run_for(2 * SECOND)).is_some(), "{what}");
    }
}

#[test]
fn panics_in_drops_fail_the_run() {
    let (_, program) = PROGRAMS[3];
    for crashes in [true, false] {
        let mut world = world(program);
        let node = world.nodes().next().unwrap();
        let context = world.reactor(node).unwrap().context();
        context.call_later(3600 * SECOND, |_| drop(PanickingDrop));
        let bomb = PanickingDrop;
        context.call_later(3600 * SECOND, move |_| drop(bomb));
        let message = message_of(|| match crashes {
            true => world.crash(node),
            false => drop(world),
        });
        assert!(message.expect("it fails").contains("panic in drop of"));
    }
}

#[test]
fn a_panic_fails_an_exploration_with_its_seed() {
    for (what, program) in PROGRAMS {
        let message = message_of(|| {
            Exploration::new(7..9).run(2, |world, plan, length| {
                *world = self::world(program);
                world.add_faults(plan);
                world.run_for(length.min(2 * SECOND));
                Ok(())
            })
        });
        let message = message.expect(what);
        assert!(message.contains("seed 7") && message.contains(what), "{message}");
    }
}

#[test]
fn a_panic_in_drop_fails_an_exploration() {
    let message = message_of(|| {
        Exploration::new(7..8).run(1, |world, _plan, length| {
            world.add_node("server", |reactor| {
                let bomb = PanickingDrop;
                reactor.context().call_later(3600 * SECOND, move |_| drop(bomb));
                Ok(())
            });
            world.run_for(length);
            Ok(())
        })
    });
    let message = message.expect("it fails");
    assert!(message.contains("seed 7") && message.contains("panic in drop"), "{message}");
}

#[test]
fn a_panicking_timer_that_stops_fails_tests() {
    let mut connection = TestConnection::new(|| Echo);
    connection.call(|context| {
        context.call_later(SECOND, |context| {
            context.stop();
            panic!("on purpose");
        });
    });
    let message = message_of(|| connection.advance(SECOND));
    assert!(message.expect("it fails").ends_with("on purpose"));
}

#[test]
fn a_panic_in_the_final_drop_fails_tests() {
    let mut server = TestServer::new(|| PanickingDrop);
    let client = server.connect();
    let message = message_of(|| {
        drop(server);
        drop(client);
    });
    assert!(message.expect("it fails").ends_with("on purpose"));
}
