//! Faults of other event loops: data and ends of streams.

use crate::scripts::*;
use ropewalk::{ConnectOptions, Context, KeepAlive, SocketOption};
use ropewalk_simulation::{FaultKind, NodeId, World};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// An upper limit of the data that the system buffers.
const MUCH: usize = 1_000_000;

/// Runs these two scripts until no events are left.
fn run(server: &Script, client: &Script) -> (World, NodeId, NodeId) {
    let mut world = World::new(1);
    let node = add_server(&mut world, server);
    let other = add_client(&mut world, client);
    world.run_for(seconds(300));
    (world, node, other)
}

#[test]
fn a_peer_that_ends_receives_all_data() {
    let (server, client) = (Script::echo(), sending_and(MUCH, |transport| transport.write_eof()));
    let (mut world, ..) = run(&server, &client);
    assert!(*client.record.data.borrow() == pattern(MUCH));
    assert_eq!(client.record.reasons(), ["Closed"]);
    assert_nothing_left(&mut world);
}

#[test]
fn a_half_close_follows_written_data() {
    let client = Script::new(|transport, event| {
        if let Event::Eof = event {
            transport.write(b"and now I");
            transport.close();
        }
    });
    let server = sending_and(MUCH, |transport| transport.write_eof());
    let (mut world, ..) = run(&server, &client);
    assert!(*client.record.data.borrow() == pattern(MUCH));
    assert_eq!(*server.record.data.borrow(), b"and now I");
    assert_nothing_left(&mut world);
}

#[test]
fn both_sides_may_end_repeatedly() {
    let ends = || {
        sending_and(100, |transport| {
            transport.write_eof();
            transport.write_eof();
        })
    };
    let (server, client) = (ends(), ends());
    let (mut world, ..) = run(&server, &client);
    assert_eq!((server.record.received(), client.record.received()), (100, 100));
    assert_eq!((server.record.reasons().len(), client.record.reasons().len()), (1, 1));
    assert_nothing_left(&mut world);
}

#[test]
fn a_reset_during_a_write_is_reported_once() {
    let client = Script::new(|transport, event| {
        if let Event::Data(_) = event {
            transport.abort();
        }
    });
    let server = sending_and(50 * MUCH, |_| {});
    let (mut world, node, _) = run(&server, &client);
    assert_eq!((server.record.reasons(), client.record.reasons().len()), (vec!["Reset".into()], 1));
    assert_eq!(world.reactor(node).unwrap().context().statistics().queued, 0);
    assert_nothing_left(&mut world);
}

#[test]
fn writes_to_a_lost_connection_are_dropped() {
    let mut world = World::new(1);
    let server = Script::silent();
    let node = add_server(&mut world, &server);
    let clients = sending_and(5, |transport| transport.close());
    add_client(&mut world, &clients);
    world.run_for(seconds(5));
    let gone = server.record.id.get().unwrap();
    let next = Script::silent();
    add_client(&mut world, &next);
    world.run_for(seconds(1));
    assert_eq!(slot(server.record.id.get().unwrap()), slot(gone));
    let context = world.reactor(node).unwrap().context();
    context.transport(gone).write(b"who is there?");
    context.transport(gone).write_eof();
    context.abort(gone);
    world.run_for(seconds(1));
    assert_eq!((next.record.received(), next.record.ends.get()), (0, 0));
}

#[test]
fn a_close_waits_for_a_slow_reader() {
    let client = Script::new(|transport, event| match event {
        Event::Data(_) => pause_for(transport, seconds(1)),
        event => close_at_end(transport, event),
    });
    let server = sending_and(5 * MUCH, |transport| transport.close());
    let (mut world, ..) = run(&server, &client);
    assert!(*client.record.data.borrow() == pattern(5 * MUCH), "{}", client.record.received());
    assert_eq!(server.record.reasons(), ["Closed"]);
    assert_nothing_left(&mut world);
}

