//! Runs that stop: gracefully, within the grace period, without losing queued data.

use crate::support::*;
use ropewalk::{Context, Reactor, Transport};
use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

/// A reactor with a grace period longer than every time limit of a test.
fn up_with_long_grace(
    log: &Log,
    hook: impl FnMut(&mut Transport<'_>, &Event) + Clone + 'static,
) -> (Reactor, std::net::SocketAddr) {
    let (mut reactor, address) = up(recorders(log, hook));
    reactor.set_grace(3 * PATIENCE);
    // A run without a stop would hang. This makes it fail instead.
    reactor.context().call_later(2 * PATIENCE, |_| std::process::abort());
    (reactor, address)
}

#[test]
fn stop_in_any_callback_ends_the_run() {
    type Is = fn(&Event) -> bool;
    let callbacks: [Is; 5] = [
        |event| *event == Event::Made,
        |event| matches!(event, Event::Data(_)),
        |event| *event == Event::Eof,
        |event| *event == Event::ReadingResumed,
        |event| matches!(event, Event::Lost(_)),
    ];
    for is in callbacks {
        let log = Log::default();
        let hook = move |transport: &mut Transport<'_>, event: &Event| {
            if matches!(event, Event::Data(_)) {
                transport.pause();
                transport.resume();
            }
            if is(event) {
                transport.context().stop();
                transport.context().stop();
                assert!(transport.context().is_stopping());
            }
        };
        let (mut reactor, address) = up_with_long_grace(&log, hook);
        let mut active = client(address);
        active.write_all(b"hello").unwrap();
        active.shutdown(Shutdown::Write).unwrap();
        let idle = thread::spawn(move || read_all(&client(address)));
        reactor.run().unwrap();
        log.check(true);
        assert!(log.made() >= 1);
        drop(reactor);
        drop(idle); // The listener may be closed already.
    }
}

#[test]
fn idle_connections_end_immediately_with_stopped() {
    let log = Log::default();
    let (mut reactor, address) = up_with_long_grace(&log, only_record);
    let clients: Vec<TcpStream> = (0..20).map(|_| client(address)).collect();
    turn_until(&mut reactor, "all made", |_| log.made() == 20);
    reactor.context().stop();
    let closing = thread::spawn(move || clients.iter().all(|client| read_all(client).is_empty()));
    reactor.run().unwrap();
    assert_eq!(log.reasons(), vec!["Stopped"; 20]);
    log.check(true);
    assert!(closing.join().unwrap(), "an orderly end, not a reset");
}

#[test]
fn stop_before_run_ends_it_immediately() {
    let log = Log::default();
    let (mut reactor, address) = up_with_long_grace(&log, only_record);
    let waiting = client(address);
    reactor.context().stop();
    reactor.run().unwrap();
    assert_eq!(log.made(), 0, "a client of the backlog was accepted");
    assert!(!reactor.context().is_stopping());
    is_refused(address);
    drop(waiting);
}

#[test]
fn timer_may_stop_the_run() {
    let log = Log::default();
    let (mut reactor, _) = up_with_long_grace(&log, only_record);
    reactor.context().call_later(Duration::from_millis(5), Context::stop);
    reactor.context().call_later(Duration::from_millis(5), Context::stop);
    reactor.run().unwrap();
}

#[test]
fn stop_cancels_attempts_and_notifies_their_factories() {
    let (log, failures) = (Log::default(), Failures::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let id = reactor.connect_tcp(address, Caller::new(&log, &failures, only_record)).unwrap();
    reactor.context().stop();
    reactor.run().unwrap();
    let failures = failures.borrow();
    assert_eq!((failures.len(), failures[0].0, log.made()), (1, id, 0));
    let text = failures[0].1.to_string();
    assert!(text.contains("stopped") && text.contains(&address.to_string()), "{text}");
}

#[test]
fn queued_data_reaches_slow_reader_during_stop() {
    let log = Log::default();
    let data = pattern(20_000_000);
    let sent = data.clone();
    let hook = move |transport: &mut Transport<'_>, event: &Event| {
        if *event == Event::Made {
            transport.write(&sent);
            transport.context().stop();
        }
    };
    let (mut reactor, address) = up_with_long_grace(&log, hook);
    let mut client = client(address);
    let reader = thread::spawn(move || {
        let (mut got, mut buffer) = (Vec::new(), vec![0; 100_000]);
        loop {
            match client.read(&mut buffer)? {
                0 => return Ok::<_, std::io::Error>(got),
                count => got.extend_from_slice(&buffer[..count]),
            }
            // A slow reader. The test does not depend on the exact rate.
            thread::sleep(Duration::from_millis(1));
        }
    });
    reactor.run().unwrap();
    assert_eq!(log.reasons(), ["Stopped"]);
    assert!(reader.join().unwrap().expect("no reset") == data);
}

#[test]
fn slow_reader_is_reset_after_grace_period() {
    for grace in [Duration::ZERO, Duration::from_millis(50)] {
        let log = Log::default();
        let hook = |transport: &mut Transport<'_>, event: &Event| {
            if *event == Event::Made {
                transport.write(&vec![0; 4 * MUCH]);
                transport.context().stop();
            }
        };
        let (mut reactor, address) = up_with_long_grace(&log, hook);
        reactor.set_grace(grace);
        let mut stuck = client(address);
        let begin = Instant::now();
        reactor.run().unwrap();
        assert!(begin.elapsed() >= grace);
        assert_eq!(log.reasons(), ["Stopped"]);
        log.check(true);
        let error = stuck.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(reactor.context().connections().count(), 0);
    }
}

