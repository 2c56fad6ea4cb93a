//! Datagrams over Unix sockets: addresses, and no loss.

use crate::datagrams::{DatagramEvent, DatagramLog, DatagramRecorder};
use crate::support::*;
use crate::unix::{Folder, leave_behind};
use ropewalk::{Address, DatagramOptions, Reactor, SocketOption, UnixAddress};
use std::io::ErrorKind;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;

/// Returns the next datagram of `socket`. It fails rather than hang.
fn received(socket: &UnixDatagram) -> Vec<u8> {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = vec![0; 65_536];
    let length = socket.recv(&mut buffer).expect("a datagram in time");
    buffer.truncate(length);
    buffer
}

#[test]
fn datagram_arrives_with_its_sender_address() {
    let (folder, events) = (Folder::new(), DatagramLog::default());
    let (path, theirs) = (folder.path("echo"), folder.path("client"));
    let mut reactor = Reactor::new().unwrap();
    let port =
        reactor.context().listen_unix_datagram(&path, DatagramRecorder::echo(&events)).unwrap();
    assert_eq!(port.address().unix(), Some(&UnixAddress::from(&path)));
    let client = UnixDatagram::bind(&theirs).unwrap();
    for data in [&b"hello"[..], b"", &pattern(50_000)] {
        client.send_to(data, &path).unwrap();
        turn_until(&mut reactor, "received", |_| events.data().last().is_some_and(|l| l == data));
        assert_eq!(received(&client), data);
    }
    assert!(events.senders().iter().all(|from| from.unix() == Some(&UnixAddress::from(&theirs))));
    reactor.context().close(port.id());
    turns(&mut reactor, 1);
    assert!(!path.exists(), "the file was left");
    events.check();
}

#[test]
fn unnamed_sender_cannot_be_answered() {
    let (folder, events, theirs) = (Folder::new(), DatagramLog::default(), DatagramLog::default());
    let path = folder.path("echo");
    let mut reactor = Reactor::new().unwrap();
    reactor.context().listen_unix_datagram(&path, DatagramRecorder::echo(&events)).unwrap();
    let port =
        reactor.context().connect_unix_datagram(&path, DatagramRecorder::quiet(&theirs)).unwrap();
    assert!(port.address().unix().is_some_and(UnixAddress::is_unnamed));
    reactor.context().datagram(port.id()).send(b"hello");
    turn_until(&mut reactor, "notified", |_| !events.errors().is_empty());
    assert_eq!(events.senders(), [Address::from(UnixAddress::unnamed())]);
    let error = &events.errors()[0];
    let expected = "cannot send 5 bytes to (unnamed): an unnamed socket cannot be reached";
    assert!(error.starts_with(expected), "{error}");
}

/// One byte longer than a path with its terminating zero. Linux accepts it.
#[test]
fn sender_name_without_terminator_is_accepted() {
    let (folder, events) = (Folder::new(), DatagramLog::default());
    let path = folder.path("echo");
    let length = folder.path("").as_os_str().len();
    let longest = folder.path(&"x".repeat(107 - length));
    let mut reactor = Reactor::new().unwrap();
    reactor.context().listen_unix_datagram(&path, DatagramRecorder::echo(&events)).unwrap();
    // Python and std refuse such a name; rustix does not.
    let name = folder.path(&"x".repeat(108 - length));
    for (name, is_there) in [(longest, true), (name, cfg!(target_os = "linux"))] {
        let sender = UnixDatagram::unbound().unwrap();
        let address = rustix::net::SocketAddrUnix::new(&name);
        let bound = address.and_then(|address| rustix::net::bind(&sender, &address));
        if bound.is_err() {
            assert!(!is_there || name.as_os_str().len() > 107);
            println!("skipped: the system refuses such a name");
            continue;
        }
        let event = events.data().len();
        sender.send_to(b"hello", &path).unwrap();
        turn_until(&mut reactor, "received", |_| events.data().len() == event + 1);
        let sender = events.senders().last().unwrap().clone();
        assert_eq!(sender.unix().and_then(UnixAddress::path), Some(&*name));
    }
}

#[test]
fn client_with_system_name_is_answered() {
    let (folder, events, theirs) = (Folder::new(), DatagramLog::default(), DatagramLog::default());
    let path = folder.path("echo");
    let mut reactor = Reactor::new().unwrap();
    reactor.context().listen_unix_datagram(&path, DatagramRecorder::echo(&events)).unwrap();
    let name = UnixAddress::unnamed();
    let port =
        reactor.context().listen_unix_datagram(name, DatagramRecorder::quiet(&theirs)).unwrap();
    let address = port.address().unix().unwrap();
    assert!(address.as_abstract_name().is_some(), "{address}");
    reactor.context().datagram(port.id()).connect(UnixAddress::from(&path)).unwrap();
    reactor.context().datagram(port.id()).send(b"hello");
    turn_until(&mut reactor, "answered", |_| !theirs.data().is_empty());
    assert_eq!(theirs.data(), [b"hello"]);
    assert_eq!(events.senders(), [port.address().clone()]);
    assert_eq!(theirs.senders(), [Address::from(UnixAddress::from(&path))]);
}

