//! Attempts to connect: each becomes a connection or is told as failed, once.

mod support;

use ropewalk::{
    Address, ConnectOptions, Context, Error, Factory, Id, Protocol, Reactor, Transport,
};
use socket2::{Domain, Socket, Type};
use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;
use support::*;

fn live() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address that does not answer: its backlog is full. Keep what comes with it.
fn mute() -> (SocketAddr, Socket, Vec<Socket>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let fillers = (0..4).map(|_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&address.into());
        socket
    });
    let fillers = fillers.collect();
    (address, listener, fillers)
}

#[test]
fn a_refused_attempt_is_told_once_with_the_address_and_the_reason() {
    let (log, failures) = (Log::default(), Failures::default());
    let mut reactor = Reactor::new().unwrap();
    let address = dead();
    let id = reactor.connect_tcp(address, Caller::new(&log, &failures, only_record)).unwrap();
    assert!(failures.borrow().is_empty(), "never before the request has returned");
    turn_until(&mut reactor, "told", |_| !failures.borrow().is_empty());
    turns(&mut reactor, 3);
    let failures = failures.borrow();
    assert_eq!((failures.len(), failures[0].0, log.made()), (1, id, 0));
    assert_eq!(failures[0].1.kind(), ErrorKind::ConnectionRefused);
    let text = failures[0].1.to_string();
    let expected = format!("cannot connect to {address}: connection refused");
    assert!(text.starts_with(&expected), "{text}");
    assert!(reactor.context().is_closing(id));
}

#[test]
fn an_address_that_does_not_answer_leaves_time_for_the_next() {
    let (log, failures) = (Log::default(), Failures::default());
    let (silent, _listener, _fillers) = mute();
    let (_server, address) = live();
    let mut reactor = Reactor::new().unwrap();
    let options = ConnectOptions::new().timeout(Duration::from_millis(400));
    let caller = Caller::new(&log, &failures, only_record);
    let begin = std::time::Instant::now();
    let addresses = [silent, silent, dead(), address];
    reactor.context().connect_tcp_with(&addresses[..], &options, caller).unwrap();
    turn_until(&mut reactor, "made", |_| log.made() + failures.borrow().len() == 1);
    assert_eq!(log.made(), 1, "{:?}", failures.borrow().first());
    assert!(begin.elapsed() >= Duration::from_millis(200), "each had a quarter at least");
}

#[test]
fn where_no_address_answers_the_whole_ends_when_its_time_is_over() {
    let (log, failures) = (Log::default(), Failures::default());
    let (silent, _listener, _fillers) = mute();
    let mut reactor = Reactor::new().unwrap();
    let options = ConnectOptions::new().timeout(Duration::from_millis(90));
    let caller = Caller::new(&log, &failures, only_record);
    let begin = std::time::Instant::now();
    reactor.context().connect_tcp_with(&[silent; 3][..], &options, caller).unwrap();
    turn_until(&mut reactor, "timed out", |_| !failures.borrow().is_empty());
    assert!(begin.elapsed() >= Duration::from_millis(90), "not before its time");
    assert_eq!(failures.borrow()[0].1.kind(), ErrorKind::TimedOut);
}

#[test]
fn an_attempt_that_nobody_answers_times_out() {
    let (log, failures) = (Log::default(), Failures::default());
    let (address, _listener, _fillers) = mute();
    let mut reactor = Reactor::new().unwrap();
    let options = ConnectOptions::new().timeout(Duration::from_millis(50));
    let caller = Caller::new(&log, &failures, only_record);
    let begin = std::time::Instant::now();
    reactor.context().connect_tcp_with(address, &options, caller).unwrap();
    turn_until(&mut reactor, "timed out", |_| !failures.borrow().is_empty());
    assert!(begin.elapsed() >= Duration::from_millis(50), "not before its time");
    turns(&mut reactor, 3);
    let failures = failures.borrow();
    assert_eq!((failures.len(), log.made()), (1, 0));
    assert_eq!(failures[0].1.kind(), ErrorKind::TimedOut);
    let text = failures[0].1.to_string();
    assert!(text.contains(&address.to_string()) && text.contains("timed out"), "{text}");
}