#[test]
fn an_abort_in_a_callback_ends_data() {
    let server = Script::new(|transport, event| {
        if let Event::Data(_) = event {
            transport.abort();
            transport.close();
            transport.abort();
        }
    });
    let client = sending_and(MUCH, |_| {});
    let (mut world, ..) = run(&server, &client);
    assert!(server.record.received() <= 64 * 1024, "one buffer");
    assert_eq!(server.record.reasons(), ["Aborted"]);
    assert_nothing_left(&mut world);
}

#[test]
fn repeated_closes_and_aborts_are_one_end() {
    let server = sending_and(MUCH, |transport| {
        transport.close();
        transport.close();
        let id = transport.id();
        transport.context().call_later(Duration::ZERO, move |context| {
            context.abort(id);
            context.abort(id);
        });
    });
    let client = Script::pausing();
    let (mut world, ..) = run(&server, &client);
    assert_eq!(
        (server.record.reasons(), client.record.reasons().len()),
        (vec!["Aborted".into()], 1)
    );
    assert_nothing_left(&mut world);
}

#[test]
fn an_early_answer_reaches_a_sending_client() {
    let server = Script::new(|transport, event| {
        if let Event::Data(_) = event {
            transport.write(&pattern(1000));
            transport.close();
        }
    });
    // It reads after everything is sent.
    let client = Script::new(|transport, event| match event {
        Event::Made => {
            pause_for(transport, seconds(1));
            transport.write(&pattern(MUCH));
        }
        event => close_at_end(transport, event),
    });
    let (mut world, ..) = run(&server, &client);
    assert!(*client.record.data.borrow() == pattern(1000), "{}", client.record.received());
    assert_nothing_left(&mut world);
}

#[test]
fn a_reset_is_noticed_without_reading() {
    let server = Script::pausing();
    let (mut world, ..) = run(&server, &sending_and(10, |transport| transport.abort()));
    assert_eq!(server.record.reasons(), ["Reset"]);
    assert_nothing_left(&mut world);
}

#[test]
fn writes_before_the_connection_are_sent_first() {
    let mut world = World::new(1);
    let server = Script::silent();
    add_server(&mut world, &server);
    run_on_node(&mut world, "client", |context| {
        let id = context.connect_tcp("server:7000", Script::silent()).unwrap();
        fn write(context: &mut Context, id: ropewalk::Id, number: u32) {
            for number in number..number + 100 {
                context.transport(id).write(&number.to_le_bytes());
            }
            if number < 9_900 {
                let delay = Duration::from_micros(10);
                context.call_later(delay, move |context| write(context, id, number + 100));
            }
        }
        write(context, id, 0);
    });
    world.run_for(seconds(10));
    let written: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
    assert!(*server.record.data.borrow() == written);
}

#[test]
fn short_writes_lose_no_data() {
    let mut world = World::new(1);
    let server = Script::silent();
    let node = add_server(&mut world, &server);
    add_fault(&mut world, FaultKind::Buffers, node, seconds(600));
    let client = Script::new(|transport, event| match event {
        Event::Made => {
            let text = pattern(20_000);
            transport.write_sequence(text.chunks(7));
            transport.write(b"");
            transport.close();
        }
        event => close_at_end(transport, event),
    });
    let other = add_client(&mut world, &client);
    add_fault(&mut world, FaultKind::ShortIo, other, seconds(600));
    add_fault(&mut world, FaultKind::WouldBlock, other, seconds(600));
    world.run_for(seconds(600));
    assert!(*server.record.data.borrow() == pattern(20_000), "{}", server.record.received());
    assert_eq!((server.record.ends.get(), client.record.reasons()), (1, vec!["Closed".into()]));
}

#[test]
fn an_empty_write_is_no_end() {
    let server = Script::silent();
    let client = Script::new(|transport, event| {
        if let Event::Made = event {
            transport.write(b"");
            transport.write_sequence([&b""[..], b""]);
        }
    });
    let (mut world, _, other) = run(&server, &client);
    assert_eq!((server.record.ends.get(), server.record.reasons().len()), (0, 0));
    assert_eq!(world.reactor(other).unwrap().context().connections().count(), 1);
}

