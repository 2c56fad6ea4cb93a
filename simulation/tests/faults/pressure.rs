//! The faults of other event loops, played: what waits, fairness, and what is left behind.

use crate::scene::*;
use ropewalk::{Context, ListenOptions, SocketOption};
use ropewalk_simulation::World;
use std::cell::RefCell;
use std::rc::Rc;

/// How much it takes until the system takes no more.
const MUCH: usize = 1_000_000;

#[test]
fn an_echo_stops_reading_when_its_peer_reads_nothing() {
    let mut world = World::new(1);
    let server = Cast::new(|transport, cue| match cue {
        Cue::Data(data) => transport.write(data),
        Cue::Paused => transport.pause(),
        Cue::Resumed => transport.resume(),
        cue => close_at_end(transport, cue),
    });
    let node = listens(&mut world, &server);
    let client = Cast::new(|transport, cue| match cue {
        Cue::Made => {
            transport.pause();
            transport.write(&pattern(10 * MUCH));
            let id = transport.id();
            transport.context().call_later(seconds(60), move |context| context.resume(id));
        }
        Cue::Data(_) => transport.write_eof(),
        _ => {}
    });
    connects(&mut world, &client);
    world.run_for(seconds(30));
    let waiting = world.reactor(node).unwrap().context().statistics().waiting;
    assert!(waiting > 64 * 1024 && waiting < 64 * 1024 + 256 * 1024, "{waiting}");
    world.run_for(seconds(300));
    assert!(*client.heard.data.borrow() == pattern(10 * MUCH));
}

#[test]
fn one_who_reads_nothing_is_lost_at_the_limit_and_harms_nobody_else() {
    let mut world = World::new(1);
    let members = Rc::new(RefCell::new(Vec::new()));
    let theirs = members.clone();
    let server = Cast::new(move |transport, cue| {
        if let Cue::Made = cue {
            transport.set_write_limit(MUCH);
            theirs.borrow_mut().push(transport.id());
        }
    });
    let node = listens(&mut world, &server);
    let (stuck, readers) = (says_and(0, |transport| transport.pause()), Cast::quiet());
    connects(&mut world, &stuck);
    for _ in 0..99 {
        connects(&mut world, &readers);
    }
    world.run_for(seconds(1));
    assert_eq!(members.borrow().len(), 100);
    for _ in 0..100 {
        let context = world.reactor(node).unwrap().context();
        for id in members.borrow().iter() {
            context.write(*id, &[b'x'; 30_000]);
        }
        world.run_for(milliseconds(50));
    }
    world.run_for(seconds(10));
    assert_eq!(server.heard.reasons(), ["WriteLimit"]);
    assert_eq!(readers.heard.received(), 99 * 100 * 30_000);
}

#[test]
fn two_floods_leave_a_third_its_turn() {
    let mut world = World::new(1);
    let server = Cast::echo();
    let theirs = server.clone();
    world.add_node("server", move |reactor| {
        let options = ListenOptions::new().option(SocketOption::ReceiveBuffer(MUCH));
        let context = reactor.context();
        context.listen_tcp_with("0.0.0.0:7000", &options, theirs.clone()).map(drop)
    });
    let floods = || {
        Cast::new(|transport, cue| match cue {
            Cue::Made => transport.write(&pattern(MUCH)),
            Cue::Data(data) => transport.write(data),
            _ => {}
        })
    };
    let (pings, slowest) = pings();
    for cast in [floods(), floods(), pings.clone()] {
        connects(&mut world, &cast);
    }
    world.run_for(milliseconds(200));
    assert!(pings.heard.received() > 100, "{}", pings.heard.received());
    assert!(slowest.get() < milliseconds(10), "{slowest:?}");
}

#[test]
fn ten_thousand_who_come_and_go_leave_nothing_behind() {
    let mut world = World::new(1);
    let server = Cast::echo();
    let node = listens(&mut world, &server);
    fn again(context: &mut Context, clients: Cast, left: u32) {
        for _ in 0..20 {
            assert!(context.connect_tcp("server:7000", clients.clone()).is_ok());
        }
        if left > 20 {
            context.call_later(milliseconds(20), move |context| again(context, clients, left - 20));
        }
    }
    let clients = Cast::new(|transport, cue| match cue {
        Cue::Made => transport.write(b"hello"),
        Cue::Data(_) => transport.close(),
        _ => {}
    });
    let theirs = clients.clone();
    does(&mut world, "clients", move |context| again(context, theirs.clone(), 10_000));
    world.run_for(seconds(20));
    assert_eq!(clients.heard.reasons(), vec!["Closed"; 10_000]);
    assert_eq!((clients.heard.alive.get(), server.heard.alive.get()), (0, 0));
    let last = server.heard.id.get().unwrap();
    assert!(slot(last) < 100, "slots are used again: {last}");
    nobody_is_left(&mut world);
    assert!(world.run_until_quiet(seconds(60)), "no timers are left");
    let _ = node;
}
