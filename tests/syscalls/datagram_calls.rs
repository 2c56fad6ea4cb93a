//! Failed calls on datagram sockets affect one datagram at most.

use super::traced;
use crate::datagrams::*;
use crate::support::*;
use ropewalk::{DatagramOptions, Reactor};
use std::time::{Duration, Instant};

/// The test that the children below run: a datagram socket that echoes, and one that sends ten
/// datagrams.
#[test]
fn without_faults_datagrams_arrive_in_order() {
    let (mut reactor, served, called) =
        (Reactor::new().unwrap(), DatagramLog::default(), DatagramLog::default());
    let port = reactor.listen_udp("127.0.0.1:0", DatagramRecorder::echo(&served)).unwrap();
    let caller =
        reactor.context().connect_udp(port.address(), DatagramRecorder::quiet(&called)).unwrap();
    let before = Instant::now();
    let mut turns = 0;
    for number in 0..10_u8 {
        reactor.context().datagram(caller.id()).send(&[number]);
    }
    let limit = Duration::from_millis(if is_child() { 700 } else { 10_000 });
    while called.data().len() < 10 && before.elapsed() < limit {
        reactor.turn(Some(Duration::from_millis(50))).unwrap();
        turns += 1;
    }
    let data: Vec<u8> = called.data().concat();
    assert!(data.is_sorted(), "out of order: {data:?}");
    assert!(is_child() || data.len() == 10);
    let counts = reactor.context().datagram(caller.id()).counts();
    println!("\nRECEIVED {} DROPPED {} TURNS {turns}", data.len(), counts.dropped);
    println!("ERRORS {:?} {:?}", called.errors(), served.errors());
    let pauses = |event: &DatagramEvent| *event == DatagramEvent::Paused;
    let resumes = |event: &DatagramEvent| *event == DatagramEvent::Resumed;
    println!("PAUSES {} RESUMES {}", called.count(pauses), called.count(resumes));
    drop(reactor);
    served.check();
    called.check();
}

/// Returns the output of a child in which `inject` fails, and asserts that it succeeds.
fn datagrams_with(inject: &str) -> String {
    let only = format!("trace={}", inject.split(':').next().unwrap());
    let inject = format!("inject={inject}");
    let name = "datagram_calls::without_faults_datagrams_arrive_in_order";
    let output = traced(name, &["-o", "/dev/null", "-e", &only, "-e", &inject]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{inject}: {text}");
    text
}

#[test]
fn blocked_datagrams_are_queued_in_order() {
    if !strace_works() {
        return;
    }
    let text = datagrams_with("sendto:error=EAGAIN:when=4..9");
    assert!(text.contains("RECEIVED 10 DROPPED 0"), "{text}");
    assert!(text.contains("PAUSES 1 RESUMES 1"), "{text}");
    let text = datagrams_with("sendto,recvfrom:error=EINTR:when=1+2");
    assert!(text.contains("RECEIVED 10 DROPPED 0"), "{text}");
}

/// No datagram can be sent, so that all but the first are dropped, which is reported once.
#[test]
fn datagrams_beyond_queue_limit_are_dropped_and_reported() {
    if is_child() {
        let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
        let options = DatagramOptions::new().queue_limits(5, 100);
        let protocol = DatagramRecorder::quiet(&events);
        let port = options.connect_udp(reactor.context(), "127.0.0.1:9", protocol).unwrap();
        (0..20).for_each(|_| reactor.context().datagram(port.id()).send(b"short"));
        turns(&mut reactor, 1);
        let counts = reactor.context().datagram(port.id()).counts();
        assert_eq!((counts.queued, counts.dropped, counts.sent), (5, 15, 0));
        assert_eq!(events.errors().len(), 1);
        reactor.context().close(port.id());
        turns(&mut reactor, 1);
        events.check();
        return;
    }
    if !strace_works() {
        return;
    }
    let name = this_test!();
    let output = traced(name, &["-e", "trace=sendto", "-e", "inject=sendto:error=EAGAIN"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Sending blocks at first, and works when the socket is closed.
#[test]
fn queued_datagrams_are_retried_on_close() {
    if is_child() {
        let (mut reactor, events, peer) = (Reactor::new().unwrap(), DatagramLog::default(), peer());
        socket2::SockRef::from(&peer).set_recv_buffer_size(200 * 1024).unwrap();
        let to = peer.local_addr().unwrap();
        let port = reactor.context().connect_udp(to, DatagramRecorder::quiet(&events)).unwrap();
        (0..300_u16).for_each(|n| reactor.context().datagram(port.id()).send(&n.to_be_bytes()));
        assert_eq!(reactor.context().datagram(port.id()).counts().queued, 300);
        reactor.context().close(port.id());
        (0..300_u16).for_each(|n| assert_eq!(received(&peer), n.to_be_bytes()));
        turns(&mut reactor, 1);
        events.check();
        return;
    }
    if !strace_works() {
        return;
    }
    let name = this_test!();
    let output = traced(name, &["-e", "trace=sendto", "-e", "inject=sendto:error=EAGAIN:when=1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn unsendable_datagram_affects_no_other() {
    if !strace_works() {
        return;
    }
    for error in ["ENOBUFS", "ENOMEM", "EPERM", "ENETUNREACH"] {
        // A connected socket tries twice, since the first error may belong to an earlier datagram.
        let text = datagrams_with(&format!("sendto:error={error}:when=3..4"));
        assert!(text.contains("RECEIVED 9 DROPPED 1"), "{error}: {text}");
        assert!(text.contains("cannot send 1 bytes to 127.0.0.1:"), "{error}: {text}");
        let text = datagrams_with(&format!("sendto:error={error}:when=3"));
        assert!(text.contains("RECEIVED 10 DROPPED 0"), "{error}: {text}");
        assert!(text.contains("cannot receive on 127.0.0.1:"), "{error}: {text}");
    }
}

#[test]
fn failed_datagram_socket_leaves_nothing() {
    if is_child() {
        let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
        let before = descriptors();
        let error =
            reactor.listen_udp("127.0.0.1:0", DatagramRecorder::quiet(&events)).unwrap_err();
        assert!(error.to_string().starts_with("cannot listen on 127.0.0.1:0: "), "{error}");
        assert_eq!(descriptors(), before);
        drop(reactor);
        assert_eq!(events.all(), [], "start_protocol was called");
        return;
    }
    if !strace_works() {
        return;
    }
    // The first registration is the waker's.
    for inject in ["socket:error=EMFILE", "bind:error=ENOBUFS", "epoll_ctl:error=ENOSPC:when=2+"] {
        let only = format!("trace={}", inject.split(':').next().unwrap());
        let name = this_test!();
        let output = traced(name, &["-e", &only, "-e", &format!("inject={inject}")]);
        assert!(output.status.success(), "{inject}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn failed_receive_loses_nothing_and_never_spins() {
    if !strace_works() {
        return;
    }
    for error in ["ENOMEM", "ENETDOWN", "ECONNREFUSED"] {
        let text = datagrams_with(&format!("recvfrom:error={error}:when=2..3"));
        assert!(text.contains("RECEIVED 10"), "{error}: {text}");
    }
    let text = datagrams_with("recvfrom:error=ENOMEM");
    let turns = text.split_once("TURNS ").unwrap().1.split_whitespace().next().unwrap();
    assert!(turns.parse::<usize>().unwrap() < 40, "the reactor spins: {text}");
    assert!(text.contains("RECEIVED 0") && text.contains("cannot receive on"), "{text}");
}
