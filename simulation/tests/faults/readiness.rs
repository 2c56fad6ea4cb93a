//! The faults of other event loops, played: what the poll says.

use crate::scene::*;
use ropewalk::{Context, Id, ListenOptions, SocketOption};
use ropewalk_simulation::{FaultKind, World};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

#[test]
fn what_came_before_the_end_is_heard_however_short_the_reads() {
    let mut world = World::new(1);
    let server = Cast::quiet();
    let node = listens(&mut world, &server);
    has(&mut world, FaultKind::ShortIo, node, seconds(60));
    let client = Cast::new(|transport, cue| {
        if let Cue::Made = cue {
            transport.write(&pattern(100_000));
            transport.close();
        }
    });
    connects(&mut world, &client);
    world.run_for(seconds(60));
    assert!(*server.heard.data.borrow() == pattern(100_000), "{}", server.heard.received());
    assert_eq!((server.heard.ends.get(), server.heard.reasons()), (1, vec!["ClosedByPeer".into()]));
}

#[test]
fn what_came_during_a_stall_is_read_though_it_is_more_than_a_turn_may_read() {
    const MUCH: usize = 4_000_000;
    let mut world = World::new(1);
    let server = Cast::quiet();
    let theirs = server.clone();
    let node = world.add_node("server", move |reactor| {
        let options = ListenOptions::new().option(SocketOption::ReceiveBuffer(2 * MUCH));
        reactor.context().listen_tcp_with("0.0.0.0:7000", &options, theirs.clone()).map(drop)
    });
    connects(&mut world, &Cast::says(pattern(MUCH)));
    world.run_for(milliseconds(1));
    assert_eq!(server.heard.made.get(), 1);
    has(&mut world, FaultKind::Stall, node, seconds(10));
    world.run_for(seconds(20));
    // Nothing comes any more, so no event tells of the rest.
    assert!(*server.heard.data.borrow() == pattern(MUCH), "{}", server.heard.received());
}

#[test]
fn whoever_gets_the_slot_of_one_that_was_closed_hears_nothing_of_it() {
    let mut world = World::new(1);
    let ids = Rc::new(RefCell::new(Vec::<Id>::new()));
    let (theirs, new) = (ids.clone(), Cast::quiet());
    let again = new.clone();
    // The first of 64 that hears something closes all others, and has as many new ones made at once.
    let server = Cast::new(move |transport, cue| match cue {
        Cue::Made => theirs.borrow_mut().push(transport.id()),
        Cue::Data(_) => {
            let first = transport.id();
            for id in theirs.take().into_iter().filter(|id| *id != first) {
                transport.context().abort(id);
                let connected = transport.context().connect_tcp("client:7001", again.clone());
                assert!(connected.is_ok());
            }
        }
        _ => {}
    });
    let node = listens(&mut world, &server);
    let quiet = Cast::quiet();
    world.add_node("client", move |reactor| {
        reactor.listen_tcp("0.0.0.0:7001", quiet.clone())?;
        for _ in 0..64 {
            reactor.connect_tcp("server:7000", Cast::says("for the old ones only"))?;
        }
        Ok(())
    });
    has(&mut world, FaultKind::Stall, node, milliseconds(10));
    world.run_for(milliseconds(5));
    assert_eq!(ids.borrow().len(), 0, "all of them come at once");
    world.run_for(seconds(10));
    assert_eq!((server.heard.made.get(), new.heard.made.get()), (64, 63));
    assert_eq!(new.heard.received(), 0);
}

#[test]
fn what_arrived_together_with_the_end_is_heard_before_it() {
    let mut world = World::new(1);
    let server = Cast::new(|transport, cue| match cue {
        Cue::Made => {
            transport.pause();
            let id = transport.id();
            transport.context().call_later(seconds(5), move |context| context.resume(id));
        }
        cue => close_at_end(transport, cue),
    });
    listens(&mut world, &server);
    let client = Cast::new(|transport, cue| {
        if let Cue::Made = cue {
            transport.write(&pattern(50_000));
            transport.close();
        }
    });
    connects(&mut world, &client);
    world.run_for(seconds(4));
    assert_eq!((server.heard.received(), server.heard.ends.get()), (0, 0));
    world.run_for(seconds(4));
    assert!(*server.heard.data.borrow() == pattern(50_000));
    assert_eq!(server.heard.reasons(), ["ClosedByPeer"]);
}

#[test]
fn a_thousand_who_are_ready_at_once_are_all_served_in_the_next_turns() {
    let mut world = World::new(1);
    let server = Cast::echo();
    let node = listens(&mut world, &server);
    let clients = Cast::says("hello");
    for _ in 0..10 {
        let clients = clients.clone();
        does(&mut world, "client", move |context| {
            for _ in 0..100 {
                let connected = context.connect_tcp("server:7000", clients.clone());
                assert!(connected.is_ok());
            }
        });
    }
    world.run_for(milliseconds(5));
    let before = turns(&mut world, node);
    has(&mut world, FaultKind::Stall, node, seconds(1));
    world.run_for(seconds(2));
    assert_eq!(clients.heard.received(), 5000);
    assert!(turns(&mut world, node) - before < 1000 / 64 + 20);
}

#[test]
fn timers_without_delay_leave_the_sockets_their_turn() {
    let mut world = World::new(1);
    let server = Cast::echo();
    let node = listens(&mut world, &server);
    fn spin(context: &mut Context) {
        context.call_later(Duration::ZERO, spin);
    }
    world.reactor(node).unwrap().context().call_later(Duration::ZERO, spin);
    let client = Cast::says("hello");
    connects(&mut world, &client);
    world.run_for(milliseconds(10));
    assert_eq!(client.heard.received(), 5);
}

#[test]
fn nobody_believes_a_poll_that_says_too_much() {
    let mut world = World::new(1);
    let server = Cast::echo();
    let node = listens(&mut world, &server);
    has(&mut world, FaultKind::Spurious, node, seconds(60));
    let asked = Rc::new(Cell::new(0));
    let asks = asked.clone();
    let client = Cast::new(move |transport, cue| match cue {
        Cue::Made | Cue::Data(_) if asks.get() < 1000 => {
            asks.set(asks.get() + 1);
            transport.write(b"and?");
        }
        Cue::Data(_) => transport.close(),
        _ => {}
    });
    connects(&mut world, &client);
    world.run_for(seconds(60));
    assert_eq!((asked.get(), client.heard.received()), (1000, 4000));
    assert_eq!((client.heard.ends.get(), client.heard.reasons()), (0, vec!["Closed".into()]));
    assert_eq!(server.heard.reasons(), ["ClosedByPeer"]);
}

#[test]
fn overlapping_refusals_of_reads_and_writes_make_few_turns() {
    let mut world = World::new(1);
    let server = Cast::new(|transport, cue| {
        if let Cue::Made = cue {
            transport.write(&pattern(100_000));
        }
    });
    let node = listens(&mut world, &server);
    let client = Cast::new(|transport, cue| {
        if let Cue::Made = cue {
            transport.write(&pattern(100_000));
        }
    });
    connects(&mut world, &client);
    // Each refuses every second call; together they refuse all.
    has(&mut world, FaultKind::WouldBlock, node, seconds(10));
    has(&mut world, FaultKind::WouldBlock, node, seconds(10));
    world.run_for(seconds(10));
    let before = turns(&mut world, node);
    assert!((5_000..25_000).contains(&before), "{before}, where an event comes every millisecond");
    world.run_for(seconds(10));
    assert_eq!(server.heard.received() + client.heard.received(), 200_000);
}
