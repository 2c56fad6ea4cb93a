//! Handshakes of filters, before a connection is made.

use super::streams::hello;
use super::*;
use ropewalk::{Filter, FilterLink};
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn connection_is_made_after_the_handshake() {
    let mut scene = Scene::ciphered(only_record);
    let mut client = TcpStream::connect(scene.address).unwrap();
    turns(&mut scene.reactor, 5);
    assert_eq!(scene.server.made(), 0);
    assert_eq!(scene.reactor.context().connections().count(), 0);
    assert_eq!(scene.port.connection_count(scene.reactor.context()), 0);
    assert!(becomes_idle(&mut scene.reactor), "a silent client costs nothing");
    let hello = hello();
    for byte in hello {
        io::Write::write_all(&mut client, &[byte]).unwrap();
        turns(&mut scene.reactor, 2);
    }
    scene.turn_until("it is made", |scene| scene.server.made() == 1);
    assert_eq!(scene.port.connection_count(scene.reactor.context()), 1);
}

#[test]
fn early_writes_by_id_pass_in_order() {
    let mut scene = Scene::ciphered(only_record);
    let id = scene.connect(&ciphered(), on_made(|transport| transport.write(b"third ")));
    scene.reactor.context().transport(id).write(b"first ");
    turns(&mut scene.reactor, 1);
    scene.reactor.context().transport(id).write(b"second ");
    scene.turn_until("all arrived", |scene| scene.server.data().len() == 19);
    assert_eq!(scene.server.data(), b"first second third ");
}

#[test]
fn wrong_key_fails_on_both_ends() {
    let mut scene = Scene::ciphered(only_record);
    let options = ConnectOptions::new().filter(|| ToyCipher::client(8));
    scene.connect(&options, only_record);
    scene.turn_until("both have failed", |scene| {
        scene.refused.borrow().len() + scene.failures.borrow().len() == 2
    });
    let refused = scene.refused.borrow()[0].1.to_string();
    assert!(refused.starts_with("cannot complete the handshake with 127.0.0.1:"), "{refused}");
    assert!(refused.contains("wrong checksum"), "{refused}");
    let failed = scene.failures.borrow()[0].1.to_string();
    assert!(failed.contains("the peer sent an alert"), "the alert arrives: {failed}");
    assert_eq!((scene.server.made(), scene.client.made()), (0, 0));
}

#[test]
fn silent_peer_fails_at_the_deadline() {
    let timeout = Duration::from_millis(50);
    let mut scene = Scene::new(&listen().handshake_timeout(timeout), only_record);
    let _client = TcpStream::connect(scene.address).unwrap();
    scene.turn_until("it has failed", |scene| scene.refused.borrow().len() == 1);
    assert_eq!(scene.refused.borrow()[0].1.kind(), ErrorKind::TimedOut);

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    scene.address = silent.local_addr().unwrap();
    scene.connect(&ciphered().handshake_timeout(timeout), only_record);
    scene.turn_until("it has failed", |scene| scene.failures.borrow().len() == 1);
    assert_eq!(scene.failures.borrow()[0].1.kind(), ErrorKind::TimedOut);
}

#[test]
fn timeout_without_filter_adds_no_filter() {
    let timeout = Duration::from_millis(50);
    let mut scene = Scene::new(&ListenOptions::new().handshake_timeout(timeout), echo);
    let options = ConnectOptions::new().handshake_timeout(timeout);
    scene.connect(&options, on_made(|transport| transport.write(b"hello")));
    scene.turn_until("the echo", |scene| scene.client.data() == b"hello");
}

