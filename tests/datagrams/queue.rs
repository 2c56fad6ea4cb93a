//! The send queue of a datagram socket, on a network that is slow enough to fill it.

#![cfg(target_os = "linux")]

use crate::recorder::*;
use crate::support::*;
use ropewalk::{Address, DatagramOptions, DatagramTransport, Reactor, SocketOption};
use std::cell::Cell;
use std::net::UdpSocket;
use std::rc::Rc;

/// Runs the test `name` where loopback is limited to 10 Mbit/s, so that a socket's buffer fills up.
fn on_a_slow_network(name: &str) {
    in_network(
        name,
        "ip link set lo mtu 1500 up && \
         tc qdisc add dev lo root tbf rate 10mbit burst 2000 limit 10000000",
    );
}

/// Connects a socket with a system buffer for only a few datagrams.
fn full_socket(
    reactor: &mut Reactor,
    options: DatagramOptions,
    to: &UdpSocket,
    events: &DatagramLog,
) -> ropewalk::Id {
    let options = options.option(SocketOption::SendBuffer(4096));
    let (to, protocol) = (to.local_addr().unwrap(), DatagramRecorder::quiet(events));
    options.connect_udp(reactor.context(), to, protocol).unwrap().id()
}

/// Returns a datagram of about 1 kB that begins with `number`.
fn numbered(number: u16) -> Vec<u8> {
    [&number.to_be_bytes()[..], &pattern(1000)].concat()
}

#[test]
fn full_socket_queues_and_sends_in_order() {
    if !is_child() {
        return on_a_slow_network(this_test!());
    }
    let (mut reactor, events, peer) = (Reactor::new().unwrap(), DatagramLog::default(), peer());
    let id = full_socket(&mut reactor, DatagramOptions::new(), &peer, &events);
    for round in 1..=2 {
        let context = reactor.context();
        for number in 0..300 {
            context.datagram(id).send(&numbered(number));
        }
        let waiting = context.datagram(id).counts().queued;
        assert!((200..300).contains(&waiting), "{waiting} are queued");
        assert_eq!(context.transport(id).write_buffer_size(), waiting * 1002);
        let mut next = 0;
        peer.set_nonblocking(true).unwrap();
        turn_until(&mut reactor, "all have arrived", |_| {
            let mut buffer = [0; 2000];
            while let Ok(length) = peer.recv(&mut buffer) {
                assert_eq!(buffer[..length], numbered(next), "number {next}");
                next += 1;
            }
            next == 300
        });
        turn_until(&mut reactor, "no queued work", becomes_idle);
        assert_eq!(events.count(|event| *event == DatagramEvent::Paused), round);
        assert_eq!(events.count(|event| *event == DatagramEvent::Resumed), round);
        assert_eq!(events.all().last(), Some(&DatagramEvent::Resumed));
    }
    assert_eq!(reactor.context().datagram(id).counts().sent, 600);
}

#[test]
fn datagrams_beyond_the_queue_limit_are_dropped() {
    if !is_child() {
        return on_a_slow_network(this_test!());
    }
    let (mut reactor, peer) = (Reactor::new().unwrap(), peer());
    let few = DatagramOptions::new().queue_limits(10, usize::MAX);
    let little = DatagramOptions::new().queue_limits(usize::MAX, 10_500);
    for options in [few, little] {
        let events = DatagramLog::default();
        let id = full_socket(&mut reactor, options, &peer, &events);
        for round in 1..=2 {
            for number in 0..100 {
                reactor.context().datagram(id).send(&numbered(number));
            }
            assert_eq!(reactor.context().datagram(id).counts().queued, 10);
            let resumed = |event: &DatagramEvent| *event == DatagramEvent::Resumed;
            turn_until(&mut reactor, "room", |_| events.count(resumed) == round);
            let errors = events.errors();
            assert_eq!(errors.len(), round, "{errors:?}");
            assert!(errors[0].contains("the send queue is full"), "{errors:?}");
        }
        let counts = reactor.context().datagram(id).counts();
        assert_eq!(counts.sent + counts.dropped, 200);
        assert!(counts.dropped > 100, "{counts:?}");
    }
}

#[test]
fn close_or_stop_drops_and_counts_the_queue() {
    if !is_child() {
        return on_a_slow_network(this_test!());
    }
    for stop in [false, true] {
        let (mut reactor, events, peer) = (Reactor::new().unwrap(), DatagramLog::default(), peer());
        let counts = Rc::new(Cell::new(None));
        let last = counts.clone();
        let hook = move |transport: &mut DatagramTransport<'_>,
                         event: &DatagramEvent,
                         _: Option<&Address>| {
            if *event == DatagramEvent::Stopped {
                last.set(Some(transport.counts()));
            }
        };
        let options = DatagramOptions::new().option(SocketOption::SendBuffer(4096));
        let (to, protocol) = (peer.local_addr().unwrap(), DatagramRecorder::new(&events, hook));
        let context = reactor.context();
        let id = options.connect_udp(context, to, protocol).unwrap().id();
        for number in 0..100 {
            context.datagram(id).send(&numbered(number));
        }
        if stop {
            context.stop();
            reactor.run().unwrap();
        } else {
            context.close(id);
            turns(&mut reactor, 1);
        }
        let counts = counts.take().expect("stop_protocol");
        assert!(counts.dropped > 50, "{counts:?}");
        assert_eq!((counts.sent + counts.dropped, counts.queued), (100, 0));
        events.check();
    }
}
