//! Order and completeness of sent bytes.

use super::{on_data, on_made, reading};
use crate::support::*;
use ropewalk::Transport;
use std::cell::Cell;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

/// Returns a function that counts from 1, in four bytes each.
fn numbers() -> impl Fn() -> [u8; 4] + Clone {
    let number = Rc::new(Cell::new(0_u32));
    move || {
        number.set(number.get() + 1);
        number.get().to_be_bytes()
    }
}

#[test]
fn small_writes_keep_order_across_connection_made() {
    let (log, failures) = (Log::default(), Failures::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut reactor = ropewalk::Reactor::new().unwrap();
    let next = numbers();
    let hook = {
        let next = next.clone();
        move |transport: &mut Transport<'_>, event: &Event| {
            if *event == Event::Made {
                for n in 0..2_000 {
                    let bytes = next();
                    let id = transport.id();
                    // Own writes and writes by the own id keep one order.
                    if n % 3 == 0 {
                        transport.context().transport(id).write(&bytes);
                    } else {
                        transport.write(&bytes);
                    }
                }
            }
        }
    };
    let address = listener.local_addr().unwrap();
    let id = reactor.connect_tcp(address, Caller::new(&log, &failures, hook)).unwrap();
    for _ in 0..2_000 {
        reactor.context().transport(id).write(&next());
    }
    turn_until(&mut reactor, "connected", |_| log.made() == 1);
    for n in 0..6_000 {
        reactor.context().transport(id).write(&next());
        if n % 100 == 0 {
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
    }
    reactor.context().close(id);
    let reader = reading(listener.accept().unwrap().0);
    turn_until(&mut reactor, "all read", |_| reader.is_finished());
    let got = reader.join().unwrap().unwrap();
    let expected: Vec<u8> = (1..=10_000_u32).flat_map(u32::to_be_bytes).collect();
    assert!(got == expected, "{} bytes", got.len());
}

#[test]
fn chunks_of_every_size_arrive_in_order() {
    // Sizes around the limits of gathering, of a buffer and of a socket; own writes and writes by
    // id.
    let sizes = [1, 15_999, 16_384, 16_385, 65_535, 65_536, 65_537, 3, 200_000, 7, 3_000_000, 0, 9];
    let total: usize = sizes.iter().sum::<usize>() * 2;
    let data = pattern(total);
    let sent = data.clone();
    let hook = on_data(move |transport| {
        let id = transport.id();
        let mut rest = &sent[..];
        for (n, size) in sizes.iter().chain(sizes.iter().rev()).enumerate() {
            let (chunk, later) = rest.split_at(*size);
            if n % 2 == 0 {
                transport.write(chunk)
            } else {
                transport.context().transport(id).write(chunk)
            }
            rest = later;
        }
        transport.close();
    });
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client = client(address);
    client.write_all(b"go").unwrap();
    let got = read_all_turning(&mut reactor, &client).unwrap();
    assert!(got == data, "{} of {total} bytes", got.len());
}

#[test]
fn one_write_of_fifty_megabytes_arrives() {
    let data = pattern(50_000_000);
    let sent = data.clone();
    let log = Log::default();
    let hook = on_made(move |transport| {
        transport.write(&sent);
        transport.close();
    });
    let (mut reactor, address) = up(recorders(&log, hook));
    let reader = reading(client(address));
    turn_until(&mut reactor, "all read", |_| reader.is_finished());
    assert!(reader.join().unwrap().unwrap() == data);
    assert_eq!(log.reasons(), ["Closed"]);
}

#[test]
fn own_and_other_writes_keep_their_order() {
    let log = Log::default();
    let hook = {
        let log = log.clone();
        move |transport: &mut Transport<'_>, event: &Event| {
            let ids = log.ids();
            if let Event::Data(_) = event {
                let me = transport.id();
                for n in 0..100_u8 {
                    for id in &ids {
                        transport.context().transport(*id).write(&[n]);
                    }
                    transport.write(&[n]);
                    transport.context().transport(me).write(&[n]);
                }
            }
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let (mut first, second) = (client(address), client(address));
    turn_until(&mut reactor, "both made", |_| log.made() == 2);
    first.write_all(b"go").unwrap();
    let own = read_turning(&mut reactor, &first, 300);
    assert!(own == (0..100_u8).flat_map(|n| [n, n, n]).collect::<Vec<_>>());
    let other = read_turning(&mut reactor, &second, 100);
    assert!(other == (0..100_u8).collect::<Vec<_>>());
}

#[test]
fn broadcast_arrives_whole_at_every_connection() {
    let log = Log::default();
    let hook = {
        let log = log.clone();
        move |transport: &mut Transport<'_>, event: &Event| {
            if let Event::Data(_) = event {
                for line in 0..100 {
                    for id in log.ids() {
                        transport
                            .context()
                            .transport(id)
                            .write(format!("line {line}\n").as_bytes());
                    }
                }
            }
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut clients: Vec<TcpStream> = (0..50).map(|_| client(address)).collect();
    turn_until(&mut reactor, "all made", |_| log.made() == 50);
    clients[0].write_all(b"go").unwrap();
    let expected: String = (0..100).map(|line| format!("line {line}\n")).collect();
    for client in &clients {
        let got = read_turning(&mut reactor, client, expected.len());
        assert_eq!(String::from_utf8(got).unwrap(), expected);
    }
}

#[test]
fn empty_write_sends_nothing() {
    let log = Log::default();
    let hook = on_data(|transport| {
        let id = transport.id();
        transport.write(b"");
        transport.context().transport(id).write(b"");
        transport.write_sequence([&b""[..], b"some", b"", b"thing"]);
        write!(transport, "");
    });
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client = client(address);
    client.write_all(b"go").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 9), b"something");
    turns(&mut reactor, 3);
    assert!(peek_now(&client, &mut [0; 10]).is_none(), "more data, or the end");
    assert_eq!(log.lost(), 0);
}
