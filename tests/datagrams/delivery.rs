//! Delivery of datagrams: whole, with their senders, and within a budget.

use crate::recorder::*;
use crate::support::*;
use ropewalk::{Address, DatagramOptions, DatagramProtocol, Reactor, SocketOption};
use std::io::Write;
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn datagrams_arrive_with_their_senders() {
    for local in ["127.0.0.1:0", "[::1]:0"] {
        let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
        let boxed: Box<dyn DatagramProtocol> = Box::new(DatagramRecorder::echo(&events));
        let address = receive_on(&mut reactor, local, boxed);
        let peer = peer_on(local);
        for text in ["one", "", "three"] {
            peer.send_to(text.as_bytes(), address).unwrap();
        }
        turn_until(&mut reactor, "three datagrams", |_| events.data().len() == 3);
        assert_eq!(events.data(), [b"one".to_vec(), Vec::new(), b"three".to_vec()]);
        let from = Address::from(peer.local_addr().unwrap());
        assert!(events.senders().iter().all(|sender| *sender == from));
        // The empty datagram is answered too.
        for text in ["one", "", "three"] {
            assert_eq!(received(&peer), text.as_bytes());
        }
        drop(reactor);
        events.check();
    }
}

#[test]
fn the_longest_datagram_arrives_whole() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let address = receive_on(&mut reactor, "127.0.0.1:0", DatagramRecorder::echo(&events));
    let (peer, longest) = (peer(), pattern(65_507));
    peer.send_to(&longest, address).unwrap();
    turn_until(&mut reactor, "the datagram", |_| events.data().len() == 1);
    assert_eq!(received(&peer), longest);
}

#[test]
fn datagram_longer_than_buffer_is_reported_truncated() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let options = DatagramOptions::new().max_datagram_size(100);
    let protocol = DatagramRecorder::quiet(&events);
    let port = options.listen_udp(reactor.context(), "127.0.0.1:0", protocol).unwrap();
    let peer = peer();
    for length in [100, 101, 2_000, 99] {
        peer.send_to(&pattern(length), port.address()).unwrap();
    }
    turn_until(&mut reactor, "four datagrams", |_| events.all().len() == 5);
    let beginning = DatagramEvent::Truncated(pattern(100));
    let whole = |length| DatagramEvent::Data(pattern(length));
    let expected = [whole(100), beginning.clone(), beginning, whole(99)];
    assert_eq!(events.all()[1..], expected);
    let counts = reactor.context().datagram(port.id()).counts();
    assert_eq!((counts.received, counts.truncated), (4, 2));
}

#[test]
fn buffer_larger_than_the_shared_one_works() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let options = DatagramOptions::new().max_datagram_size(200_000);
    let protocol = DatagramRecorder::echo(&events);
    let port = options.listen_udp(reactor.context(), "127.0.0.1:0", protocol).unwrap();
    let peer = peer();
    for (count, length) in [(1, 65_507), (2, 3)] {
        peer.send_to(&pattern(length), port.address()).unwrap();
        turn_until(&mut reactor, "delivered", |_| events.data().len() == count);
        assert_eq!(received(&peer), pattern(length));
    }
}

#[test]
fn oversized_buffer_is_not_allocated() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let options = DatagramOptions::new().max_datagram_size(usize::MAX);
    let protocol = DatagramRecorder::echo(&events);
    let port = options.listen_udp(reactor.context(), "127.0.0.1:0", protocol).unwrap();
    let peer = peer();
    peer.send_to(b"hello", port.address()).unwrap();
    turn_until(&mut reactor, "delivered", |_| events.data() == [b"hello"]);
}

/// The system reports a writable socket after each datagram that has left. The reactor ignores it.
#[test]
fn sending_does_not_wake_the_reactor() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let address = receive_on(&mut reactor, "127.0.0.1:0", DatagramRecorder::echo(&events));
    let peer = peer();
    for round in 1..=3 {
        peer.send_to(b"hello", address).unwrap();
        turn_until(&mut reactor, "delivered", |_| events.data().len() == round);
        assert_eq!(received(&peer), b"hello");
        let (begin, limit) = (Instant::now(), Duration::from_millis(20));
        reactor.turn(Some(limit)).unwrap();
        assert!(begin.elapsed() >= limit / 2, "the reactor was woken");
    }
}

#[test]
fn flood_is_received_within_a_budget() {
    let (mut reactor, address) = up(|| Echo);
    let events = DatagramLog::default();
    let options = DatagramOptions::new().option(SocketOption::ReceiveBuffer(4 * 1024 * 1024));
    let protocol = DatagramRecorder::quiet(&events);
    let port = options.listen_udp(reactor.context(), "127.0.0.1:0", protocol).unwrap();
    reactor.turn(Some(Duration::ZERO)).unwrap();
    // The budget bounds a turn by number (small datagrams) and by size (60 KB).
    let peer = peer();
    for (count, length, most) in [(1_000, 1, 256), (20, 60_000, 5)] {
        let before = events.all().len();
        for _ in 0..count {
            peer.send_to(&pattern(length), port.address()).unwrap();
        }
        reactor.turn(None).unwrap();
        let first = events.all().len() - before;
        assert!((1..=most).contains(&first), "{first} in one turn");
        // All are delivered although no new event arrives.
        turn_until(&mut reactor, "all", |_| events.all().len() > before + most);
        turn_until(&mut reactor, "no queued work", |reactor| reactor.timeout().is_none());
    }
    // A client is answered while a peer sends without pause.
    let flooding = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let (go, to) = (flooding.clone(), port.address().clone());
    let flood = std::thread::spawn(move || {
        while go.load(std::sync::atomic::Ordering::Relaxed) {
            let _ = peer.send_to(&[1; 100], &to);
        }
    });
    assert_client_is_echoed(&mut reactor, address);
    flooding.store(false, std::sync::atomic::Ordering::Relaxed);
    flood.join().unwrap();
}

