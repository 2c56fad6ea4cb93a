//! The journal: its records, their order, and observers.

use ropewalk::journal::{
    CallOutcome, Callback, Cursor, Decoder, Journal, Record, StopPhase, SystemCall, What,
};
use ropewalk::{Protocol, Reactor, Transport};
use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

/// Echoes; panics on `!`; writes much on `*`.
struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        match data {
            b"!" => panic!("as requested"),
            b"*" => transport.write(&vec![b'x'; 4_000_000]),
            data => transport.write(data),
        };
    }
}

/// A reactor with an echo, and a connected client.
fn connected() -> (Reactor, TcpStream) {
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_tcp("127.0.0.1:0", || Echo).unwrap();
    let client = TcpStream::connect(port.address()).unwrap();
    while reactor.context().connections().next().is_none() {
        reactor.turn(None).unwrap();
    }
    (reactor, client)
}

/// Turns until a record is in the journal.
fn turn_until(reactor: &mut Reactor, wanted: impl Fn(&Record<'_>) -> bool) {
    while !reactor.context().journal().records().any(|record| wanted(&record)) {
        reactor.turn(None).unwrap();
    }
}

/// Returns what the journal has about connections.
fn about_connections(reactor: &mut Reactor) -> Vec<What> {
    let listener = reactor.context().journal().records().find_map(|record| record.id);
    let records = reactor.context().journal().records();
    let wanted = records.filter(|record| record.id.is_some() && record.id != listener);
    wanted.map(|record| record.what).collect()
}

#[test]
fn echo_makes_four_records_in_order() {
    let (mut reactor, mut client) = connected();
    let begun = about_connections(&mut reactor).len();
    client.write_all(b"hello").unwrap();
    let sent = What::Syscall(SystemCall::Send, CallOutcome::Bytes(5));
    turn_until(&mut reactor, |record| record.what == sent);
    let mut records = about_connections(&mut reactor).split_off(begun);
    records.retain(|what| !matches!(what, What::Syscall(_, CallOutcome::WouldBlock)));
    let event = records.iter().rposition(|what| matches!(what, What::Event(_))).unwrap();
    assert_eq!(
        records[event + 1..],
        [
            What::Syscall(SystemCall::Receive, CallOutcome::Bytes(5)),
            What::Called(Callback::DataReceived, 5),
            sent,
        ]
    );
}

#[test]
fn connection_is_recorded_from_made_to_freed() {
    let (mut reactor, client) = connected();
    let address = client.local_addr().unwrap();
    drop(client);
    turn_until(&mut reactor, |record| matches!(record.what, What::Lost(_)));
    let records = about_connections(&mut reactor);
    let at = |what: What| records.iter().position(|record| *record == what);
    let order = [
        at(What::Made),
        at(What::Peer(address)),
        at(What::Owned),
        at(What::Called(Callback::ConnectionMade, 0)),
        at(What::Syscall(SystemCall::Receive, CallOutcome::Eof)),
        at(What::Called(Callback::EofReceived, 0)),
        at(What::Closing(0)),
        at(What::Lost("ClosedByPeer")),
        at(What::Called(Callback::ConnectionLost, 0)),
        at(What::Freed),
    ];
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?} of {records:?}");
}

#[test]
fn records_carry_the_type_of_the_protocol() {
    let (mut reactor, mut client) = connected();
    client.write_all(b"hello").unwrap();
    turn_until(&mut reactor, |record| record.what == What::Called(Callback::DataReceived, 5));
    let records = reactor.context().journal().records();
    let names: Vec<_> = records
        .filter(|record| matches!(record.what, What::Called(Callback::DataReceived, _)))
        .map(|record| record.name)
        .collect();
    assert_eq!(names, [std::any::type_name::<Echo>()]);
}

#[test]
fn blocked_write_crosses_the_mark() {
    let (mut reactor, mut client) = connected();
    client.write_all(b"*").unwrap();
    turn_until(&mut reactor, |record| matches!(record.what, What::Crossed(true, _)));
    let reader = std::thread::spawn(move || {
        let mut taken = vec![0; 4_000_000];
        client.read_exact(&mut taken).map(|()| client)
    });
    turn_until(&mut reactor, |record| matches!(record.what, What::Crossed(false, _)));
    let _client = reader.join().unwrap().unwrap();
    let part = |what: &What| match what {
        What::Syscall(SystemCall::Send, CallOutcome::Bytes(sent)) => *sent < 4_000_000,
        _ => false,
    };
    assert!(about_connections(&mut reactor).iter().any(part), "it took a part only");
}

#[test]
fn panic_is_recorded_on_its_connection() {
    let (mut reactor, mut client) = connected();
    client.write_all(b"!").unwrap();
    turn_until(&mut reactor, |record| matches!(record.what, What::Lost("Panicked")));
    assert!(about_connections(&mut reactor).contains(&What::Panicked(Callback::DataReceived)));
}

