//! Made first and once, lost last and once, whatever a callback asks for.

mod support;

use ropewalk::{Context, Id, Reactor, Transport};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::time::Duration;
use support::*;

#[test]
fn a_connection_is_made_once_and_lost_once_and_last() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let mut clients: Vec<TcpStream> = (0..20).map(|_| client(address)).collect();
    for client in &mut clients {
        client.write_all(b"hello").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
    }
    turn_until(&mut reactor, "all lost", |_| log.lost() == 20);
    turns(&mut reactor, 5);
    log.check(true);
    assert_eq!((log.made(), log.lost()), (20, 20));
    let hello = Event::Data(b"hello".to_vec());
    let expected = [Event::Made, hello, Event::Eof, Event::Lost("ClosedByPeer".into())];
    for id in log.ids() {
        assert_eq!(log.of(id), expected);
    }
    for client in &clients {
        assert_eq!(read_all(client), b"hello");
    }
}

/// The callbacks in which something is done.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    Made,
    Data,
    Eof,
    PauseWriting,
    ResumeWriting,
    ReadingResumed,
    Lost,
}

use When::*;

const EVERY: [When; 7] = [Made, Data, Eof, PauseWriting, ResumeWriting, ReadingResumed, Lost];

fn is(when: When, event: &Event) -> bool {
    match event {
        Event::Made => when == Made,
        Event::Data(_) => when == Data,
        Event::Eof | Event::EofNoticed => when == Eof,
        Event::PauseWriting => when == PauseWriting,
        Event::ResumeWriting => when == ResumeWriting,
        Event::ReadingResumed => when == ReadingResumed,
        Event::Lost(_) => when == Lost,
    }
}

/// Brings a connection through all its callbacks: the first data makes it write past its mark and
/// pause reading for a moment.
fn full_life(transport: &mut Transport<'_>, event: &Event) {
    if let Event::Data(_) = event {
        transport.set_write_buffer_limits(10, 5);
        transport.write(&vec![b'x'; MUCH]);
        transport.pause();
        transport.resume();
    }
}

