//! Streams: echoes, ends, resets, backpressure, timers, connection attempts.

use crate::support::{Callbacks, Echo, check, record, record_alone, recorder};
use ropewalk::{
    Address, ListenOptions, Protocol, Reactor, Reason, SocketOption, TimerId, Transport,
};
use ropewalk_chat::Chat;
use ropewalk_replay::Tape;
use socket2::SockRef;
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

pub(crate) fn echo(reactor: &mut Reactor, _tape: &Tape, callbacks: &Callbacks) -> Address {
    let callbacks = callbacks.clone();
    // A replay that has ended at once refuses it.
    let port = reactor.listen_tcp("127.0.0.1:0", move || Echo(callbacks.clone()));
    port.map_or(Address::Unknown, |port| port.address().clone())
}

/// Sends lines and waits for the echoes, on several connections.
pub(crate) fn talk(address: SocketAddr) {
    for round in 0..20 {
        let mut client = TcpStream::connect(address).unwrap();
        for word in ["hello", "again"] {
            let line = format!("{word} {round}\n");
            client.write_all(line.as_bytes()).unwrap();
            client.read_exact(&mut vec![0; line.len()]).unwrap();
        }
        client.shutdown(Shutdown::Write).unwrap();
        client.read_to_end(&mut Vec::new()).unwrap();
    }
}

#[test]
fn echo_is_replayed() {
    let recorded = record(echo, |address, _| talk(address));
    assert!(recorded.callbacks.len() >= 100, "{:?}", recorded.callbacks);
    check(&recorded, echo);
}

#[test]
fn resets_are_replayed() {
    let recorded = record(echo, |address, _| {
        for _ in 0..10 {
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(b"hello").unwrap();
            client.read_exact(&mut [0; 5]).unwrap();
            SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
        }
        // The last reset has been noticed before this is answered.
        talk(address);
    });
    let resets = recorded.callbacks.iter().filter(|line| line.contains("reset")).count();
    assert!(resets > 0, "{:?}", recorded.callbacks);
    check(&recorded, echo);
}

/// Sends more than the peer reads at first, and notes the marks.
struct Flood(Callbacks);

impl Protocol for Flood {
    fn data_received(&mut self, transport: &mut Transport<'_>, _data: &[u8]) {
        for part in 0..40 {
            transport.write(&vec![part; 100_000]);
        }
    }

    fn pause_writing(&mut self, _transport: &mut Transport<'_>) {
        self.0.note("pause");
    }

    fn resume_writing(&mut self, _transport: &mut Transport<'_>) {
        self.0.note("resume");
    }

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, reason: Reason) {
        self.0.note(format!("lost {reason}"));
    }
}

#[test]
fn backpressure_is_replayed() {
    let program = |reactor: &mut Reactor, _: &Tape, callbacks: &Callbacks| {
        let callbacks = callbacks.clone();
        let options = ListenOptions::new().option(SocketOption::SendBuffer(50_000));
        let port =
            options.listen_tcp(reactor.context(), "127.0.0.1:0", move || Flood(callbacks.clone()));
        port.unwrap().address().clone()
    };
    let recorded = record(program, |address, _| {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"all").unwrap();
        client.read_exact(&mut vec![0; 4_000_000]).unwrap();
    });
    assert!(recorded.callbacks.contains(&"pause".to_owned()), "{:?}", recorded.callbacks);
    check(&recorded, program);
}

#[test]
fn timers_are_replayed() {
    let program = |reactor: &mut Reactor, _: &Tape, callbacks: &Callbacks| {
        let context = reactor.context();
        let begin = context.now();
        for delay in [3, 1, 2, 2] {
            let callbacks = callbacks.clone();
            context.call_later(Duration::from_millis(delay), move |context| {
                callbacks.note(format!("{delay} after {:?}", context.now() - begin));
            });
        }
        context.call_later(Duration::from_millis(5), |context| context.stop());
        Address::Unknown
    };
    let (recorder, memory) = recorder();
    let recorded = record_alone(recorder, &memory, program);
    assert_eq!(recorded.callbacks.len(), 4);
    check(&recorded, program);
}

/// A client that says hello, and notes what it receives.
struct Client(Callbacks);

impl Protocol for Client {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.0.note(format!("made {} to {}", transport.local_address(), transport.peer()));
        transport.write(b"hello");
        transport.write_eof();
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, data: &[u8]) {
        self.0.note(format!("data {}", data.escape_ascii()));
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        self.0.note(format!("lost {reason}"));
        transport.context().stop();
    }
}