#[test]
fn peer_that_leaves_fails_the_handshake() {
    let mut scene = Scene::ciphered(only_record);
    drop(TcpStream::connect(scene.address).unwrap());
    scene.turn_until("it has failed", |scene| scene.refused.borrow().len() == 1);
    assert_eq!(scene.refused.borrow()[0].1.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn close_by_id_gives_the_attempt_up() {
    let mut scene = Scene::ciphered(only_record);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    scene.address = silent.local_addr().unwrap();
    let id = scene.connect(&ciphered(), only_record);
    turns(&mut scene.reactor, 5);
    scene.reactor.context().close(id);
    scene.turn_until("it has failed", |scene| scene.failures.borrow().len() == 1);
    assert_eq!(scene.failures.borrow()[0].1.kind(), ErrorKind::ConnectionAborted);
    assert!(scene.reactor.context().transport(id).is_closing());
}

#[test]
fn stop_fails_handshakes_at_once() {
    let mut scene = Scene::ciphered(only_record);
    let _client = TcpStream::connect(scene.address).unwrap();
    turns(&mut scene.reactor, 5);
    scene.reactor.context().stop();
    scene.reactor.run().unwrap();
    assert_eq!((scene.server.made(), scene.refused.borrow().len()), (0, 1));
}

/// Returns true if the server's factory was dropped.
fn factory_is_dropped(scene: &Scene) -> bool {
    Rc::strong_count(&scene.refused) == 1
}

#[test]
fn closed_listener_completes_its_handshakes() {
    let mut scene = Scene::ciphered(only_record);
    let mut client = TcpStream::connect(scene.address).unwrap();
    turns(&mut scene.reactor, 5);
    scene.reactor.context().close(scene.port.id());
    turns(&mut scene.reactor, 2);
    assert!(!factory_is_dropped(&scene));
    io::Write::write_all(&mut client, &hello()).unwrap();
    scene.turn_until("it is made", |scene| scene.server.made() == 1);
    assert!(factory_is_dropped(&scene));
}

#[test]
#[cfg(unix)]
fn detached_listener_reports_each_failed_handshake() {
    let mut scene = Scene::ciphered(only_record);
    let clients = [(); 2].map(|()| TcpStream::connect(scene.address).unwrap());
    turns(&mut scene.reactor, 5);
    assert!(scene.reactor.context().detach_listener(scene.port.id()).is_some());
    drop(clients);
    scene.turn_until("both have failed", |scene| scene.refused.borrow().len() == 2);
    assert!(factory_is_dropped(&scene));
}

#[test]
fn factory_refuses_a_peer_before_the_handshake() {
    let mut scene = Scene::with(&listen(), false, |log, _| Recorder::new(log, only_record));
    let client = TcpStream::connect(scene.address).unwrap();
    let got = read_all_turning(&mut scene.reactor, &client);
    assert_eq!(got.unwrap(), b"");
    assert_eq!((scene.server.made(), scene.refused.borrow().len()), (0, 0));
}

/// A line with the peer's address before the first byte, as a proxy sends it.
pub(crate) struct ProxyLine;

impl Filter for ProxyLine {
    fn start(&mut self, _link: &mut FilterLink<'_>) -> io::Result<()> {
        Ok(())
    }

    fn decode(&mut self, input: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
            return Ok(0);
        };
        let text = str::from_utf8(&input[..end]).map_err(io::Error::other)?;
        let address: SocketAddr = text.parse().map_err(io::Error::other)?;
        link.set_peer(address.into());
        link.establish();
        Ok(end + 1)
    }

    fn encode(&mut self, plaintext: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        link.send(plaintext);
        Ok(plaintext.len())
    }
}

/// A [`ProxyLine`] that lets the bytes after the line through.
pub(crate) struct ProxyHeader(bool);

impl ProxyHeader {
    pub(crate) fn new() -> Self {
        Self(false)
    }
}

impl Filter for ProxyHeader {
    fn start(&mut self, _link: &mut FilterLink<'_>) -> io::Result<()> {
        Ok(())
    }

    fn decode(&mut self, input: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        if !self.0 {
            let consumed = ProxyLine.decode(input, link)?;
            self.0 = consumed > 0;
            return Ok(consumed);
        }
        let count = input.len().min(link.room());
        link.deliver(&input[..count]);
        Ok(count)
    }

    fn encode(&mut self, plaintext: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        ProxyLine.encode(plaintext, link)
    }
}

#[test]
fn filter_replaces_the_address_of_the_peer() {
    let options = ListenOptions::new().filter(ProxyHeader::new);
    let mut scene = Scene::with(&options, true, |log, peer| {
        let peer = peer.to_string();
        Recorder::new(log, move |transport, event| {
            if let Event::Data(_) = event {
                assert_eq!(transport.peer().to_string(), peer);
                write!(transport, "{peer}");
            }
        })
    });
    scene.connect(
        &ConnectOptions::new(),
        on_made(|transport| transport.write(b"192.0.2.7:4000\nwho am I")),
    );
    scene.turn_until("the answer", |scene| scene.client.data().len() == 14);
    assert_eq!(scene.client.data(), b"192.0.2.7:4000");
    assert_eq!(scene.server.data(), b"who am I");
}
