//! Orderly ends: close, close_within, write_eof, and lingering sockets.

use super::{on_data, on_made};
use crate::support::*;
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

#[test]
fn write_eof_follows_queued_data_and_reading_continues() {
    let log = Log::default();
    let data = pattern(5_000_000);
    let sent = data.clone();
    let hook = on_made(move |transport| {
        transport.write(&sent);
        transport.write_eof();
        transport.write_eof();
        transport.write(b"too late");
        assert!(!transport.is_closing());
    });
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client = client(address);
    let got = read_all_turning(&mut reactor, &client).unwrap();
    assert!(got == data, "{} bytes", got.len());
    client.write_all(b"still open").unwrap();
    turn_until(&mut reactor, "received", |_| log.data() == b"still open");
    assert_eq!(log.lost(), 0);
    client.shutdown(Shutdown::Write).unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert!(log.reasons()[0].starts_with("Closed"));
    log.check(true);
}

#[test]
fn both_sides_may_end_in_any_order() {
    for peer_first in [false, true] {
        for keeps_open in [false, true] {
            let log = Log::default();
            let recording = log.clone();
            let (mut reactor, address) = up(move || {
                let recorder = Recorder::new(&recording, only_record);
                if keeps_open { recorder.keeping_open() } else { recorder }
            });
            let client = client(address);
            turn_until(&mut reactor, "made", |_| log.made() == 1);
            let id = log.ids()[0];
            if peer_first {
                client.shutdown(Shutdown::Write).unwrap();
                if keeps_open {
                    turn_until(&mut reactor, "received", |_| log.all().len() == 2);
                }
            }
            reactor.context().transport(id).write(b"bye");
            reactor.context().transport(id).write_eof();
            if !peer_first {
                client.shutdown(Shutdown::Write).unwrap();
            }
            assert_eq!(read_all_turning(&mut reactor, &client).unwrap(), b"bye");
            turn_until(&mut reactor, "lost", |_| log.lost() == 1);
            assert!(log.reasons()[0].starts_with("Closed"), "{:?}", log.reasons());
            assert_eq!(log.count(|event| *event == Event::Eof), 1);
            log.check(true);
        }
    }
}

#[test]
fn writes_after_close_are_dropped() {
    let log = Log::default();
    let hook = on_data(|transport| {
        let id = transport.id();
        transport.write(b"before");
        transport.close();
        transport.write(b"after");
        transport.context().transport(id).write(b"after");
        transport.write_eof();
    });
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client = client(address);
    client.write_all(b"go").unwrap();
    assert_eq!(read_all_turning(&mut reactor, &client).unwrap(), b"before");
    turns(&mut reactor, 2);
    reactor.context().transport(log.ids()[0]).write(b"after it was lost");
    assert_eq!(log.reasons(), ["Closed"]);
}

#[test]
fn close_sends_queued_data_to_a_slow_reader() {
    let log = Log::default();
    let data = pattern(20_000_000);
    let sent = data.clone();
    let hook = on_made(move |transport| {
        transport.write(&sent);
        transport.close();
    });
    let (mut reactor, mut client) = up_with_client(&log, hook);
    turns(&mut reactor, 20);
    assert_eq!(log.lost(), 0, "lost before all data was sent");
    let id = log.ids()[0];
    assert!(reactor.context().transport(id).is_closing());
    let (mut got, mut buffer) = (Vec::new(), vec![0; 50_000]);
    while got.len() < data.len() {
        let count = client.read(&mut buffer).unwrap();
        assert!(count > 0, "the end after {} bytes", got.len());
        got.extend_from_slice(&buffer[..count]);
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    assert!(got == data);
    assert_eq!(read_all_turning(&mut reactor, &client).unwrap(), b"");
    assert_eq!(log.reasons(), ["Closed"]);
}

#[test]
fn expired_close_within_resets_the_peer() {
    let log = Log::default();
    let timeout = Duration::from_millis(50);
    let (mut reactor, address) = up(recorders(&log, move |transport, event| {
        if *event == Event::Made {
            transport.write(&vec![b'x'; MUCH]);
            transport.close_within(timeout);
        }
    }));
    let client = client(address);
    turn_until(&mut reactor, "timed out", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["CloseTimeout"]);
    let outcome = read_all_turning(&mut reactor, &client);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn close_within_completes_before_its_deadline() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, |transport, event| {
        if *event == Event::Made {
            transport.write(&pattern(MUCH));
            transport.close_within(PATIENCE);
        }
    }));
    let client = client(address);
    assert!(read_all_turning(&mut reactor, &client).unwrap() == pattern(MUCH));
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Closed"]);
}

#[test]
fn close_with_unread_input_delivers_the_last_reply() {
    let log = Log::default();
    let reply = pattern(1_000_000);
    let sent = reply.clone();
    let hook = on_data(move |transport| {
        transport.write(&sent);
        transport.close();
    });
    let (mut reactor, address) = up(recorders(&log, hook));
    // Its small buffer keeps much of the reply in the system's send buffer at the close. A reset
    // would discard that.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(10_000).unwrap();
    socket.connect(&address.into()).unwrap();
    let client = TcpStream::from(socket);
    let over = Arc::new(AtomicBool::new(false));
    let sender = {
        let (mut client, over) = (client.try_clone().unwrap(), Arc::clone(&over));
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) && client.write_all(&[b'b'; 1_000]).is_ok() {}
        })
    };
    let all = read_all_turning(&mut reactor, &client).expect("the end of the reply, not a reset");
    over.store(true, Ordering::Relaxed);
    assert!(all == reply, "{} of {} bytes", all.len(), reply.len());
    assert_eq!(log.reasons(), ["Closed"]);
    drop(reactor);
    sender.join().unwrap();
}

#[test]
fn data_received_after_close_is_discarded() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(
        &log,
        on_data(|transport| {
            transport.write(&pattern(MUCH));
            transport.close();
        }),
    ));
    let mut client = client(address);
    client.write_all(b"first").unwrap();
    turn_until(&mut reactor, "first data", |_| !log.data().is_empty());
    for _ in 0..5 {
        client.write_all(b"too late").unwrap();
        turns(&mut reactor, 2);
    }
    assert_eq!(log.lost(), 0, "data is still queued");
    assert!(read_all_turning(&mut reactor, &client).unwrap() == pattern(MUCH));
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.data(), b"first");
}

#[test]
fn lingering_socket_closes_on_peer_end_or_timeout() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, on_made(|transport| transport.close())));
    let before = sockets_of_port(address.port());
    let clients = [client(address), client(address)];
    turn_until(&mut reactor, "both lost", |_| log.lost() == 2);
    let [first, second] = clients;
    drop(first);
    turn_until(&mut reactor, "the first closed", |_| sockets_of_port(address.port()) <= before + 1);
    // The second client never ends its side.
    turn_until(&mut reactor, "the second closed", |_| sockets_of_port(address.port()) <= before);
    assert_eq!(read_all(&second), b"");
}

/// Counts the sockets of a local port that a process holds. In FIN_WAIT2, for example, a socket has
/// an inode; in TIME_WAIT it has none.
fn sockets_of_port(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let ours = format!("0100007F:{port:04X}");
    let held = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1) == Some(&ours.as_str()) && fields.get(9).is_some_and(|inode| *inode != "0")
    };
    table.lines().filter(held).count()
}
