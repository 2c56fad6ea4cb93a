//! Shared sockets: other holders may change O_NONBLOCK, and options come with a socket.

use crate::producers::{Outcome, file, noting_outcome, pull};
use crate::recorder::{self, DatagramLog, DatagramRecorder};
use crate::support::*;
use ropewalk::{DatagramOptions, FileSender, Id, Reactor};
use socket2::SockRef;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Runs `scenario` in another thread, and fails if a call in it blocks.
fn assert_never_blocks(scenario: impl FnOnce() + Send + 'static) {
    let (done, end) = mpsc::channel();
    let thread = thread::spawn(move || {
        scenario();
        let _ = done.send(());
    });
    match end.recv_timeout(PATIENCE) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a call blocks"),
        _ => thread.join().unwrap(),
    }
}

/// Clears O_NONBLOCK, as another holder of the socket might.
fn clear_nonblock(copy: &impl AsFd) {
    SockRef::from(copy).set_nonblocking(false).unwrap();
}

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client(listener.local_addr().unwrap());
    (listener.accept().unwrap().0, client)
}

#[test]
fn accept_never_blocks_when_o_nonblock_is_cleared() {
    assert_never_blocks(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, copy) = (listener.local_addr().unwrap(), listener.try_clone().unwrap());
        let mut reactor = Reactor::new().unwrap();
        reactor.context().adopt_listener(listener, || Echo).unwrap();
        clear_nonblock(&copy);
        assert_client_is_echoed(&mut reactor, address);
        assert!(SockRef::from(&copy).nonblocking().unwrap(), "O_NONBLOCK was not set again");
    });
}