#[test]
fn a_cancelled_attempt_is_told_once_whatever_it_was_about_to_become() {
    let (_listener, live) = live();
    let (mute, _mute, _fillers) = mute();
    type End = fn(&mut Context, Id);
    for end in [Context::close as End, Context::abort as End] {
        for address in [live, mute, dead()] {
            let (log, failures) = (Log::default(), Failures::default());
            let mut reactor = Reactor::new().unwrap();
            let caller = || Caller::new(&log, &failures, only_record);
            let at_once = reactor.connect_tcp(address, caller()).unwrap();
            end(reactor.context(), at_once);
            end(reactor.context(), at_once);
            // In the same turn in which its outcome is known: timers come before sockets.
            let late = reactor.connect_tcp(address, caller()).unwrap();
            let call = move |context: &mut Context| {
                end(context, late);
                end(context, late);
            };
            reactor.context().call_later(Duration::ZERO, call);
            turn_until(&mut reactor, "both told", |_| failures.borrow().len() == 2);
            turns(&mut reactor, 5);
            let ids: Vec<Id> = failures.borrow().iter().map(|(id, _)| *id).collect();
            assert_eq!((ids, log.made()), (vec![at_once, late], 0));
        }
    }
}

#[test]
fn of_several_addresses_the_next_is_tried_until_one_answers() {
    let (log, failures) = (Log::default(), Failures::default());
    let (listener, live) = live();
    let mut reactor = Reactor::new().unwrap();
    // The first fails at once (it is a broadcast address), the second a moment later.
    let addresses = ["127.255.255.255:9".parse().unwrap(), dead(), live];
    let caller = Caller::new(&log, &failures, |transport, event| {
        if *event == Event::Made {
            transport.write(b"found");
            transport.close();
        }
    });
    let id = reactor.connect_tcp(&addresses[..], caller).unwrap();
    turn_until(&mut reactor, "connected", |_| log.made() == 1);
    assert_eq!(log.ids(), [id]);
    assert_eq!(read_all(&listener.accept().unwrap().0), b"found");
    assert!(failures.borrow().is_empty());
}

#[test]
fn when_none_of_several_addresses_answers_the_last_is_told() {
    let (log, failures) = (Log::default(), Failures::default());
    let mut reactor = Reactor::new().unwrap();
    let addresses = [dead(), dead()];
    let caller = Caller::new(&log, &failures, only_record);
    reactor.connect_tcp(&addresses[..], caller).unwrap();
    turn_until(&mut reactor, "told", |_| !failures.borrow().is_empty());
    turns(&mut reactor, 3);
    let failures = failures.borrow();
    assert_eq!((failures.len(), log.made()), (1, 0));
    let text = failures[0].1.to_string();
    assert!(text.contains(&addresses[1].to_string()), "{text}");
}

#[test]
fn an_attempt_that_fails_at_once_is_told_after_the_callback() {
    let (log, failures) = (Log::default(), Failures::default());
    let mut reactor = Reactor::new().unwrap();
    let caller = Caller::new(&log, &failures, only_record);
    let id = reactor.connect_tcp("127.255.255.255:9", caller).unwrap();
    assert!(failures.borrow().is_empty());
    turn_until(&mut reactor, "told", |_| !failures.borrow().is_empty());
    assert_eq!((failures.borrow().len(), failures.borrow()[0].0), (1, id));
}

/// Tries again at once, for ever, where a try fails at once.
struct Stubborn {
    tries: Rc<Cell<usize>>,
}

impl Factory for Stubborn {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        None
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, _error: Error) {
        self.tries.set(self.tries.get() + 1);
        // The end is for a reactor that lets itself be kept: the scenario is to fail, not to hang.
        if self.tries.get() < 10_000 {
            let again = Self { tries: Rc::clone(&self.tries) };
            context.connect_tcp("127.255.255.255:9", again).unwrap();
        }
    }
}

#[test]
fn attempts_that_fail_at_once_and_are_repeated_at_once_leave_the_others_their_turn() {
    let tries = Rc::new(Cell::new(0));
    let mut reactor = Reactor::new().unwrap();
    reactor.connect_tcp("127.255.255.255:9", Stubborn { tries: Rc::clone(&tries) }).unwrap();
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert!(tries.get() < 100, "{} tries in one turn", tries.get());
}