#[test]
fn stopping_run_delivers_no_data() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if matches!(event, Event::Data(_)) {
            transport.write(&vec![0; MUCH]);
            transport.context().stop();
        }
    };
    let (mut reactor, address) = up_with_long_grace(&log, hook);
    let client = client(address);
    let talker = {
        let mut client = client.try_clone().unwrap();
        thread::spawn(move || {
            // Until the connection is closed.
            while client.write_all(b"more data. ").is_ok() {}
        })
    };
    turn_until(&mut reactor, "first data", |_| !log.data().is_empty());
    let before = log.data().len();
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        let outcome = (&client).read_to_end(&mut all);
        drop(client);
        outcome.is_ok()
    });
    reactor.run().unwrap();
    assert!(log.data().len() - before < MUCH, "more than one turn's data");
    log.check(true);
    assert!(reader.join().unwrap(), "no reset");
    drop(reactor);
    talker.join().unwrap();
}

#[test]
fn requests_in_connection_lost_are_refused_while_stopping() {
    let log = Log::default();
    let asked = Rc::new(Cell::new(0));
    let hook = {
        let asked = Rc::clone(&asked);
        move |transport: &mut Transport<'_>, event: &Event| {
            if matches!(event, Event::Lost(_)) {
                let context = transport.context();
                assert!(context.listen_tcp("127.0.0.1:0", || Echo).is_err());
                assert!(context.connect_tcp("127.0.0.1:1", || Echo).is_err());
                asked.set(asked.get() + 1);
            }
        }
    };
    let (mut reactor, address) = up_with_long_grace(&log, hook);
    let client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    reactor.context().stop();
    let closing = thread::spawn(move || read_all(&client));
    reactor.run().unwrap();
    assert_eq!(asked.get(), 1);
    closing.join().unwrap();
}

#[test]
fn reactor_runs_again_after_a_stop() {
    let mut reactor = Reactor::new().unwrap();
    for _ in 0..5 {
        let log = Log::default();
        let hook = |transport: &mut Transport<'_>, event: &Event| {
            echo(transport, event);
            if matches!(event, Event::Lost(_)) {
                transport.context().stop();
            }
        };
        let address = listen(&mut reactor, recorders(&log, hook));
        let client = thread::spawn(move || {
            let mut client = client(address);
            client.write_all(b"again").unwrap();
            let mut answer = [0; 5];
            client.read_exact(&mut answer).unwrap();
            answer
        });
        reactor.run().unwrap();
        assert_eq!(&client.join().unwrap(), b"again");
        log.check(true);
        assert_eq!(log.made(), 1);
    }
}

#[test]
fn pending_timers_do_not_delay_a_stop() {
    let log = Log::default();
    let (mut reactor, _) = up_with_long_grace(&log, only_record);
    for _ in 0..10_000 {
        reactor.context().call_later(Duration::from_secs(3600), |_| panic!("the timer fired"));
    }
    reactor.context().stop();
    reactor.run().unwrap();
}

#[test]
fn closed_connection_keeps_its_reason_at_stop() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if matches!(event, Event::Data(_)) {
            transport.write(&vec![0; MUCH]);
            transport.close();
            transport.context().stop();
        }
    };
    let (mut reactor, address) = up_with_long_grace(&log, hook);
    let mut client = client(address);
    client.write_all(b"go").unwrap();
    let reader = thread::spawn(move || read_all(&client).len());
    reactor.run().unwrap();
    assert_eq!(reader.join().unwrap(), MUCH);
    assert_eq!(log.reasons(), ["Closed"]);
}

#[test]
fn silent_clients_do_not_delay_a_stop() {
    let log = Log::default();
    let (mut reactor, address) = up_with_long_grace(&log, only_record);
    let clients: Vec<TcpStream> = (0..20).map(|_| client(address)).collect();
    turn_until(&mut reactor, "all made", |_| log.made() == 20);
    // No client closes. This timer is due long before any linger timeout.
    let fired = Rc::new(Cell::new(false));
    let noted = Rc::clone(&fired);
    reactor.context().call_later(Duration::from_secs(1), move |_| noted.set(true));
    reactor.context().stop();
    reactor.run().unwrap();
    assert!(!fired.get(), "the run waited for a client");
    assert_eq!(log.reasons(), vec!["Stopped"; 20]);
    for client in &clients {
        assert_eq!(read_all(client), b"", "an orderly end, not a reset");
    }
}

#[test]
fn sending_client_receives_final_data_at_stop() {
    let log = Log::default();
    let (mut reactor, address) = up_with_long_grace(&log, |transport, event| {
        if *event == Event::Made {
            transport.write(b"final data");
        }
    });
    let mut talker = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    talker.write_all(&[0; 1_000_000]).unwrap();
    reactor.context().stop();
    let talking = thread::spawn(move || {
        // Sending this takes longer than a stop that does not wait.
        talker.write_all(&vec![0; 64 << 20]).unwrap();
        talker.shutdown(Shutdown::Write).unwrap();
        read_all(&talker)
    });
    reactor.run().unwrap();
    assert_eq!(talking.join().unwrap(), b"final data");
}