#[test]
fn unix_accept_never_blocks() {
    assert_never_blocks(|| {
        let path = std::env::temp_dir().join(format!("ropewalk-shared-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let copy = listener.try_clone().unwrap();
        let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
        reactor.context().adopt_listener(listener, recorders(&log, echo)).unwrap();
        clear_nonblock(&copy);
        let _client = UnixStream::connect(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        turn_until(&mut reactor, "made", |_| log.made() == 1);
        assert!(becomes_idle(&mut reactor));
    });
}

#[test]
fn accept_never_blocks_after_descriptor_was_lent() {
    assert_never_blocks(|| {
        let mut reactor = Reactor::new().unwrap();
        let port = reactor.listen_tcp("127.0.0.1:0", || Echo).unwrap();
        let lent = reactor.context().descriptor(port.id()).unwrap();
        let copy = lent.try_clone_to_owned().unwrap();
        clear_nonblock(&copy);
        assert_client_is_echoed(&mut reactor, port.address().socket_addr().unwrap());
    });
}

/// Asserts that neither reads nor writes block when another holder clears O_NONBLOCK.
fn assert_connection_never_blocks(
    ours: impl Into<OwnedFd> + Send + 'static,
    peer: impl Into<OwnedFd>,
) {
    let peer: OwnedFd = peer.into();
    assert_never_blocks(move || {
        let ours: OwnedFd = ours.into();
        let copy = ours.try_clone().unwrap();
        let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
        let protocol = Recorder::new(&log, only_record);
        let id = reactor.context().adopt_connection(ours, protocol).unwrap();
        clear_nonblock(&copy);
        // As many bytes as one read returns, so that only the next read would block.
        let whole = pattern(64 * 1024);
        rustix::io::write(&peer, &whole).unwrap();
        turn_until(&mut reactor, "all read", |_| log.data().len() == whole.len());
        // More than the socket accepts, in one chunk and in several.
        reactor.context().transport(id).write(&pattern(MUCH));
        turns(&mut reactor, 3);
        reactor.context().transport(id).write(b"more");
        turns(&mut reactor, 3);
        assert_eq!(log.lost(), 0);
    });
}

#[test]
fn reads_and_writes_never_block() {
    let (ours, peer) = tcp_pair();
    assert_connection_never_blocks(ours, peer);
    let (ours, peer) = UnixStream::pair().unwrap();
    assert_connection_never_blocks(ours, peer);
}

#[test]
fn shared_socket_sends_files_without_sendfile() {
    assert_never_blocks(|| {
        let (ours, peer) = tcp_pair();
        let copy = ours.try_clone().unwrap();
        let (mut reactor, log, outcome) =
            (Reactor::new().unwrap(), Log::default(), Outcome::default());
        let protocol = Recorder::new(&log, only_record);
        let id = reactor.context().adopt_connection(ours, protocol).unwrap();
        turns(&mut reactor, 1);
        clear_nonblock(&copy);
        let sender = FileSender::new(file(&pattern(MUCH)));
        pull(&mut reactor, id, noting_outcome(sender, &outcome));
        turns(&mut reactor, 60);
        assert!(outcome.borrow().is_none(), "the socket is full");
        assert!(read_turning(&mut reactor, &peer, MUCH) == pattern(MUCH));
        turn_until(&mut reactor, "done", |_| outcome.borrow().is_some());
        assert_eq!(*outcome.borrow(), Some(Ok(MUCH as u64)));
    });
}

#[test]
fn datagram_calls_never_block() {
    assert_never_blocks(|| {
        let (ours, peer) = (UdpSocket::bind("127.0.0.1:0").unwrap(), recorder::peer());
        let copy = ours.try_clone().unwrap();
        let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
        let options = DatagramOptions::new();
        options.adopt_datagram(reactor.context(), ours, DatagramRecorder::echo(&events)).unwrap();
        clear_nonblock(&copy);
        peer.send_to(b"hello", copy.local_addr().unwrap()).unwrap();
        turn_until(&mut reactor, "received", |_| events.data().len() == 1);
        assert_eq!(recorder::received(&peer), b"hello");
    });
    assert_never_blocks(|| {
        let (ours, peer) = UnixDatagram::pair().unwrap();
        let copy = ours.try_clone().unwrap();
        let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
        let options = DatagramOptions::new();
        let recorder = DatagramRecorder::new(&events, |transport, event, _| {
            if matches!(event, recorder::DatagramEvent::Data(_)) {
                (0..1000).for_each(|_| transport.send(b"more than the receiver's queue holds"));
            }
        });
        options.adopt_datagram(reactor.context(), ours, recorder).unwrap();
        clear_nonblock(&copy);
        peer.send(b"hello").unwrap();
        turn_until(&mut reactor, "received", |_| events.data().len() == 1);
        turns(&mut reactor, 3);
    });
}

const LONG: Option<Duration> = Some(Duration::from_secs(600));

fn linger(reactor: &mut Reactor, id: Id) -> Option<Duration> {
    let descriptor = reactor.context().descriptor(id).expect("the socket exists");
    SockRef::from(&descriptor).linger().unwrap()
}

#[test]
fn adopted_connection_has_no_so_linger() {
    assert_never_blocks(|| {
        let (ours, _peer) = tcp_pair();
        SockRef::from(&ours).set_linger(LONG).unwrap();
        let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
        let protocol = Recorder::new(&log, only_record);
        let id = reactor.context().adopt_connection(ours, protocol).unwrap();
        assert_eq!(linger(&mut reactor, id), None);
    });
}

#[test]
fn accepted_connections_inherit_no_so_linger() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_linger(LONG).unwrap();
    let address = listener.local_addr().unwrap();
    // This connection is made before the listener is adopted, and inherits its options.
    let _early = client(address);
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    reactor.context().adopt_listener(listener, recorders(&log, only_record)).unwrap();
    let _late = client(address);
    turn_until(&mut reactor, "both", |_| log.made() == 2);
    for id in log.ids() {
        assert_eq!(linger(&mut reactor, id), None, "{id}");
    }
}

#[test]
fn options_that_change_reads_are_disabled() {
    let (ours, _peer) = tcp_pair();
    let copy = ours.try_clone().unwrap();
    SockRef::from(&ours).set_tcp_cork(true).unwrap();
    let mut reactor = Reactor::new().unwrap();
    reactor.context().adopt_connection(ours, Echo).unwrap();
    assert!(!SockRef::from(&copy).tcp_cork().unwrap());

    let (ours, _peer) = UnixStream::pair().unwrap();
    let copy = ours.try_clone().unwrap();
    SockRef::from(&ours).set_passcred(true).unwrap();
    reactor.context().adopt_connection(ours, Echo).unwrap();
    assert!(!SockRef::from(&copy).passcred().unwrap());
}

#[test]
#[cfg(feature = "foreign_sockets")]
fn rare_options_are_disabled() {
    use nix::sys::socket::sockopt::{Ipv4RecvErr, UdpGroSegment, UdpGsoSegment};
    use nix::sys::socket::{getsockopt, setsockopt};

    let (ours, _peer) = tcp_pair();
    let copy = ours.try_clone().unwrap();
    setsockopt(&ours, Ipv4RecvErr, &true).unwrap();
    let mut reactor = Reactor::new().unwrap();
    reactor.context().adopt_connection(ours, Echo).unwrap();
    assert!(!getsockopt(&copy, Ipv4RecvErr).unwrap());

    let ours = UdpSocket::bind("127.0.0.1:0").unwrap();
    let copy = ours.try_clone().unwrap();
    setsockopt(&ours, UdpGroSegment, &true).unwrap();
    setsockopt(&ours, UdpGsoSegment, &1000).unwrap();
    let options = DatagramOptions::new();
    let recorder = DatagramRecorder::quiet(&DatagramLog::default());
    options.adopt_datagram(reactor.context(), ours, recorder).unwrap();
    assert!(!getsockopt(&copy, UdpGroSegment).unwrap());
    assert_eq!(getsockopt(&copy, UdpGsoSegment).unwrap(), 0);
}
