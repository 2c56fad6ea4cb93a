//! Connections that move to another reactor or process without losing data.

use crate::foreign::*;
use crate::support::{
    Echo, Log, MUCH, Recorder, client, echo, only_record, pattern, read_all_turning, recorders,
    turn_until, turns, up,
};
use ropewalk::{Address, Detached, Id, ListenOptions, Protocol, Reactor, SocketOption};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

/// Moves a connection to another reactor. Returns its new id and how much was unsent.
fn move_connection(
    from: &mut Reactor,
    id: Id,
    to: &mut Reactor,
    protocol: impl Protocol,
) -> (Id, usize) {
    let Detached { socket, unsent, write_eof, .. } = from.context().transport(id).detach().unwrap();
    let context = to.context();
    let id = context.adopt_connection(socket, protocol).unwrap();
    context.transport(id).write(&unsent);
    if write_eof {
        context.transport(id).write_eof();
    }
    (id, unsent.len())
}

#[test]
fn moving_connection_under_load_loses_no_byte() {
    let (log, sent) = (Log::default(), pattern(MUCH / 2));
    let (mut first, mut second) = (Reactor::new().unwrap(), Reactor::new().unwrap());
    // A small system buffer, so that the reactor has unsent data when the connection moves.
    let options = ListenOptions::new().option(SocketOption::SendBuffer(32 * 1024));
    let factory = recorders(&log, echo);
    let port = options.listen_tcp(first.context(), "127.0.0.1:0", factory).unwrap();
    let stream = client(port.address().socket_addr().unwrap());
    let mut id = only_connection(&mut first);

    let (mut written, mut got, mut hops, mut loaded) = (0, Vec::new(), 0, 0);
    let mut buffer = vec![0; 64 * 1024];
    stream.set_nonblocking(true).unwrap();
    while got.len() < sent.len() {
        // The client writes all that the socket takes and reads a quarter of it, so that the echo has unsent data
        // most of the time.
        if let Ok(count) = (&stream).write(&sent[written..]) {
            written += count;
        }
        let reactor = if hops % 2 == 0 { &mut first } else { &mut second };
        reactor.turn(Some(Duration::from_millis(1))).unwrap();
        if let Ok(count) = (&stream).read(&mut buffer[..16 * 1024]) {
            assert_ne!(count, 0, "the end after {} bytes", got.len());
            got.extend_from_slice(&buffer[..count]);
        }
        if got.len() / 50_000 > hops {
            let recorder = Recorder::new(&log, echo);
            let unsent;
            (id, unsent) = match hops % 2 {
                0 => move_connection(&mut first, id, &mut second, recorder),
                _ => move_connection(&mut second, id, &mut first, recorder),
            };
            hops += 1;
            loaded += usize::from(unsent > 0);
        }
    }
    assert!(got == sent, "the echo differs from what was sent");
    assert!(hops >= 50 && loaded >= 40, "{loaded} of {hops} moves had unsent data");
    drop(stream);
    for reactor in [&mut first, &mut second] {
        turns(reactor, 3);
    }
    assert_eq!(log.made(), hops + 1);
    assert_eq!(log.reasons().iter().filter(|reason| *reason == "Detached").count(), hops);
}

/// Receives a connection with its unsent data, sends that, and answers the client from then on.
const PYTHON_SERVER: &str = "
import socket, sys
giver = socket.socket(fileno=int(sys.stdin.fileno()))
unsent, descriptors, flags, _ = socket.recv_fds(giver, 65536, 1)
client = socket.socket(fileno=descriptors[0])
client.settimeout(10)
while piece := giver.recv(65536):
    unsent += piece
client.sendall(unsent)
while question := client.recv(100):
    client.sendall(question.upper())
";

#[test]
fn connection_moves_to_another_process() {
    let (mut reactor, address) = up(|| Echo);
    let mut client = client(address);
    let id = only_connection(&mut reactor);
    reactor.context().transport(id).write(&pattern(MUCH));
    turns(&mut reactor, 2);
    // The reactor does not read this any more.
    client.write_all(b"a question").unwrap();
    let Detached { socket, unsent, .. } = reactor.context().transport(id).detach().unwrap();
    assert!(!unsent.is_empty() && unsent.len() < MUCH, "{} are unsent", unsent.len());

    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut python = Command::new("python3");
    python.args(["-c", PYTHON_SERVER]).stdin(OwnedFd::from(theirs));
    let Ok(mut python) = python.spawn() else {
        return println!("skipped: python3 does not exist here");
    };
    let channel = reactor.context().adopt_connection(ours, Echo).unwrap();
    reactor.context().transport(channel).send_descriptors(&unsent, [socket]).unwrap();
    reactor.context().close(channel);
    let gone =
        |reactor: &mut Reactor| reactor.context().transport(channel).peer() == Address::Unknown;
    turn_until(&mut reactor, "everything is passed on", gone);
    drop(reactor);

    let mut got = vec![0; MUCH];
    client.read_exact(&mut got).unwrap();
    assert!(got == pattern(MUCH));
    let mut answer = [0; 10];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"A QUESTION");
    drop(client);
    assert!(python.wait().unwrap().success());
}

#[test]
fn unsent_data_precedes_later_writes() {
    let (mut first, address) = up(|| Echo);
    let mut second = Reactor::new().unwrap();
    let client = client(address);
    let id = only_connection(&mut first);
    // More than the system takes, so that some of it is unsent.
    first.context().transport(id).write(&pattern(MUCH));
    first.context().transport(id).write_eof();
    turns(&mut first, 2);
    let detached = first.context().transport(id).detach().unwrap();
    let waiting = detached.unsent.len();
    assert!(waiting > 0 && waiting < MUCH, "{waiting} bytes are unsent");
    assert!(detached.write_eof);
    assert_eq!(Some(detached.peer.socket_addr().unwrap()), client.local_addr().ok());

    let log = Log::default();
    let context = second.context();
    let socket = detached.socket;
    let id = context.adopt_connection(socket, Recorder::new(&log, only_record)).unwrap();
    context.transport(id).write(&detached.unsent);
    context.transport(id).write(b"the end");
    context.transport(id).write_eof();
    let got = read_all_turning(&mut second, &client).unwrap();
    assert!(got[..MUCH] == pattern(MUCH) && &got[MUCH..] == b"the end");
}