/// Does `act` in `when` of the first connection, given its id and that of the second, and checks
/// that each hears `connection_lost` exactly once.
fn scenario(when: When, act: impl Fn(&mut Context, Id, Id) + Clone + 'static) -> Log {
    let log = Log::default();
    let acted = Rc::new(Cell::new(false));
    let hook = {
        let (log, acted) = (log.clone(), Rc::clone(&acted));
        move |transport: &mut Transport<'_>, event: &Event| {
            full_life(transport, event);
            let ids = log.ids();
            if is(when, event) && ids.len() == 2 && transport.id() == ids[1] && !acted.get() {
                acted.set(true);
                act(transport.context(), ids[1], ids[0]);
            }
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut clients = [client(address), client(address)];
    if when != Made {
        turn_until(&mut reactor, "both made", |_| log.made() == 2);
    }
    for client in &mut clients {
        // It may be gone by now; that is what some of these scenarios are about.
        let _ = client.write_all(b"hello");
    }
    let (mut got, mut buffer) = ([0, 0], vec![0; 1 << 20]);
    turn_until(&mut reactor, &format!("both lost, acting in {when:?}"), |_| {
        for (client, got) in clients.iter().zip(&mut got) {
            while let Some(Ok(count @ 1..)) = peek_now(client, &mut buffer) {
                *got += count;
            }
            if *got == MUCH {
                let _ = client.shutdown(Shutdown::Write);
            }
        }
        log.lost() == 2
    });
    turns(&mut reactor, 3);
    log.check(true);
    assert!(acted.get(), "{when:?} was heard: {:?}", log.all());
    log
}

#[test]
fn closing_oneself_in_any_callback_ends_it_once() {
    for when in EVERY {
        scenario(when, |context, me, _| {
            context.close(me);
            assert!(context.is_closing(me));
        });
    }
}

#[test]
fn aborting_oneself_in_any_callback_ends_it_once_and_says_so() {
    for when in EVERY {
        let log = scenario(when, |context, me, _| {
            context.abort(me);
            assert!(context.is_closing(me));
        });
        if when != Lost {
            let last = log.of(log.ids()[1]).pop();
            assert_eq!(last, Some(Event::Lost("Aborted".into())), "{when:?}");
        }
    }
}

#[test]
fn closing_a_peer_in_any_callback_ends_it_once() {
    for when in EVERY {
        scenario(when, |context, _, other| context.close(other));
    }
}

#[test]
fn aborting_a_peer_in_any_callback_ends_it_once() {
    for when in EVERY {
        scenario(when, |context, _, other| context.abort(other));
    }
}

#[test]
fn closing_everybody_in_any_callback_ends_each_once() {
    for when in EVERY {
        scenario(when, |context, _, _| {
            let everybody: Vec<Id> = context.connections().collect();
            everybody.into_iter().for_each(|id| context.close(id));
        });
    }
}

#[test]
fn closing_and_aborting_in_any_mixture_ends_it_once() {
    type Act = fn(&mut Context, Id);
    let (close, abort): (Act, Act) = (Context::close, Context::abort);
    for (first, second) in [(close, close), (close, abort), (abort, close), (abort, abort)] {
        for when in EVERY {
            scenario(when, move |context, me, other| {
                first(context, me);
                first(context, other);
                second(context, other);
                second(context, me);
            });
        }
    }
}

#[test]
fn only_connection_lost_comes_after_a_close_or_an_abort() {
    for abort in [false, true] {
        let log = Log::default();
        let hook = move |transport: &mut Transport<'_>, event: &Event| {
            if matches!(event, Event::Data(_)) {
                transport.set_write_buffer_limits(0, 0);
                transport.write(b"answer");
                transport.pause();
                transport.resume();
                if abort { transport.abort() } else { transport.close() }
            }
        };
        let (mut reactor, address) = up(recorders(&log, hook));
        let mut client = client(address);
        // More than one buffer, so that there would be more to deliver in the same turn.
        client.write_all(&[b'd'; 200_000]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        turn_until(&mut reactor, "lost", |_| log.lost() == 1);
        turns(&mut reactor, 3);
        let events = log.of(log.ids()[0]);
        assert_eq!(events.len(), 3, "made, data, lost: {abort}");
    }
}

#[test]
fn listening_within_any_callback_works_at_once() {
    for when in EVERY {
        let late = Log::default();
        let found = Rc::new(RefCell::new(None));
        let act = {
            let (late, found) = (late.clone(), Rc::clone(&found));
            move |context: &mut Context, _: Id, _: Id| {
                let port = context.listen_tcp("127.0.0.1:0", recorders(&late, echo)).unwrap();
                let address = port.address().socket_addr().unwrap();
                // The kernel takes clients in from now on.
                *found.borrow_mut() = Some(client(address));
                assert_eq!(context.local_address(port.id()), Some(address.into()));
            }
        };
        scenario(when, act);
        // The scenario's reactor is gone, so its second listener's client has been served or cut.
        assert!(found.borrow().is_some());
        late.check(true);
        assert_eq!(late.made(), 1, "{when:?}");
    }
}

#[test]
fn connecting_within_any_callback_works() {
    for when in EVERY {
        let calls = Log::default();
        let failures = Failures::default();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let act = {
            let (calls, failures) = (calls.clone(), Rc::clone(&failures));
            move |context: &mut Context, _: Id, _: Id| {
                let caller = Caller::new(&calls, &failures, |transport, event| {
                    if *event == Event::Made {
                        transport.write(b"it is me");
                        transport.close();
                    }
                });
                context.connect_tcp(address, caller).unwrap();
            }
        };
        scenario(when, act);
        assert!(failures.borrow().is_empty());
        assert_eq!(calls.made(), 1, "{when:?}");
        calls.check(true);
        let (peer, _) = listener.accept().unwrap();
        assert_eq!(read_all(&peer), b"it is me");
    }
}

#[test]
fn connection_lost_still_knows_its_id_and_its_peer() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = Log::default();
    let hook = {
        let seen = Rc::clone(&seen);
        move |transport: &mut Transport<'_>, event: &Event| {
            if matches!(event, Event::Made | Event::Lost(_)) {
                seen.borrow_mut().push((transport.id(), transport.peer().to_string()));
                transport.write(b"to nobody, and no harm done");
            }
            if matches!(event, Event::Lost(_)) {
                assert!(transport.is_closing());
                assert_eq!(transport.write_buffer_size(), 0);
            }
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    for how in 0..3 {
        let client = client(address);
        let local = client.local_addr().unwrap().to_string();
        turn_until(&mut reactor, "made", |_| log.made() == how + 1);
        let id = log.ids()[how];
        match how {
            0 => drop(client),
            1 => reset(client),
            _ => reactor.context().abort(id),
        }
        turn_until(&mut reactor, "lost", |_| log.lost() == how + 1);
        assert_eq!(seen.borrow()[2 * how..], [(id, local.clone()), (id, local)]);
    }
}

#[test]
fn a_refcell_may_stay_borrowed_while_the_context_is_used() {
    #[derive(Default)]
    struct Room {
        members: Vec<Id>,
        heard: usize,
    }
    let room = Rc::new(RefCell::new(Room::default()));
    let log = Log::default();
    let hook = {
        let room = Rc::clone(&room);
        move |transport: &mut Transport<'_>, event: &Event| {
            // Borrowed in every callback, and through every request: no callback runs inside one.
            let mut room = room.borrow_mut();
            match event {
                Event::Made => {
                    let id = transport.id();
                    room.members.push(id);
                }
                Event::Data(_) => {
                    room.heard += 1;
                    let context = transport.context();
                    for &member in &room.members {
                        context.set_write_buffer_limits(member, 0, 0);
                        context.write(member, b"all of you");
                        context.pause(member);
                        context.resume(member);
                        context.close(member);
                        context.abort(member);
                    }
                }
                Event::Lost(_) => {
                    let id = transport.id();
                    room.members.retain(|member| *member != id);
                }
                _ => {}
            }
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut clients: Vec<TcpStream> = (0..5).map(|_| client(address)).collect();
    turn_until(&mut reactor, "all in the room", |_| room.borrow().members.len() == 5);
    clients[0].write_all(b"go").unwrap();
    turn_until(&mut reactor, "all lost", |_| log.lost() == 5);
    log.check(true);
    assert_eq!((room.borrow().heard, room.borrow().members.len()), (1, 0));
}

#[test]
fn two_who_are_joined_and_die_in_one_batch_are_told_once_each() {
    // A proxy's pair: what one gets the other sends, and the end of one is the end of the other.
    let pair: Rc<RefCell<Vec<Id>>> = Rc::default();
    let hook = {
        let pair = Rc::clone(&pair);
        move |transport: &mut Transport<'_>, event: &Event| {
            let me = transport.id();
            if *event == Event::Made {
                pair.borrow_mut().push(me);
            }
            let other = pair.borrow().iter().copied().find(|id| *id != me);
            let Some(other) = other else { return };
            match event {
                Event::Data(data) => transport.context().write(other, data),
                Event::PauseWriting => transport.context().pause(other),
                Event::ResumeWriting => transport.context().resume(other),
                Event::Lost(_) => transport.context().close(other),
                _ => {}
            }
        }
    };
    for _ in 0..20 {
        pair.borrow_mut().clear();
        let log = Log::default();
        let (mut reactor, address) = up(recorders(&log, hook.clone()));
        let (mut left, mut right) = (client(address), client(address));
        turn_until(&mut reactor, "both made", |_| pair.borrow().len() == 2);
        left.write_all(&[b'l'; 300_000]).unwrap();
        right.write_all(b"right").unwrap();
        reset(left);
        reset(right);
        turn_until(&mut reactor, "both lost", |_| log.lost() == 2);
        log.check(true);
    }
}

#[test]
fn dropping_a_reactor_tells_everyone_that_it_stopped() {
    let log = Log::default();
    let failures = Failures::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let clients: Vec<TcpStream> = (0..3).map(|_| client(address)).collect();
    turn_until(&mut reactor, "all made", |_| log.made() == 3);
    reactor.connect_tcp(address, Caller::new(&log, &failures, only_record)).unwrap();
    drop(reactor);
    log.check(true);
    assert_eq!(log.reasons(), ["Stopped"; 3]);
    assert_eq!(failures.borrow().len(), 1);
    for client in &clients {
        assert_eq!(read_all(client), b"");
    }
    assert!(TcpStream::connect(address).is_err(), "the listener is closed");
}

#[test]
fn a_reactor_that_was_never_turned_can_be_dropped() {
    let failures = Failures::default();
    let log = Log::default();
    let mut reactor = Reactor::new().unwrap();
    let address = listen(&mut reactor, || Echo);
    reactor.connect_tcp(address, Caller::new(&log, &failures, only_record)).unwrap();
    reactor.context().call_later(PATIENCE, |_| panic!("never"));
    drop(reactor);
    assert_eq!((log.made(), failures.borrow().len()), (0, 1));
}

#[test]
fn a_factory_is_dropped_with_its_port_and_its_connections_stay() {
    let (log, alive) = (Log::default(), Rc::new(()));
    let mut reactor = Reactor::new().unwrap();
    let (held, mut build) = (Rc::clone(&alive), recorders(&log, echo));
    let factory = move || {
        let _ = &held;
        build()
    };
    let port = reactor.listen_tcp("127.0.0.1:0", factory).unwrap();
    let mut client = client(port.address().socket_addr().unwrap());
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    reactor.context().close(port.id());
    assert_eq!(Rc::strong_count(&alive), 2, "not inside the call");
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(Rc::strong_count(&alive), 1);
    client.write_all(b"still here").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 10), b"still here");
}