#[test]
fn the_peer_is_known_in_connection_lost() {
    let peers = Rc::new(RefCell::new(Vec::new()));
    let shared = peers.clone();
    let server = Script::new(move |transport, event| match event {
        Event::Made | Event::Lost => shared.borrow_mut().push(transport.peer()),
        _ => {}
    });
    run(&server, &sending_and(10, |transport| transport.abort()));
    let peers = peers.borrow();
    assert_eq!((peers.len(), &peers[0]), (2, &peers[1]));
}

/// Returns the time from the attempt to connect until the client has timed out. After one second, nothing gets through
/// any more.
fn time_until_timed_out(options: ConnectOptions, client: &Script) -> Option<Duration> {
    let mut world = World::new(1);
    let node = add_server(&mut world, &Script::silent());
    let shared = client.clone();
    let since = Rc::new(Cell::new(None));
    let begun = since.clone();
    run_on_node(&mut world, "client", move |context| {
        begun.set(Some(context.now()));
        let connected = options.connect_tcp(context, "server:7000", shared.clone());
        assert!(connected.is_ok());
    });
    world.run_for(seconds(1));
    add_fault(&mut world, FaultKind::HalfOpen, node, seconds(1));
    world.run_for(seconds(2000));
    match &client.record.reasons()[..] {
        [reason] if reason == "TimedOut" => Some(client.record.at.get()? - since.get()?),
        reasons => panic!("{reasons:?}"),
    }
}

/// Returns a script that writes two seconds after it has connected.
fn writing_later() -> Script {
    Script::new(|transport, event| {
        if let Event::Made = event {
            let id = transport.id();
            transport
                .context()
                .call_later(seconds(2), move |context| context.transport(id).write(b"?"));
        }
    })
}

#[test]
fn keep_alive_detects_a_silent_peer() {
    let keep_alive = KeepAlive { idle: seconds(30), interval: seconds(5), count: 3 };
    let options = ConnectOptions::new().keep_alive(keep_alive);
    let took = time_until_timed_out(options, &Script::silent()).unwrap();
    assert!((seconds(40)..seconds(50)).contains(&took), "{took:?}");
}

#[test]
fn the_user_timeout_ends_unanswered_data() {
    let options = ConnectOptions::new().option(SocketOption::UserTimeout(Some(seconds(20))));
    let took = time_until_timed_out(options, &writing_later()).unwrap();
    assert!((seconds(2 + 20)..seconds(2 + 21)).contains(&took), "{took:?}");
}

#[test]
fn the_system_gives_up_after_fifteen_minutes() {
    let took = time_until_timed_out(ConnectOptions::new(), &writing_later()).unwrap();
    assert!((seconds(700)..seconds(1000)).contains(&took), "{took:?}");
}

#[test]
fn the_user_timeout_applies_to_random_loss() {
    let mut world = World::new(1);
    let node = add_server(&mut world, &Script::silent());
    let client = Script::silent();
    let shared = client.clone();
    let options = ConnectOptions::new().option(SocketOption::UserTimeout(Some(milliseconds(3000))));
    let other = run_on_node(&mut world, "client", move |context| {
        options.connect_tcp(context, "server:7000", shared.clone()).unwrap();
    });
    world.run_for(seconds(1));
    // Each fault loses at most half of the segments; together they lose all.
    add_fault(&mut world, FaultKind::Loss, node, seconds(600));
    add_fault(&mut world, FaultKind::Loss, other, seconds(600));
    let id = client.record.id.get().unwrap();
    world.reactor(other).unwrap().context().transport(id).write(b"?");
    world.run_for(milliseconds(3100));
    assert!(client.record.reasons().is_empty());
    world.run_for(milliseconds(300));
    assert_eq!(client.record.reasons(), ["TimedOut"]);
}