#[test]
fn observer_receives_every_record_once() {
    let (seen, lines) = (Rc::new(RefCell::new(Vec::new())), Rc::default());
    let (theirs, written): (_, Rc<RefCell<Vec<u8>>>) = (Rc::clone(&seen), Rc::clone(&lines));
    let mut reactor = Reactor::new().unwrap();
    let (mut cursor, mut file) = (Cursor::default(), Cursor::default());
    reactor.add_observer(move |journal: &Journal| {
        journal.read(&mut cursor, |record| theirs.borrow_mut().push(record.to_string()));
        journal.encode(&mut file, &mut written.borrow_mut());
    });
    for _ in 0..40 {
        reactor.context().call_later(Duration::ZERO, |_| {});
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    reactor.context().stop();
    reactor.run().unwrap();
    let all: Vec<_> = reactor.context().journal().records().map(|r| r.to_string()).collect();
    assert!(all.len() > 200, "{all:?}");
    assert_eq!(*seen.borrow(), all);
    let (mut decoder, mut read) = (Decoder::default(), Vec::new());
    for unit in lines.borrow().chunks(Decoder::UNIT) {
        read.extend(decoder.push(unit).unwrap().map(|record| record.to_string()));
    }
    assert_eq!(read, all, "a file has the same records");
}

#[test]
fn replaced_records_are_reported_as_missing() {
    let mut reactor = Reactor::new().unwrap();
    reactor.set_journal_capacity(256);
    let journal = reactor.context().journal();
    let mut cursor = Cursor::default();
    (0..10_000).for_each(|number| journal.mark(number));
    let (mut missing, mut kept) = (0, 0);
    journal.read(&mut cursor, |record| match record.what {
        What::Missing(count) => missing += count,
        _ => kept += 1,
    });
    assert_eq!(missing + kept, 10_000);
    assert_eq!(missing, journal.replaced());
    assert!((256..=512).contains(&kept), "{kept}");
}

#[test]
fn without_capacity_nothing_is_recorded() {
    let (mut reactor, mut client) = connected();
    reactor.set_journal_capacity(0);
    let before = reactor.context().journal().recorded();
    client.write_all(b"hello").unwrap();
    let mut echo = [0; 5];
    client.set_nonblocking(true).unwrap();
    while client.read_exact(&mut echo).is_err() {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    assert_eq!(reactor.context().journal().recorded(), before);
}

#[test]
fn timed_callbacks_are_followed_by_their_durations() {
    let (mut reactor, mut client) = connected();
    reactor.time_callbacks(true);
    client.write_all(b"hello").unwrap();
    turn_until(&mut reactor, |record| matches!(record.what, What::Returned(_)));
    let records = about_connections(&mut reactor);
    let called = records.iter().rposition(|what| matches!(what, What::Called(..))).unwrap();
    assert!(matches!(records[called + 1], What::Returned(_)), "{records:?}");
}

#[test]
fn observer_that_panics_is_dropped() {
    let mut reactor = Reactor::new().unwrap();
    let calls = Rc::new(RefCell::new(0));
    let theirs = Rc::clone(&calls);
    reactor.add_observer(move |_: &Journal| {
        *theirs.borrow_mut() += 1;
        panic!("as expected");
    });
    for _ in 0..3 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    assert_eq!((*calls.borrow(), Rc::strong_count(&calls)), (1, 1));
}

#[test]
fn phases_of_a_stop_are_recorded() {
    let (mut reactor, _client) = connected();
    reactor.context().stop();
    reactor.run().unwrap();
    let phases: Vec<_> = reactor.context().journal().records().map(|record| record.what).collect();
    let at = |phase| phases.iter().position(|what| *what == What::Stop(phase));
    let order = [StopPhase::Requested, StopPhase::Closing, StopPhase::Draining, StopPhase::Over];
    let order = order.map(at);
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?}");
}

#[test]
fn any_file_is_decoded_without_a_panic() {
    let (mut reactor, _client) = connected();
    let mut file = Vec::new();
    reactor.context().journal().encode(&mut Cursor::default(), &mut file);
    for length in 0..file.len() {
        let mut decoder = Decoder::default();
        file[..length].chunks(Decoder::UNIT).for_each(|unit| _ = decoder.push(unit));
    }
    for at in 0..file.len() {
        for bit in [1, 0x10, 0x80] {
            let mut flipped = file.clone();
            flipped[at] ^= bit;
            let mut decoder = Decoder::default();
            flipped.chunks(Decoder::UNIT).for_each(|unit| _ = decoder.push(unit));
        }
    }
}

#[test]
fn records_dropped_by_a_new_capacity_are_missing() {
    let mut reactor = Reactor::new().unwrap();
    let mut cursor = Cursor::default();
    (0..50).for_each(|number| reactor.context().journal().mark(number));
    reactor.context().journal().read(&mut cursor, |_| {});
    (0..10).for_each(|number| reactor.context().journal().mark(number));
    reactor.set_journal_capacity(256);
    (0..60).for_each(|number| reactor.context().journal().mark(number));
    let mut read = Vec::new();
    reactor.context().journal().read(&mut cursor, |record| read.push(record.what));
    assert_eq!((read[0], read.len()), (What::Missing(10), 61));
}

#[test]
fn times_never_decrease() {
    let (mut reactor, mut client) = connected();
    for _ in 0..20 {
        reactor.context().call_later(Duration::ZERO, |_| {
            let begin = std::time::Instant::now();
            while begin.elapsed() < Duration::from_millis(1) {}
        });
        client.write_all(b"hello").unwrap();
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    let times: Vec<_> = reactor.context().journal().records().map(|record| record.time).collect();
    assert!(times.is_sorted(), "{times:?}");
}
