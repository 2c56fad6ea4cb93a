//! Allocations: a warm reactor makes none for a message.

#[path = "support/script/mod.rs"]
mod script;
mod support;

use allocation_counter::{AllocationInfo, measure};
use ropewalk::{Id, Protocol, Reactor, Transport};
use script::{Script, Wire};
use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::rc::Rc;
use std::time::Duration;
use support::*;

/// Runs the same rounds twice, and measures the second time, when all buffers have their size.
fn when_warm(mut round: impl FnMut()) -> AllocationInfo {
    (0..20).for_each(|_| round());
    measure(|| (0..20).for_each(|_| round()))
}

fn crowd(reactor: &mut Reactor, address: std::net::SocketAddr, count: usize) -> Vec<TcpStream> {
    let clients: Vec<_> = (0..count).map(|_| client(address)).collect();
    turn_until(reactor, "all made", |reactor| reactor.context().connections().count() == count);
    clients
}

#[test]
fn warm_echo_allocates_nothing() {
    let (mut reactor, address) = up(|| Echo);
    let clients = crowd(&mut reactor, address, 50);
    for size in [64, 4_000, 60_000] {
        let (message, mut answer) = (vec![b'm'; size], vec![0; size]);
        let allocated = when_warm(|| {
            for mut client in &clients {
                client.write_all(&message).unwrap();
            }
            for mut client in &clients {
                client.set_nonblocking(true).unwrap();
                let mut got = 0;
                while got < size {
                    match client.read(&mut answer[got..]) {
                        Ok(count) => got += count,
                        Err(_) => reactor.turn(Some(PATIENCE)).unwrap(),
                    }
                }
                client.set_nonblocking(false).unwrap();
            }
        });
        assert_eq!(allocated.count_total, 0, "{size} bytes: {allocated:?}");
    }
}

#[test]
fn ended_connections_leave_no_tables() {
    const CROWD: usize = 50_000;
    let (script, mut reactor) = Script::new();
    reactor.listen_tcp("10.0.0.1:7000", || Echo).unwrap();
    let left = measure(|| {
        let mut ids = Vec::new();
        while ids.len() < CROWD {
            let wires: Vec<_> = (0..50).map(|_| Wire::unlimited()).collect();
            script.accept(wires.iter().cloned().map(Ok));
            reactor.turn(Some(Duration::ZERO)).unwrap();
            ids.extend(wires.iter().map(Wire::id));
        }
        // Each enters all lists: of connections to flush, ready connections, and ended ones.
        for id in &ids {
            reactor.context().transport(*id).write(b"a line");
            reactor.context().transport(*id).pause();
            reactor.context().transport(*id).resume();
        }
        reactor.turn(Some(Duration::ZERO)).unwrap();
        ids.iter().for_each(|id| reactor.context().abort(*id));
        while reactor.context().statistics().lost() < CROWD as u64 {
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
    });
    // Each list may keep 64 KiB. With an entry for each connection it had 400 KiB at least.
    assert!(left.bytes_current < 500_000, "{left:?}");
}

/// Sends each line that it receives to all other members.
struct Member(Rc<RefCell<Vec<Id>>>);

impl Protocol for Member {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.0.borrow_mut().push(transport.id());
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        let speaker = transport.id();
        for line in data.split_inclusive(|&byte| byte == b'\n') {
            for &id in self.0.borrow().iter().filter(|&&id| id != speaker) {
                transport.context().transport(id).write(line);
            }
        }
    }
}

#[test]
fn warm_delivery_allocates_nothing() {
    let members = Rc::new(RefCell::new(Vec::new()));
    let (mut reactor, address) = up(move || Member(Rc::clone(&members)));
    let clients = crowd(&mut reactor, address, 201);
    let lines = [b'l'; 63].iter().chain(b"\n").copied().cycle().take(16 * 64).collect::<Vec<u8>>();
    let mut received_lines = vec![0; lines.len()];
    let allocated = when_warm(|| {
        (&clients[0]).write_all(&lines).unwrap();
        for mut client in &clients[1..] {
            client.set_nonblocking(true).unwrap();
            let mut got = 0;
            while got < lines.len() {
                match client.read(&mut received_lines[got..]) {
                    Ok(count) => got += count,
                    Err(_) => reactor.turn(Some(PATIENCE)).unwrap(),
                }
            }
            assert_eq!(received_lines, lines);
        }
    });
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
}

#[test]
fn warm_datagram_echo_allocates_nothing() {
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_udp("127.0.0.1:0", Echo).unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.connect(port.address()).unwrap();
    peer.set_nonblocking(true).unwrap();
    let (message, mut answer) = ([7; 1000], [0; 1000]);
    let allocated = when_warm(|| {
        (0..10).for_each(|_| assert_eq!(peer.send(&message).unwrap(), 1000));
        for _ in 0..10 {
            while peer.recv(&mut answer).is_err() {
                reactor.turn(Some(PATIENCE)).unwrap();
            }
        }
    });
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
}

#[test]
fn burst_of_messages_and_calls_leaves_no_memory() {
    let mut reactor = Reactor::new().unwrap();
    let received = Rc::new(std::cell::Cell::new(0));
    let count = received.clone();
    let sender = reactor.context().channel(move |_, _: u64| count.set(count.get() + 1));
    let handle = reactor.handle();
    let left = measure(|| {
        for message in 0..300_000 {
            sender.send(message).unwrap();
            handle.call(|_| {}).unwrap();
        }
        turn_until(&mut reactor, "all received", |_| received.get() == 300_000);
        reactor.turn(Some(Duration::ZERO)).unwrap();
    });
    assert!(left.bytes_max > 4_000_000, "{left:?}");
    assert!(left.bytes_current < 300_000, "{left:?}");
}
