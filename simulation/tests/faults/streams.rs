//! The faults of other event loops, played: bytes and ends.

use crate::scene::*;
use ropewalk::{ConnectOptions, Context, KeepAlive, SocketOption};
use ropewalk_simulation::{FaultKind, NodeId, World};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// How much it takes until the system takes no more.
const MUCH: usize = 1_000_000;

/// Plays these two until nothing is to be expected any more.
fn play(server: &Cast, client: &Cast) -> (World, NodeId, NodeId) {
    let mut world = World::new(1);
    let node = listens(&mut world, server);
    let other = connects(&mut world, client);
    world.run_for(seconds(300));
    (world, node, other)
}

#[test]
fn a_peer_that_ends_its_side_gets_all_that_it_is_owed() {
    let (server, client) = (Cast::echo(), says_and(MUCH, |transport| transport.write_eof()));
    let (mut world, ..) = play(&server, &client);
    assert!(*client.heard.data.borrow() == pattern(MUCH));
    assert_eq!(client.heard.reasons(), ["Closed"]);
    nobody_is_left(&mut world);
}

#[test]
fn the_end_of_our_side_comes_after_what_was_written_and_leaves_the_other_open() {
    let client = Cast::new(|transport, cue| {
        if let Cue::Eof = cue {
            transport.write(b"and now I");
            transport.close();
        }
    });
    let server = says_and(MUCH, |transport| transport.write_eof());
    let (mut world, ..) = play(&server, &client);
    assert!(*client.heard.data.borrow() == pattern(MUCH));
    assert_eq!(*server.heard.data.borrow(), b"and now I");
    nobody_is_left(&mut world);
}

#[test]
fn both_may_end_at_once_and_more_than_once() {
    let ends = || {
        says_and(100, |transport| {
            transport.write_eof();
            transport.write_eof();
        })
    };
    let (server, client) = (ends(), ends());
    let (mut world, ..) = play(&server, &client);
    assert_eq!((server.heard.received(), client.heard.received()), (100, 100));
    assert_eq!((server.heard.reasons().len(), client.heard.reasons().len()), (1, 1));
    nobody_is_left(&mut world);
}

#[test]
fn a_reset_in_the_middle_of_a_long_write_is_told_once() {
    let client = Cast::new(|transport, cue| {
        if let Cue::Data(_) = cue {
            transport.abort();
        }
    });
    let server = says_and(50 * MUCH, |_| {});
    let (mut world, node, _) = play(&server, &client);
    assert_eq!((server.heard.reasons(), client.heard.reasons().len()), (vec!["Reset".into()], 1));
    assert_eq!(world.reactor(node).unwrap().context().statistics().waiting, 0);
    nobody_is_left(&mut world);
}

#[test]
fn what_is_written_to_one_that_is_gone_reaches_nobody() {
    let mut world = World::new(1);
    let server = Cast::quiet();
    let node = listens(&mut world, &server);
    let clients = says_and(5, |transport| transport.close());
    connects(&mut world, &clients);
    world.run_for(seconds(5));
    let gone = server.heard.id.get().unwrap();
    let next = Cast::quiet();
    connects(&mut world, &next);
    world.run_for(seconds(1));
    assert_eq!(slot(server.heard.id.get().unwrap()), slot(gone));
    let context = world.reactor(node).unwrap().context();
    context.write(gone, b"who is there?");
    context.write_eof(gone);
    context.abort(gone);
    world.run_for(seconds(1));
    assert_eq!((next.heard.received(), next.heard.ends.get()), (0, 0));
}

#[test]
fn a_close_waits_for_a_slow_reader() {
    let client = Cast::new(|transport, cue| match cue {
        Cue::Data(_) => {
            transport.pause();
            let id = transport.id();
            transport.context().call_later(seconds(1), move |context| context.resume(id));
        }
        cue => close_at_end(transport, cue),
    });
    let server = says_and(5 * MUCH, |transport| transport.close());
    let (mut world, ..) = play(&server, &client);
    assert!(*client.heard.data.borrow() == pattern(5 * MUCH), "{}", client.heard.received());
    assert_eq!(server.heard.reasons(), ["Closed"]);
    nobody_is_left(&mut world);
}

