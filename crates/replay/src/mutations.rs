//! Tests of recordings in which one record is another one, with valid hashes.

use crate::bytes::Bytes;
use crate::file::{BlockReader, BlockWriter, Header};
use crate::outcome::Outcome;
use crate::record::{Call, Codec, Method};
use crate::{Ending, Recorder, Replayer, Tape};
use ropewalk::backend::System;
use ropewalk::{
    Address, DatagramProtocol, DatagramTransport, Protocol, Reactor, Transport, call_in_thread,
};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Cursor, Write};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

type Record = (Call<'static>, Outcome<'static>);

#[derive(Clone, Default)]
struct Memory(Rc<RefCell<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.write(data);
    }
}

impl DatagramProtocol for Echo {
    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        from: &Address,
    ) {
        // The socket sends to itself.
        if data == b"once" {
            transport.send_to(b"again", from);
        }
    }
}

/// Says hello, and closes after the answer.
struct Client;

impl Protocol for Client {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.write(b"hello");
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, _data: &[u8]) {
        transport.close();
    }
}

/// Uses most of a backend. It goes on after failures, as it may be replayed with any.
fn run(mut reactor: Reactor, tape: &Tape) {
    reactor.set_grace(Duration::ZERO);
    let _ = reactor.stop_on_signals();
    let sender = tape.channel(reactor.context(), |_, _: String| {});
    let worker = thread::spawn(move || sender.send("message".to_owned()));
    let _ = worker.join().unwrap();
    let _ =
        (reactor.look_up("localhost:80"), reactor.host_name(), reactor.service_port("x", "tcp"));
    if let Ok(port) = reactor.listen_tcp("127.0.0.1:0", || Echo) {
        let address = port.address().port().unwrap_or(1);
        let _ = reactor.connect_tcp(("127.0.0.1", address), || Client);
        let _ = reactor.connect_tcp(format!("localhost:{address}"), || Client);
    }
    let context = reactor.context();
    if let Ok(port) = context.listen_udp("127.0.0.1:0", Echo) {
        let to = port.address().clone();
        context.datagram(port.id()).send_to(b"once", &to);
    }
    let _ = call_in_thread(context, || 7, |_, _| {});
    let handle = context.handle();
    context.call_later(Duration::from_millis(2), move |_| {
        handle.call(|_| {}).unwrap_or(());
    });
    context.call_later(Duration::from_millis(10), |context| context.stop());
    let _ = reactor.run();
}

/// Records the program, and returns the records.
fn record() -> &'static [Record] {
    let memory = Memory::default();
    let recorder = Recorder::new(System::new().unwrap(), memory.clone(), "").unwrap().repeat_jobs();
    let tape = recorder.tape();
    run(Reactor::with_backend(recorder), &tape);
    assert!(tape.summary().ending.is_complete(), "{}", tape.summary().ending);
    let bytes = memory.0.borrow().clone();
    let mut reader = BlockReader::new(Box::new(Cursor::new(bytes))).unwrap();
    let (mut codec, mut block, mut records) = (Codec::default(), Vec::new(), Vec::new());
    while reader.next(&mut block).unwrap() {
        // The records borrow from it.
        let mut left = Bytes(block.clone().leak());
        while !left.is_empty() {
            records.push(codec.decode(&mut left).unwrap());
        }
    }
    records.leak()
}

/// Replays the records with one in place of another.
fn replay(records: &[Record], at: usize, other: &Record) -> Ending {
    let memory = Memory::default();
    let mut writer = BlockWriter::new(&Header::new(""), Box::new(memory.clone())).unwrap();
    let mut codec = Codec::default();
    for (number, record) in records.iter().enumerate() {
        let (call, outcome) = if number == at { other } else { record };
        codec.encode(&mut writer.block, call, outcome);
    }
    writer.flush().unwrap();
    let bytes = memory.0.borrow().clone();
    let replayer = Replayer::new(Cursor::new(bytes)).unwrap();
    let tape = replayer.tape();
    run(Reactor::with_backend(replayer), &tape);
    tape.summary().ending
}

/// Returns another call of the same kind.
fn changed(call: Call<'static>) -> Call<'static> {
    match call {
        Call::Now => Call::Wait(None),
        Call::Wait(limit) => Call::Wait(Some(limit.map_or(1, |limit| limit + 1))),
        Call::Read { socket, room, with_descriptors } => {
            Call::Read { socket, room: room + 1, with_descriptors }
        }
        Call::Write { socket, length, hash, descriptors } => {
            Call::Write { socket, length, hash: hash ^ 1, descriptors }
        }
        Call::Receive { socket, room } => Call::Receive { socket: socket + 1, room },
        Call::Send { socket, length, hash, .. } => Call::Send { socket, length, hash, to: &[] },
        Call::Other { method, socket, text } => Call::Other { method, socket: socket + 1, text },
    }
}

/// Returns outcomes that do not fit most calls.
fn outcomes() -> Vec<Outcome<'static>> {
    vec![
        Outcome::Done,
        Outcome::All,
        Outcome::Failed(io::ErrorKind::WouldBlock.into()),
        Outcome::Failed(io::ErrorKind::ConnectionReset.into()),
        Outcome::Bytes(&[]),
        Outcome::Bytes(&[9; 400_000]),
        Outcome::Count(0),
        Outcome::Count(u64::MAX),
        Outcome::Flag(false),
        Outcome::Flag(true),
        Outcome::Text("other"),
        Outcome::Nothing,
        Outcome::Socket(255, &[255]),
        Outcome::Datagram { length: u64::MAX, from: &[0], data: b"other" },
        Outcome::Message { data: b"other", cut: true, stopped: true },
    ]
}

fn is_end(call: Call<'_>) -> bool {
    matches!(call, Call::Other { method: Method::End, .. })
}

#[test]
fn every_other_call_is_a_difference() {
    let records = record();
    let ending = replay(records, usize::MAX, &(Call::Now, Outcome::Done));
    assert!(ending.is_complete(), "{ending}");
    let mut methods = BTreeSet::new();
    for (at, (call, outcome)) in records.iter().enumerate().filter(|(_, (call, _))| !is_end(*call))
    {
        methods.insert(call.to_string().split(' ').rev().take(2).collect::<String>());
        let other = match call {
            Call::Now => (changed(*call), Outcome::Bytes(&[])),
            _ => (changed(*call), outcome.again()),
        };
        match replay(records, at, &other) {
            Ending::Different(_) | Ending::Failed(_) => {}
            ending => panic!("record {at}, {}: {ending}", call.with(outcome)),
        }
    }
    assert!(methods.len() > 20, "{methods:?}");
}

#[test]
fn no_other_outcome_causes_a_panic() {
    let records = record();
    let mut complete = 0;
    for (at, (call, _)) in records.iter().enumerate().filter(|(_, (call, _))| *call != Call::Now) {
        for outcome in outcomes() {
            complete += usize::from(replay(records, at, &(*call, outcome)).is_complete());
        }
    }
    println!("{complete} of {} replays are complete", records.len() * outcomes().len());
}