#[test]
fn ipv6_socket_receives_ipv4_unless_ipv6_only() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let both = DatagramOptions::new().only_ipv6(false);
    let context = reactor.context();
    let port = both.listen_udp(context, "[::]:0", DatagramRecorder::echo(&events)).unwrap();
    let number = port.address().port().unwrap();
    // An IPv6-only socket leaves the same port free on IPv4.
    assert!(UdpSocket::bind(("127.0.0.1", number)).is_err());
    let peer = peer();
    peer.send_to(b"over IPv4", ("127.0.0.1", number)).unwrap();
    turn_until(&mut reactor, "the datagram", |_| events.data().len() == 1);
    assert_eq!(received(&peer), b"over IPv4");
    let only = DatagramOptions::new().only_ipv6(true);
    // Another process may use the same IPv4 port; then try the next.
    assert!((0..100).any(|_| {
        let context = reactor.context();
        let port = only.listen_udp(context, "[::]:0", DatagramRecorder::echo(&events)).unwrap();
        UdpSocket::bind(("127.0.0.1", port.address().port().unwrap())).is_ok()
    }));
}

#[cfg(target_os = "linux")]
#[test]
fn link_local_sender_keeps_its_interface() {
    if !is_child() {
        return in_network(
            this_test!(),
            "ip link add cable index 77 type veth peer name end && \
             ip link set lo up && ip link set end up && \
             ip -6 addr add fe80::77/64 dev cable nodad && ip link set cable up",
        );
    }
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let local = "[fe80::77%77]:0";
    let address = receive_on(&mut reactor, local, DatagramRecorder::echo(&events));
    let peer = peer_on(local);
    // The system drops what is sent while the link comes up.
    turn_until(&mut reactor, "delivered", |_| {
        peer.send_to(b"hello", address).unwrap();
        events.data().first().is_some_and(|data| data == b"hello")
    });
    assert_eq!(events.senders()[0], peer.local_addr().unwrap().into());
    assert_eq!(received(&peer), b"hello");
}

#[test]
fn python_client_is_answered() {
    let client = "import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10)
for text in (b'one', b'', b'x' * 60000):
    s.sendto(text, ('127.0.0.1', int(sys.argv[1])))
    assert s.recvfrom(65536)[0] == text
print('answered')";
    let events = DatagramLog::default();
    let mut reactor = Reactor::new().unwrap();
    let address = receive_on(&mut reactor, "127.0.0.1:0", DatagramRecorder::echo(&events));
    let mut python = Command::new("python3");
    python.args(["-c", client, &address.port().to_string()]).stdout(Stdio::piped());
    let Ok(mut python) = python.spawn() else {
        return println!("skipped: python3 does not exist here");
    };
    turn_until(&mut reactor, "python ends", |_| python.try_wait().unwrap().is_some());
    let output = python.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "answered");
}

#[test]
fn python_server_answers() {
    let server = "import socketserver
class Echo(socketserver.DatagramRequestHandler):
    def handle(self): self.wfile.write(self.rfile.read())
class Server(socketserver.UDPServer): max_packet_size = 65536
with Server(('127.0.0.1', 0), Echo) as server:
    print(server.server_address[1], flush=True)
    for _ in range(2): server.handle_request()";
    let mut python = Command::new("python3");
    python.args(["-c", server]).stdout(Stdio::piped());
    let Ok(mut python) = python.spawn() else {
        return println!("skipped: python3 does not exist here");
    };
    let mut line = String::new();
    let mut output = std::io::BufReader::new(python.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let to = ([127, 0, 0, 1], line.trim().parse::<u16>().unwrap());
    let port = reactor.context().connect_udp(to, DatagramRecorder::quiet(&events)).unwrap();
    for data in [pattern(9), Vec::new()] {
        reactor.context().datagram(port.id()).send(&data);
        turn_until(&mut reactor, "the answer", |_| events.data().last() == Some(&data));
    }
    std::io::stdout().flush().unwrap();
    assert!(python.wait().unwrap().success());
}

#[test]
fn broadcast_needs_its_option() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let port = reactor.listen_udp("127.0.0.1:0", DatagramRecorder::quiet(&events)).unwrap();
    let receiving = DatagramLog::default();
    let number = receive_on(&mut reactor, "0.0.0.0:0", DatagramRecorder::quiet(&receiving)).port();
    let to = ([127, 255, 255, 255], number);
    reactor.context().datagram(port.id()).send_to(b"hello", to);
    turns(&mut reactor, 2);
    let error = events.errors().pop().expect("an error");
    assert!(error.contains("permission denied") && error.contains("`broadcast`"), "{error}");
    reactor.context().set_option(port.id(), SocketOption::Broadcast(true)).unwrap();
    reactor.context().datagram(port.id()).send_to(b"hello", to);
    turn_until(&mut reactor, "the broadcast", |_| receiving.data().len() == 1);
    let context = reactor.context();
    let options = DatagramOptions::new().broadcast(true);
    let allowed =
        options.listen_udp(context, "127.0.0.1:0", DatagramRecorder::quiet(&events)).unwrap();
    context.datagram(allowed.id()).send_to(b"again", to);
    turn_until(&mut reactor, "the broadcast", |_| receiving.data().len() == 2);
    assert_eq!(events.errors().len(), 1);
}