#[test]
fn a_failed_attempt_may_be_followed_by_another() {
    struct Retry {
        live: SocketAddr,
        log: Log,
        failures: Failures,
    }
    impl Factory for Retry {
        fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
            None
        }
        fn connection_failed(&mut self, context: &mut Context, _id: Id, _error: Error) {
            let caller = Caller::new(&self.log, &self.failures, only_record);
            context.connect_tcp(self.live, caller).unwrap();
        }
    }
    let (_listener, live) = live();
    let (log, failures) = (Log::default(), Failures::default());
    let mut reactor = Reactor::new().unwrap();
    let retry = Retry { live, log: log.clone(), failures: Rc::clone(&failures) };
    reactor.connect_tcp(dead(), retry).unwrap();
    turn_until(&mut reactor, "connected", |_| log.made() == 1);
    assert!(failures.borrow().is_empty());
}

#[test]
fn a_connector_whose_factory_refuses_or_panics_closes_its_socket() {
    struct Refuses {
        panics: bool,
        _alive: Rc<()>,
    }
    impl Factory for Refuses {
        fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
            assert!(!self.panics, "the factory's own fault");
            None
        }
        fn connection_failed(&mut self, _context: &mut Context, _id: Id, _error: Error) {
            unreachable!("the connection was there");
        }
    }
    let (listener, live) = live();
    let mut reactor = Reactor::new().unwrap();
    let alive = Rc::new(());
    for panics in [false, true] {
        let factory = Refuses { panics, _alive: Rc::clone(&alive) };
        let id = reactor.connect_tcp(live, factory).unwrap();
        reactor.context().write(id, b"early");
        let (peer, _) = listener.accept().unwrap();
        turn_until(&mut reactor, "gone", |reactor| reactor.context().is_closing(id));
        match (&peer).read(&mut [0]) {
            Ok(count) => assert!(!panics && count == 0),
            Err(error) => assert!(panics && error.kind() == ErrorKind::ConnectionReset),
        }
        assert_eq!(Rc::strong_count(&alive), 1, "the factory is dropped");
    }
    assert_eq!(reactor.context().connections().count(), 0);
    assert_eq!(reactor.context().statistics().panics, 1, "connection_failed is not called");
}

#[test]
fn an_attempt_that_is_given_up_with_data_queued_resets_what_the_system_has_connected() {
    let (listener, live) = live();
    let mut reactor = Reactor::new().unwrap();
    let (log, failures) = (Log::default(), Failures::default());
    for written in [false, true] {
        let caller = Caller::new(&log, &failures, only_record);
        let id = reactor.connect_tcp(live, caller).unwrap();
        if written {
            reactor.context().write(id, b"an upload");
        }
        let (peer, _) = listener.accept().unwrap();
        reactor.context().close(id);
        match (&peer).read(&mut [0]) {
            Ok(count) => assert!(!written && count == 0, "an empty message looks complete"),
            Err(error) => assert!(written && error.kind() == ErrorKind::ConnectionReset),
        }
    }
}

#[test]
fn what_is_written_before_the_connection_is_there_comes_first() {
    let (log, failures) = (Log::default(), Failures::default());
    let (listener, live) = live();
    let mut reactor = Reactor::new().unwrap();
    let caller = Caller::new(&log, &failures, |transport, event| {
        if *event == Event::Made {
            transport.write(b"made ");
        }
    });
    let id = reactor.connect_tcp(live, caller).unwrap();
    reactor.context().write(id, b"early ");
    assert_eq!(reactor.context().write_buffer_size(id), 6);
    turn_until(&mut reactor, "connected", |_| log.made() == 1);
    reactor.context().write(id, b"late");
    reactor.context().close(id);
    turns(&mut reactor, 2);
    assert_eq!(read_all(&listener.accept().unwrap().0), b"early made late");
}

#[test]
fn what_the_peer_says_first_and_its_end_come_with_the_news_of_being_connected() {
    for how in 0..3 {
        let (log, failures) = (Log::default(), Failures::default());
        let (listener, live) = live();
        let mut reactor = Reactor::new().unwrap();
        reactor.connect_tcp(live, Caller::new(&log, &failures, only_record)).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"welcome").unwrap();
        // All of this has happened before the reactor looks for the first time.
        match how {
            0 => drop(peer),
            1 => peer.shutdown(std::net::Shutdown::Write).unwrap(),
            _ => reset(peer),
        }
        turn_until(&mut reactor, "an outcome", |_| log.lost() + failures.borrow().len() == 1);
        turns(&mut reactor, 3);
        if how < 2 {
            assert_eq!(log.data(), b"welcome");
            assert_eq!(log.reasons(), ["ClosedByPeer"]);
        }
        assert_eq!(log.made() + failures.borrow().len(), 1, "exactly one outcome");
        log.check(true);
    }
}

