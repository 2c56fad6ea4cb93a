//! Errors of datagram sockets: reported, counted, and tried again after a delay.

use crate::recorder::*;
use crate::script::Script;
use crate::support::*;
use ropewalk::Reactor;
use std::io::ErrorKind;
use std::time::Duration;

#[test]
fn too_long_datagram_is_reported_with_its_size() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let port = reactor.listen_udp("127.0.0.1:0", DatagramRecorder::quiet(&events)).unwrap();
    let peer = peer();
    let to = peer.local_addr().unwrap();
    let context = reactor.context();
    context.datagram(port.id()).send_to(&pattern(65_508), to);
    context.datagram(port.id()).send_to(b"short enough", to);
    turns(&mut reactor, 2);
    let error = events.errors().pop().expect("an error");
    let expected = format!("cannot send 65508 bytes to {to}: message too long");
    assert!(error.starts_with(&expected) && error.contains("65,507"), "{error}");
    assert_eq!(received(&peer), b"short enough");
    let counts = reactor.context().datagram(port.id()).counts();
    assert_eq!((counts.sent, counts.dropped), (1, 1));
}

#[test]
fn every_error_is_counted_and_few_are_reported() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let port = reactor.listen_udp("127.0.0.1:0", DatagramRecorder::quiet(&events)).unwrap();
    for _ in 0..10_000 {
        reactor.context().datagram(port.id()).send_to(b"lost", "nowhere.example:9");
    }
    turns(&mut reactor, 2);
    assert!((1..=100).contains(&events.errors().len()), "{}", events.errors().len());
    assert_eq!(reactor.context().datagram(port.id()).counts().dropped, 10_000);
}