#[test]
fn full_receiver_queues_datagrams_without_loss() {
    let (folder, events) = (Folder::new(), DatagramLog::default());
    let path = folder.path("slow");
    let slow = UnixDatagram::bind(&path).unwrap();
    let mut reactor = Reactor::new().unwrap();
    let context = reactor.context();
    // A connected socket and an unconnected one. For the second, the poll does not report when its
    // receiver has space.
    let connected =
        context.connect_unix_datagram(&path, DatagramRecorder::quiet(&events)).unwrap().id();
    let other = DatagramLog::default();
    let unconnected = folder.path("unconnected");
    let unconnected =
        context.listen_unix_datagram(&unconnected, DatagramRecorder::quiet(&other)).unwrap().id();
    for id in [connected, unconnected] {
        for number in 0..800_u32 {
            reactor.context().datagram(id).send_to(&number.to_be_bytes(), UnixAddress::from(&path));
        }
    }
    turns(&mut reactor, 2);
    let waiting = reactor.context().datagram(connected).counts().queued;
    assert!(waiting > 0, "nothing is queued");
    assert!(becomes_idle(&mut reactor), "queued datagrams spin");
    slow.set_nonblocking(true).unwrap();
    let (mut got, mut buffer) = (Vec::new(), [0; 16]);
    turn_until(&mut reactor, "all data", |_| {
        while let Ok(length) = slow.recv(&mut buffer) {
            got.push(u32::from_be_bytes(buffer[..length].try_into().unwrap()));
        }
        got.len() == 1600
    });
    // The datagrams of each socket are in order.
    got.sort();
    assert!(got.chunks(2).enumerate().all(|(number, two)| two == [number as u32; 2]));
    for id in [connected, unconnected] {
        let counts = reactor.context().datagram(id).counts();
        assert_eq!((counts.sent, counts.dropped, counts.queued), (800, 0, 0));
    }
}

