//! Names to connect to, abstract names, and the queue of a listener.

use crate::support::*;
use crate::unix::*;
use ropewalk::{ConnectOptions, Reactor, UnixAddress};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn abstract_names_allow_any_bytes() {
    let name = UnixAddress::abstract_name(format!("ropewalk\0{}", std::process::id()));
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_unix(&name, || Echo).unwrap();
    assert_eq!(port.address().unix(), Some(&name));
    let again = reactor.listen_unix(&name, || Echo).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AddrInUse);
    let (log, failures) = (Log::default(), Failures::default());
    let caller = Caller::new(&log, &failures, |transport, event| match event {
        Event::Made => transport.write(b"hello"),
        Event::Data(_) => transport.close(),
        _ => {}
    });
    reactor.connect_unix(&name, caller).unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.data(), b"hello");
    reactor.context().close(port.id());
    reactor.listen_unix(&name, || Echo).expect("the name is free immediately");
}

#[test]
fn unnamed_listener_receives_a_system_name() {
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_unix(UnixAddress::unnamed(), || Echo).unwrap();
    let name = port.address().unix().and_then(UnixAddress::as_abstract_name).expect("a name");
    assert_eq!(name.len(), 5, "{name:?}");
    let long = UnixAddress::abstract_name([b'x'; 108]);
    let error = reactor.listen_unix(long, || Echo).unwrap_err();
    assert!(error.to_string().contains("107"), "{error}");
}

#[test]
fn failed_connects_explain_what_to_do() {
    let folder = Folder::new();
    let (stale, file, datagram) = (folder.path("stale"), folder.path("file"), folder.path("d"));
    leave_behind(&stale);
    fs::write(&file, "").unwrap();
    let _receiver = UnixDatagram::bind(&datagram).unwrap();
    let (log, failures) = (Log::default(), Failures::default());
    let mut reactor = Reactor::new().unwrap();
    let names: [UnixAddress; 6] = [
        (&folder.path("nowhere")).into(),
        (&stale).into(),
        (&file).into(),
        (&datagram).into(),
        folder.path(&"x".repeat(100)).into(),
        UnixAddress::unnamed(),
    ];
    for name in &names {
        reactor.connect_unix(name, Caller::new(&log, &failures, only_record)).unwrap();
        assert!(failures.borrow().len() < names.len(), "a callback within the call");
    }
    turn_until(&mut reactor, "all failed", |_| failures.borrow().len() == names.len());
    let texts: Vec<String> = failures.borrow().iter().map(|(_, error)| error.to_string()).collect();
    for (text, expected) in texts.iter().zip([
        "no such socket; is the server running?",
        "nothing listens there, or",
        "nothing listens there, or",
        "rotocol wrong type for socket",
        "the limit for a socket is 107",
        "an unnamed socket cannot be reached",
    ]) {
        assert!(text.contains(expected), "{text}");
        assert!(text.starts_with("cannot connect to "), "{text}");
    }
    assert_eq!(log.made(), 0);
    assert_eq!(reactor.context().connections().count(), 0);
}

/// Fills the queue of a listener that does not accept, and returns the waiting clients.
fn fill_queue(path: &Path) -> Vec<socket2::Socket> {
    let name = socket2::SockAddr::unix(path).unwrap();
    let mut waiting = Vec::new();
    loop {
        let socket =
            socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        match socket.connect(&name) {
            Ok(()) => waiting.push(socket),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return waiting,
            Err(error) => panic!("{error}"),
        }
    }
}

fn crowded_listener(path: &Path) -> socket2::Socket {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    socket.bind(&socket2::SockAddr::unix(path).unwrap()).unwrap();
    socket.listen(1).unwrap();
    socket
}

#[test]
fn client_waits_for_space_in_listener_queue() {
    let (folder, log, failures) = (Folder::new(), Log::default(), Failures::default());
    let path = folder.path("crowded.sock");
    let listener = crowded_listener(&path);
    let _waiting = fill_queue(&path);
    let mut reactor = Reactor::new().unwrap();
    let id = reactor.connect_unix(&path, Caller::new(&log, &failures, only_record)).unwrap();
    reactor.context().transport(id).write(b"queued");
    turns(&mut reactor, 30);
    assert_eq!((log.made(), failures.borrow().len()), (0, 0), "the attempt is pending");
    listener.accept().unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    assert_eq!(log.ids(), [id]);
}

#[test]
fn client_waiting_for_queue_space_times_out() {
    let (folder, log, failures) = (Folder::new(), Log::default(), Failures::default());
    let path = folder.path("crowded.sock");
    let _listener = crowded_listener(&path);
    let _waiting = fill_queue(&path);
    let mut reactor = Reactor::new().unwrap();
    let options = ConnectOptions::new().timeout(Duration::from_millis(300));
    let caller = Caller::new(&log, &failures, only_record);
    let begin = Instant::now();
    options.connect_unix(reactor.context(), &path, caller).unwrap();
    let mut turns = 0;
    while failures.borrow().is_empty() {
        reactor.turn(None).unwrap();
        turns += 1;
    }
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert!(turns < 30, "{turns} turns");
    let text = failures.borrow()[0].1.to_string();
    assert!(text.contains("timed out (the backlog of the server stayed full)"), "{text}");

    // A cancelled attempt does not retry.
    let caller = Caller::new(&log, &failures, only_record);
    let id = reactor.connect_unix(&path, caller).unwrap();
    reactor.context().close(id);
    turn_until(&mut reactor, "cancelled", |_| failures.borrow().len() == 2);
    assert!(becomes_idle(&mut reactor));
    assert_eq!(log.made(), 0);
}