#[test]
fn host_names_are_looked_up_before_a_run_only() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let name = "localhost:9";
    let why = "localhost:9: looking up the name would block the reactor";
    let port = reactor.listen_udp("localhost:0", DatagramRecorder::quiet(&events)).unwrap();
    assert!(port.address().ip().unwrap().is_loopback());
    let context = reactor.context();
    let no_group = context.datagram(port.id()).join_group(("localhost", 0), 0).unwrap_err();
    let text = no_group.to_string();
    assert!(
        text.starts_with("cannot join 127.0.0.1 on ") || text.starts_with("cannot join ::1 on "),
        "{text}"
    );
    context.connect_udp(name, DatagramRecorder::quiet(&events)).unwrap();
    let other = events.clone();
    context.call_later(Duration::ZERO, move |context| {
        let quiet = || DatagramRecorder::quiet(&other);
        let error = context.listen_udp(name, quiet()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen on {why}")), "{error}");
        let error = context.connect_udp(name, quiet()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot connect to {why}")), "{error}");
        let error = context.datagram(port.id()).connect(name).unwrap_err().to_string();
        assert!(error.contains("look the name up first"), "{error}");
        let mut transport = context.datagram(port.id());
        let error = transport.join_group(("localhost", 0), 0).unwrap_err().to_string();
        assert!(error.contains("look the name up first"), "{error}");
        context.datagram(port.id()).send_to(b"hello", name);
        context.stop();
    });
    reactor.run().unwrap();
    let error = events.errors().pop().expect("an error");
    assert!(error.starts_with(&format!("cannot send 5 bytes to {why}")), "{error}");
}

/// On many systems tftp is a service of UDP alone.
#[test]
fn service_names_are_ports_of_udp() {
    if !std::path::Path::new("/etc/services").exists() {
        return println!("skipped: there is no file of services(5)");
    }
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let port = reactor.listen_udp("127.0.0.1:0", DatagramRecorder::quiet(&events)).unwrap();
    let other = events.clone();
    reactor.context().call_later(Duration::ZERO, move |context| {
        let quiet = || DatagramRecorder::quiet(&other);
        let client = context.connect_udp("127.0.0.1:tftp", quiet()).unwrap();
        assert_eq!(context.datagram(client.id()).peer().port(), Some(69));
        context.datagram(port.id()).send_to(b"hello", "[::1]:tftp");
        context.datagram(port.id()).send_to(b"hello", "127.0.0.1:no-such-service");
        context.datagram(port.id()).connect("127.0.0.1:tftp").unwrap();
        assert_eq!(context.datagram(port.id()).peer().port(), Some(69));
        let error = context.listen_udp("localhost:tftp", quiet()).unwrap_err().to_string();
        assert!(error.contains("look the name up first"), "{error}");
        context.stop();
    });
    reactor.run().unwrap();
    let errors = events.errors();
    assert!(errors[0].starts_with("cannot send 5 bytes to [::1]:69: "), "{errors:?}");
    let unknown = "to 127.0.0.1:no-such-service: there is no service `no-such-service` of udp";
    assert!(errors[1].contains(unknown), "{errors:?}");
}

#[test]
fn text_without_a_port_is_no_address() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    for text in ["nonsense", "::1:9", "localhost:", "localhost:70000", "localhost:a b"] {
        let error = reactor.listen_udp(text, DatagramRecorder::quiet(&events)).unwrap_err();
        let expected =
            format!("cannot listen on {text}: not an address; examples are 127.0.0.1:7000");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

#[test]
fn sending_without_a_peer_is_reported() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let port = reactor.listen_udp("127.0.0.1:0", DatagramRecorder::quiet(&events)).unwrap();
    reactor.context().datagram(port.id()).send(b"hello");
    reactor.context().datagram(port.id()).send_to(b"hello", "[::1]:9");
    turns(&mut reactor, 1);
    let errors = events.errors();
    assert!(errors[0].starts_with("cannot send 5 bytes: the socket has no peer"), "{errors:?}");
    assert!(errors[0].contains("`send_to`"), "{errors:?}");
    assert!(errors[1].starts_with("cannot send 5 bytes to [::1]:9"), "{errors:?}");
}

#[test]
fn separate_errors_cause_no_backoff() {
    let events = DatagramLog::default();
    let (script, mut reactor) = Script::new();
    reactor.listen_udp("10.0.0.1:7000", DatagramRecorder::quiet(&events)).unwrap();
    let (data, error) = (|| Ok(b"data".to_vec()), Err(ErrorKind::Other));
    // One error, one after a datagram, then one in each of two turns.
    script.receive([error.clone(), data(), error.clone(), data()]);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    for _ in 0..2 {
        script.receive([error.clone()]);
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    script.receive([data()]);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(events.data().len(), 3, "each arrived in the turn of its event");
    assert_eq!(reactor.timeout(), None, "no backoff");
    // Two errors in succession start a backoff, because another try at once would fail too.
    script.receive([error.clone(), error, data()]);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!((events.data().len(), reactor.timeout()), (3, Some(Duration::from_millis(100))));
    reactor.turn(None).unwrap();
    assert_eq!(events.data().len(), 4);
}

#[cfg(unix)]
#[test]
fn unix_backoff_restarts_after_a_success() {
    let events = DatagramLog::default();
    let (script, mut reactor) = Script::new();
    let context = reactor.context();
    let port = context.listen_unix_datagram("/run/one", DatagramRecorder::quiet(&events)).unwrap();
    let to = ropewalk::UnixAddress::from(std::path::Path::new("/run/other"));
    let delays = |reactor: &mut Reactor, script: &Script| {
        script.take_datagrams(0);
        reactor.context().datagram(port.id()).send_to(b"data", to.clone());
        reactor.turn(Some(Duration::ZERO)).unwrap();
        let mut delays = Vec::new();
        for _ in 0..4 {
            delays.push(reactor.timeout().unwrap().as_millis());
            reactor.turn(None).unwrap();
        }
        script.take_datagrams(usize::MAX);
        reactor.turn(None).unwrap();
        assert_eq!(reactor.context().datagram(port.id()).counts().queued, 0);
        delays
    };
    for _ in 0..2 {
        assert_eq!(delays(&mut reactor, &script), [1, 2, 4, 8], "in milliseconds");
    }
}

/// Each error causes the next one.
#[test]
fn sending_in_error_received_leaves_other_turns() {
    let events = DatagramLog::default();
    let mut reactor = Reactor::new().unwrap();
    let protocol = DatagramRecorder::new(&events, |transport, event, _| match event {
        DatagramEvent::Started => transport.send_to(&[0; 70_000], "127.0.0.1:9"),
        DatagramEvent::Failed(_) if transport.counts().dropped < 10_000 => {
            transport.send_to(&[0; 70_000], "127.0.0.1:9");
        }
        _ => {}
    });
    let port = reactor.listen_udp("127.0.0.1:0", protocol).unwrap();
    let before = reactor.context().statistics().turns;
    turn_until(&mut reactor, "all errors", |_| events.errors().len() == 10_000);
    let turns = reactor.context().statistics().turns - before;
    assert!(turns >= 10_000 / 256, "all errors within {turns} turns");
    reactor.context().close(port.id());
    turn_until(&mut reactor, "stopped", |_| events.all().last() == Some(&DatagramEvent::Stopped));
}
