//! Requests made in each callback: close, abort, listen, connect.

use crate::support::*;
use ropewalk::{Context, Id, Transport};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::Shutdown;
use std::rc::Rc;

/// The callback in which a test makes its request.
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

/// Runs `act` in the callback `when` of one connection, with its id and that of the other. Asserts
/// that each connection receives `connection_lost` exactly once.
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
        // The connection may be closed already; some of the tests close it in `connection_made`.
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
    assert!(acted.get(), "{when:?} was called: {:?}", log.all());
    log
}

#[test]
fn close_in_any_callback_ends_it_once() {
    for when in EVERY {
        scenario(when, |context, me, _| {
            context.close(me);
            assert!(context.transport(me).is_closing());
        });
    }
}

#[test]
fn abort_in_any_callback_reports_aborted_once() {
    for when in EVERY {
        let log = scenario(when, |context, me, _| {
            context.abort(me);
            assert!(context.transport(me).is_closing());
        });
        if when != Lost {
            let last = log.of(log.ids()[1]).pop();
            assert_eq!(last, Some(Event::Lost("Aborted".into())), "{when:?}");
        }
    }
}

#[test]
fn closing_another_in_any_callback_ends_it_once() {
    for when in EVERY {
        scenario(when, |context, _, other| context.close(other));
    }
}

#[test]
fn aborting_another_in_any_callback_ends_it_once() {
    for when in EVERY {
        scenario(when, |context, _, other| context.abort(other));
    }
}

#[test]
fn closing_all_in_any_callback_ends_each_once() {
    for when in EVERY {
        scenario(when, |context, _, _| {
            let all: Vec<Id> = context.connections().collect();
            all.into_iter().for_each(|id| context.close(id));
        });
    }
}

#[test]
fn any_mixture_of_close_and_abort_ends_once() {
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
fn only_connection_lost_follows_close_or_abort() {
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
        // More than one read buffer, so that more could be delivered in the same turn.
        client.write_all(&[b'd'; 200_000]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        turn_until(&mut reactor, "lost", |_| log.lost() == 1);
        turns(&mut reactor, 3);
        let events = log.of(log.ids()[0]);
        assert_eq!(events.len(), 3, "made, data, lost: {abort}");
    }
}

#[test]
fn listen_in_any_callback_takes_effect_immediately() {
    for when in EVERY {
        let late = Log::default();
        let found = Rc::new(RefCell::new(None));
        let act = {
            let (late, found) = (late.clone(), Rc::clone(&found));
            move |context: &mut Context, _: Id, _: Id| {
                let port = context.listen_tcp("127.0.0.1:0", recorders(&late, echo)).unwrap();
                let address = port.address().socket_addr().unwrap();
                // The kernel accepts clients from now on.
                *found.borrow_mut() = Some(client(address));
                assert_eq!(context.local_address(port.id()), address.into());
            }
        };
        scenario(when, act);
        // The reactor was dropped, so the client of its second listener was served or closed.
        assert!(found.borrow().is_some());
        late.check(true);
        assert_eq!(late.made(), 1, "{when:?}");
    }
}

#[test]
fn connect_in_any_callback_succeeds() {
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
                        transport.write(b"hello");
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
        assert_eq!(read_all(&peer), b"hello");
    }
}