#[test]
fn connections_and_refusals_are_replayed() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = server.local_addr().unwrap();
    let program = move |reactor: &mut Reactor, _: &Tape, callbacks: &Callbacks| {
        for to in [closed, address] {
            let callbacks = callbacks.clone();
            let connected = reactor.connect_tcp(to, move || Client(callbacks.clone()));
            connected.unwrap();
        }
        Address::Inet(address)
    };
    let recorded = record(program, move |_, _| {
        let (mut client, _) = server.accept().unwrap();
        let mut received = Vec::new();
        client.read_to_end(&mut received).unwrap();
        client.write_all(&received).unwrap();
    });
    assert!(recorded.callbacks.contains(&"data hello".to_owned()), "{:?}", recorded.callbacks);
    check(&recorded, program);
}

#[test]
fn listen_failure_is_replayed() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let program = move |reactor: &mut Reactor, tape: &Tape, callbacks: &Callbacks| {
        let failed = reactor.listen_tcp(address, || Echo(Callbacks::default())).unwrap_err();
        callbacks.note(failed.to_string());
        echo(reactor, tape, callbacks)
    };
    let recorded = record(program, |address, _| talk(address));
    drop(taken);
    assert!(recorded.callbacks[0].contains("in use"), "{:?}", recorded.callbacks);
    check(&recorded, program);
}

#[cfg(unix)]
#[test]
fn unix_streams_are_replayed() {
    let path = std::env::temp_dir().join(format!("ropewalk-replay-{}", std::process::id()));
    let shared = path.clone();
    let program = move |reactor: &mut Reactor, _: &Tape, callbacks: &Callbacks| {
        let callbacks = callbacks.clone();
        reactor.listen_unix(&shared, move || Echo(callbacks.clone())).unwrap();
        Address::Unknown
    };
    let socket = path.clone();
    let recorded = record(program.clone(), move |_, _| {
        let mut client = std::os::unix::net::UnixStream::connect(socket).unwrap();
        client.write_all(b"hello").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        client.read_to_end(&mut Vec::new()).unwrap();
    });
    assert_eq!(recorded.callbacks.len(), 4, "{:?}", recorded.callbacks);
    check(&recorded, program);
}

#[test]
fn chat_is_replayed() {
    let program = |reactor: &mut Reactor, _: &Tape, _: &Callbacks| {
        let port = reactor.listen_tcp("127.0.0.1:0", Chat::new().factory()).unwrap();
        port.address().clone()
    };
    let recorded = record(program, |address, _| {
        let names = ["alice", "bob", "carol", "dave"];
        let mut clients: Vec<_> = names
            .map(|name| {
                let mut client = TcpStream::connect(address).unwrap();
                writeln!(client, "{name}").unwrap();
                client
            })
            .into();
        for round in 0..50 {
            for client in &mut clients {
                writeln!(client, "line {round}").unwrap();
            }
        }
        for mut client in clients {
            writeln!(client, "/quit").unwrap();
            client.read_to_end(&mut Vec::new()).unwrap();
        }
    });
    check(&recorded, program);
}

/// A member of the crowd: a name, a line every few milliseconds, and then the end or a reset.
struct Member {
    number: u32,
    lines: u32,
    /// The members that have not ended.
    left: Rc<Cell<u32>>,
}

impl Protocol for Member {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        writeln!(transport, "member{}\n/join room{}", self.number, self.number % 40);
        transport.set_timer(Duration::from_millis(1));
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

    fn timer_fired(&mut self, transport: &mut Transport<'_>, _timer: TimerId) {
        match self.lines {
            0 if self.number.is_multiple_of(3) => transport.abort(),
            0 => transport.close(),
            left => {
                self.lines = left - 1;
                writeln!(transport, "line {left}");
                transport.set_timer(Duration::from_millis(5));
            }
        }
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: Reason) {
        self.left.set(self.left.get() - 1);
        if self.left.get() == 0 {
            transport.context().stop();
        }
    }
}

#[test]
fn crowd_of_a_chat_is_replayed() {
    let program = |reactor: &mut Reactor, _: &Tape, _: &Callbacks| {
        let chat = Chat::new().address_limits(0, 0).name_timeout(Duration::ZERO);
        let port = reactor.listen_tcp("127.0.0.1:0", chat.factory()).unwrap();
        port.address().clone()
    };
    let recorded = record(program, |address, _| {
        let (mut clients, left) = (Reactor::new().unwrap(), Rc::new(Cell::new(300)));
        for number in 0..300 {
            let left = Rc::clone(&left);
            let make = move || Member { number, lines: 20, left: Rc::clone(&left) };
            clients.connect_tcp(address, make).unwrap();
        }
        clients.run().unwrap();
    });
    assert!(recorded.summary.records > 2000, "{:?}", recorded.summary);
    check(&recorded, program);
}

#[test]
fn panic_is_replayed() {
    let program = |reactor: &mut Reactor, tape: &Tape, callbacks: &Callbacks| {
        reactor.context().call_later(Duration::ZERO, |_| panic!("on purpose"));
        echo(reactor, tape, callbacks)
    };
    let recorded = record(program, |address, _| talk(address));
    check(&recorded, program);
}