#[test]
fn after_an_abort_in_its_callback_nobody_hears_any_more_data() {
    let server = Cast::new(|transport, cue| {
        if let Cue::Data(_) = cue {
            transport.abort();
            transport.close();
            transport.abort();
        }
    });
    let client = says_and(MUCH, |_| {});
    let (mut world, ..) = play(&server, &client);
    assert!(server.heard.received() <= 64 * 1024, "one buffer");
    assert_eq!(server.heard.reasons(), ["Aborted"]);
    nobody_is_left(&mut world);
}

#[test]
fn a_close_twice_and_an_abort_after_it_are_one_end() {
    let server = says_and(MUCH, |transport| {
        transport.close();
        transport.close();
        let id = transport.id();
        transport.context().call_later(Duration::ZERO, move |context| {
            context.abort(id);
            context.abort(id);
        });
    });
    let client = Cast::new(|transport, cue| {
        if let Cue::Made = cue {
            transport.pause();
        }
    });
    let (mut world, ..) = play(&server, &client);
    assert_eq!((server.heard.reasons(), client.heard.reasons().len()), (vec!["Aborted".into()], 1));
    nobody_is_left(&mut world);
}

#[test]
fn an_early_refusal_reaches_one_who_is_still_sending() {
    let server = Cast::new(|transport, cue| {
        if let Cue::Data(_) = cue {
            transport.write(&pattern(1000));
            transport.close();
        }
    });
    // It reads when all is sent.
    let client = Cast::new(|transport, cue| match cue {
        Cue::Made => {
            transport.pause();
            transport.write(&pattern(MUCH));
            let id = transport.id();
            transport.context().call_later(seconds(1), move |context| context.resume(id));
        }
        cue => close_at_end(transport, cue),
    });
    let (mut world, ..) = play(&server, &client);
    assert!(*client.heard.data.borrow() == pattern(1000), "{}", client.heard.received());
    nobody_is_left(&mut world);
}

#[test]
fn one_that_reads_nothing_hears_of_a_reset_nonetheless() {
    let server = Cast::new(|transport, cue| {
        if let Cue::Made = cue {
            transport.pause();
        }
    });
    let (mut world, ..) = play(&server, &says_and(10, |transport| transport.abort()));
    assert_eq!(server.heard.reasons(), ["Reset"]);
    nobody_is_left(&mut world);
}