#[test]
fn two_hundred_attempts_at_once_all_get_their_answer() {
    let (log, failures) = (Log::default(), Failures::default());
    let served = Log::default();
    let (mut reactor, live) = up(recorders(&served, only_record));
    let dead = dead();
    for n in 0..200 {
        let caller = Caller::new(&log, &failures, |transport: &mut Transport<'_>, event| {
            if *event == Event::Made {
                transport.close();
            }
        });
        reactor.connect_tcp(if n % 2 == 0 { live } else { dead }, caller).unwrap();
    }
    turn_until(&mut reactor, "all answered", |_| log.lost() + failures.borrow().len() == 200);
    assert_eq!((log.lost(), failures.borrow().len()), (100, 100));
    turn_until(&mut reactor, "the served too", |_| served.lost() == 100);
    log.check(true);
    served.check(true);
}

#[test]
fn names_are_looked_up_and_nonsense_is_refused_at_once() {
    let (log, failures) = (Log::default(), Failures::default());
    let (mut reactor, address) = up(|| Echo);
    let caller = || Caller::new(&log, &failures, only_record);
    reactor.connect_tcp(("localhost", address.port()), caller()).unwrap();
    turn_until(&mut reactor, "connected by name", |_| log.made() == 1);
    let error = reactor.connect_tcp("no port", caller()).unwrap_err();
    assert!(error.to_string().contains("no port"), "{error}");
    let nowhere: [SocketAddr; 0] = [];
    assert!(reactor.connect_tcp(&nowhere[..], caller()).is_err());
    assert!(failures.borrow().is_empty(), "what was refused at once is not told again");
}

#[test]
fn nobody_can_connect_or_listen_while_stopping() {
    let (log, failures) = (Log::default(), Failures::default());
    let mut reactor = Reactor::new().unwrap();
    reactor.context().stop();
    let caller = Caller::new(&log, &failures, only_record);
    let text = reactor.connect_tcp("127.0.0.1:1", caller).unwrap_err().to_string();
    assert!(text.contains("stopping") && text.contains("127.0.0.1:1"), "{text}");
    assert!(reactor.listen_tcp("127.0.0.1:0", || Echo).is_err());
    reactor.run().unwrap();
    assert!(reactor.listen_tcp("127.0.0.1:0", || Echo).is_ok(), "the stop is over");
}

#[test]
fn a_peer_that_goes_away_while_it_waits_to_be_accepted_costs_nothing() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    reset(client(address));
    drop(client(address));
    let mut stays: TcpStream = client(address);
    stays.write_all(b"here").unwrap();
    turn_until(&mut reactor, "the third is served", |_| log.data() == b"here");
    let mut buffer = [0; 4];
    stays.read_exact(&mut buffer).unwrap();
    turn_until(&mut reactor, "the others are gone", |_| log.lost() == log.made() - 1);
    log.check(false);
}

#[test]
fn what_is_asked_of_a_connection_before_it_is_there_is_done_once_it_is() {
    let log = Log::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut reactor = Reactor::new().unwrap();
    let failures = Failures::default();
    let caller = Caller::new(&log, &failures, only_record);
    let id = reactor.connect_tcp(listener.local_addr().unwrap(), caller).unwrap();
    let context = reactor.context();
    context.set_write_buffer_limits(id, 10, 0);
    context.pause(id);
    context.write(id, b"all that we say");
    context.write_eof(id);
    context.write(id, b"dropped");
    let (mut peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.write_all(b"answer").unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    turns(&mut reactor, 3);
    assert_eq!(read_all(&peer), b"all that we say");
    assert!(reactor.context().is_paused(id));
    assert_eq!(log.data(), b"", "nothing is delivered while it is paused");
    reactor.context().resume(id);
    turn_until(&mut reactor, "the answer", |_| log.data() == b"answer");
    drop(peer);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Closed"], "our side ended first");
}

#[test]
fn what_the_poll_said_of_a_refused_attempt_does_not_reach_the_next() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if *event == Event::Made {
            transport.pause();
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let good = listener.local_addr().unwrap();
    let mut reactor = Reactor::new().unwrap();
    reactor.connect_tcp(&[dead(), good][..], recorders(&log, hook)).unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    turns(&mut reactor, 5);
    assert_eq!(log.count(|event| *event == Event::EofNoticed), 0);
}