#[test]
fn unreachable_receivers_explain_what_to_do() {
    let (folder, events) = (Folder::new(), DatagramLog::default());
    let (path, stale) = (folder.path("us"), folder.path("stale"));
    leave_behind(&stale);
    let stream = folder.path("stream");
    let _listener = std::os::unix::net::UnixListener::bind(&stream).unwrap();
    let mut reactor = Reactor::new().unwrap();
    let port =
        reactor.context().listen_unix_datagram(&path, DatagramRecorder::quiet(&events)).unwrap();
    let receiver = UnixDatagram::bind(folder.path("there")).unwrap();
    let names = [folder.path("nowhere"), stale, stream, folder.path(&"x".repeat(100))];
    for name in &names {
        reactor.context().datagram(port.id()).send_to(b"hello", UnixAddress::from(name));
    }
    let there = UnixAddress::from(folder.path("there"));
    reactor.context().datagram(port.id()).send_to(&vec![0; 4_000_000], &there);
    reactor.context().datagram(port.id()).send_to(b"hello", &there);
    turn_until(&mut reactor, "all errors", |_| events.errors().len() == 5);
    for (error, expected) in events.errors().iter().zip([
        "no such socket; is the server running?",
        "nothing listens there, or",
        "rotocol wrong type for socket",
        "the limit for a socket is 107",
        "enlarge that with `send_buffer_size`",
    ]) {
        assert!(error.starts_with("cannot send "), "{error}");
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(received(&receiver), b"hello", "later datagrams are sent");
    assert_eq!(reactor.context().datagram(port.id()).counts().dropped, 5);
    let error =
        reactor.context().datagram(port.id()).connect(UnixAddress::from(&names[0])).unwrap_err();
    let expected = format!("cannot connect to {}: no such file", names[0].display());
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn closed_peer_is_reported_as_refused() {
    let (folder, events) = (Folder::new(), DatagramLog::default());
    let path = folder.path("peer");
    let peer = UnixDatagram::bind(&path).unwrap();
    let mut reactor = Reactor::new().unwrap();
    let port =
        reactor.context().connect_unix_datagram(&path, DatagramRecorder::quiet(&events)).unwrap();
    reactor.context().datagram(port.id()).send(b"hello");
    assert_eq!(received(&peer), b"hello");
    drop(peer);
    reactor.context().datagram(port.id()).send(b"second");
    turn_until(&mut reactor, "refused", |_| {
        events.count(|event| *event == DatagramEvent::Refused) == 1
    });
    // Later sends are refused as well, until the socket is connected again.
    let third = UnixDatagram::bind(folder.path("other")).unwrap();
    reactor.context().datagram(port.id()).send(b"third");
    turn_until(&mut reactor, "refused", |_| {
        events.count(|event| *event == DatagramEvent::Refused) == 2
    });
    assert!(becomes_idle(&mut reactor));
    assert_eq!(events.errors(), [""; 0]);
    let other = UnixAddress::from(folder.path("other"));
    reactor.context().datagram(port.id()).connect(other).unwrap();
    reactor.context().datagram(port.id()).send(b"hello again");
    assert_eq!(received(&third), b"hello again");
}

#[test]
fn oversized_datagram_is_reported_as_truncated() {
    let (folder, events) = (Folder::new(), DatagramLog::default());
    let path = folder.path("short");
    let mut reactor = Reactor::new().unwrap();
    let options = DatagramOptions::new().max_datagram_size(4);
    let recorder = DatagramRecorder::quiet(&events);
    options.listen_unix_datagram(reactor.context(), &path, recorder).unwrap();
    let client = UnixDatagram::unbound().unwrap();
    client.send_to(b"four", &path).unwrap();
    client.send_to(b"fives", &path).unwrap();
    turn_until(&mut reactor, "both", |_| events.all().len() == 3);
    let expected = [
        DatagramEvent::Started,
        DatagramEvent::Data(b"four".to_vec()),
        DatagramEvent::Truncated(b"five".to_vec()),
    ];
    assert_eq!(events.all(), expected);
}

#[test]
fn datagram_socket_file_follows_listener_rules() {
    let (folder, events) = (Folder::new(), DatagramLog::default());
    let (live, stale, file) = (folder.path("live"), folder.path("stale"), folder.path("file"));
    let mut reactor = Reactor::new().unwrap();
    let _receiver = UnixDatagram::bind(&live).unwrap();
    drop(UnixDatagram::bind(&stale).unwrap());
    std::fs::write(&file, "content").unwrap();
    for (path, kind) in [(&live, ErrorKind::AddrInUse), (&file, ErrorKind::AlreadyExists)] {
        let recorder = DatagramRecorder::quiet(&events);
        let error = reactor.context().listen_unix_datagram(path, recorder).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    let options = DatagramOptions::new().mode(0o606);
    let recorder = DatagramRecorder::quiet(&events);
    options.listen_unix_datagram(reactor.context(), &stale, recorder).unwrap();
    let mode = std::fs::metadata(&stale).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o606);
    UnixDatagram::unbound().unwrap().send_to(b"hello", &stale).unwrap();
    turn_until(&mut reactor, "received", |_| events.data() == [b"hello"]);
    drop(reactor);
    assert_eq!(folder.contents(), ["file", "live"]);
}

#[test]
fn ip_options_are_refused() {
    let (folder, events) = (Folder::new(), DatagramLog::default());
    let path = folder.path("ttl");
    let mut reactor = Reactor::new().unwrap();
    let options = DatagramOptions::new().option(SocketOption::Ttl(3));
    let recorder = DatagramRecorder::quiet(&events);
    let error = options.listen_unix_datagram(reactor.context(), &path, recorder).unwrap_err();
    assert!(error.to_string().starts_with("cannot listen on "), "{error}");
    let port =
        reactor.context().listen_unix_datagram(&path, DatagramRecorder::quiet(&events)).unwrap();
    reactor.context().set_option(port.id(), SocketOption::Ttl(3)).unwrap_err();
    reactor.context().datagram(port.id()).join_group(IpAddr::from([224, 0, 0, 7]), 0).unwrap_err();
}

/// Only its peer may connect to it, so a connect does not show whether the name is in use.
#[test]
#[cfg(target_os = "linux")]
fn name_of_connected_socket_is_in_use() {
    let (folder, events) = (Folder::new(), DatagramLog::default());
    let (path, theirs) = (folder.path("taken"), folder.path("peer"));
    let _peer = UnixDatagram::bind(&theirs).unwrap();
    let connected = UnixDatagram::bind(&path).unwrap();
    connected.connect(&theirs).unwrap();
    let mut reactor = Reactor::new().unwrap();
    let outcome = reactor.context().listen_unix_datagram(&path, DatagramRecorder::quiet(&events));
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::AddrInUse);
    assert!(path.exists());
}

#[test]
fn ip_addresses_are_unreachable_from_unix_sockets() {
    let (folder, events) = (Folder::new(), DatagramLog::default());
    let mut reactor = Reactor::new().unwrap();
    let context = reactor.context();
    let port =
        context.listen_unix_datagram(folder.path("one"), DatagramRecorder::quiet(&events)).unwrap();
    let error = context.datagram(port.id()).connect("127.0.0.1:7000").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    context.datagram(port.id()).send_to(b"hello", "127.0.0.1:7000");
    turn_until(&mut reactor, "notified", |_| !events.errors().is_empty());
    let expected = "cannot send 5 bytes to 127.0.0.1:7000: a datagram cannot be sent between a \
                    Unix socket and an IP address";
    assert_eq!(events.errors()[0], expected);
}