#[test]
fn what_is_written_before_there_is_a_connection_comes_first_and_all_in_order() {
    let mut world = World::new(1);
    let server = Cast::quiet();
    listens(&mut world, &server);
    does(&mut world, "client", |context| {
        let id = context.connect_tcp("server:7000", Cast::quiet()).unwrap();
        fn write(context: &mut Context, id: ropewalk::Id, number: u32) {
            for number in number..number + 100 {
                context.write(id, &number.to_le_bytes());
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
    assert!(*server.heard.data.borrow() == written);
}

#[test]
fn writes_that_are_taken_by_halves_are_all_there_in_the_end() {
    let mut world = World::new(1);
    let server = Cast::quiet();
    let node = listens(&mut world, &server);
    has(&mut world, FaultKind::Buffers, node, seconds(600));
    let client = Cast::new(|transport, cue| match cue {
        Cue::Made => {
            let text = pattern(20_000);
            transport.write_sequence(text.chunks(7));
            transport.write(b"");
            transport.close();
        }
        cue => close_at_end(transport, cue),
    });
    let other = connects(&mut world, &client);
    has(&mut world, FaultKind::ShortIo, other, seconds(600));
    has(&mut world, FaultKind::WouldBlock, other, seconds(600));
    world.run_for(seconds(600));
    assert!(*server.heard.data.borrow() == pattern(20_000), "{}", server.heard.received());
    assert_eq!((server.heard.ends.get(), client.heard.reasons()), (1, vec!["Closed".into()]));
}

#[test]
fn nothing_written_is_no_end() {
    let server = Cast::quiet();
    let client = Cast::new(|transport, cue| {
        if let Cue::Made = cue {
            transport.write(b"");
            transport.write_sequence([&b""[..], b""]);
        }
    });
    let (mut world, _, other) = play(&server, &client);
    assert_eq!((server.heard.ends.get(), server.heard.reasons().len()), (0, 0));
    assert_eq!(world.reactor(other).unwrap().context().connections().count(), 1);
}

#[test]
fn who_it_was_is_known_when_it_is_lost() {
    let peers = Rc::new(RefCell::new(Vec::new()));
    let theirs = peers.clone();
    let server = Cast::new(move |transport, cue| match cue {
        Cue::Made | Cue::Lost => theirs.borrow_mut().push(transport.peer()),
        _ => {}
    });
    play(&server, &says_and(10, |transport| transport.abort()));
    let peers = peers.borrow();
    assert_eq!((peers.len(), &peers[0]), (2, &peers[1]));
}

/// When one end hears that the other is gone, if nothing gets through any more after a second.
fn hears_of_silence(options: ConnectOptions, client: &Cast) -> Option<Duration> {
    let mut world = World::new(1);
    let node = listens(&mut world, &Cast::quiet());
    let theirs = client.clone();
    let since = Rc::new(Cell::new(None));
    let begun = since.clone();
    does(&mut world, "client", move |context| {
        begun.set(Some(context.now()));
        let connected = context.connect_tcp_with("server:7000", &options, theirs.clone());
        assert!(connected.is_ok());
    });
    world.run_for(seconds(1));
    has(&mut world, FaultKind::HalfOpen, node, seconds(1));
    world.run_for(seconds(2000));
    match &client.heard.reasons()[..] {
        [reason] if reason == "TimedOut" => Some(client.heard.at.get()? - since.get()?),
        reasons => panic!("{reasons:?}"),
    }
}

#[test]
fn a_peer_that_is_gone_without_a_word_is_missed_by_the_keep_alive() {
    let keep_alive = KeepAlive { idle: seconds(30), interval: seconds(5), count: 3 };
    let options = ConnectOptions::new().keep_alive(keep_alive);
    let took = hears_of_silence(options, &Cast::quiet()).unwrap();
    assert!((seconds(40)..seconds(50)).contains(&took), "{took:?}");
}

#[test]
fn what_gets_no_answer_is_given_up_when_the_users_time_is_over() {
    let client = Cast::new(|transport, cue| {
        if let Cue::Made = cue {
            let id = transport.id();
            transport.context().call_later(seconds(2), move |context| context.write(id, b"?"));
        }
    });
    let options = ConnectOptions::new().option(SocketOption::UserTimeout(Some(seconds(20))));
    let took = hears_of_silence(options, &client).unwrap();
    assert!((seconds(2 + 20)..seconds(2 + 21)).contains(&took), "{took:?}");
}

#[test]
fn without_either_the_system_gives_up_after_a_quarter_of_an_hour() {
    let client = Cast::new(|transport, cue| {
        if let Cue::Made = cue {
            let id = transport.id();
            transport.context().call_later(seconds(2), move |context| context.write(id, b"?"));
        }
    });
    let took = hears_of_silence(ConnectOptions::new(), &client).unwrap();
    assert!((seconds(700)..seconds(1000)).contains(&took), "{took:?}");
}

#[test]
fn what_chance_loses_is_given_up_when_the_users_time_is_over() {
    let mut world = World::new(1);
    let node = listens(&mut world, &Cast::quiet());
    let client = Cast::quiet();
    let theirs = client.clone();
    let options = ConnectOptions::new().option(SocketOption::UserTimeout(Some(milliseconds(3000))));
    let other = does(&mut world, "client", move |context| {
        context.connect_tcp_with("server:7000", &options, theirs.clone()).unwrap();
    });
    world.run_for(seconds(1));
    // Each loses half of what is lost at most: nothing comes through.
    has(&mut world, FaultKind::Loss, node, seconds(600));
    has(&mut world, FaultKind::Loss, other, seconds(600));
    let id = client.heard.id.get().unwrap();
    world.reactor(other).unwrap().context().write(id, b"?");
    world.run_for(milliseconds(3100));
    assert!(client.heard.reasons().is_empty());
    world.run_for(milliseconds(300));
    assert_eq!(client.heard.reasons(), ["TimedOut"]);
}
