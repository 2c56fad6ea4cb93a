//! Dumps of the ring on a trigger.

use crate::support::{Folder, lines, observed_by, turn};
use ropewalk::{Protocol, Reactor, Transport};
use ropewalk_journal::DumpOn;
use ropewalk_journal::reading::Filter;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// A connection that acts when it receives data.
struct On<F>(F);

impl<F: FnMut(&mut Transport<'_>) + 'static> Protocol for On<F> {
    fn data_received(&mut self, transport: &mut Transport<'_>, _data: &[u8]) {
        (self.0)(transport);
    }
}

/// Serves one client that sends a byte, until `act` was called with the connection.
fn serve(reactor: &mut Reactor, act: fn(&mut Transport<'_>)) {
    let port = reactor.listen_tcp("127.0.0.1:0", move || On(act)).unwrap();
    let mut client = TcpStream::connect(port.address()).unwrap();
    client.write_all(b"x").unwrap();
    let received = |line: String| line.contains("data_received");
    while !reactor.context().journal().records().any(|record| received(record.to_string())) {
        reactor.turn(None).unwrap();
    }
}

#[test]
fn mark_dumps_what_came_before() {
    let folder = Folder::new();
    let mut reactor = observed_by(DumpOn::new(folder.file("marked.journal")).mark(7));
    turn(&mut reactor, |journal| journal.mark(1));
    assert!(folder.names().is_empty());
    turn(&mut reactor, |journal| journal.mark(7));
    assert_eq!(folder.names(), ["marked-1.journal"]);
    let dump = lines(&fs::read(folder.file("marked-1.journal")).unwrap(), &Filter::default());
    let kept: Vec<_> = reactor.context().journal().records().map(|r| r.to_string()).collect();
    assert_eq!(dump, kept);
    assert!(dump.iter().any(|line| line.ends_with("mark 1")), "{dump:#?}");
}

#[test]
fn interval_bounds_the_number_of_dumps() {
    let folder = Folder::new();
    let hour = Duration::from_secs(3600);
    let mut reactor = observed_by(DumpOn::new(folder.file("often")).mark(7).interval(hour));
    for _ in 0..5 {
        turn(&mut reactor, |journal| journal.mark(7));
    }
    assert_eq!(folder.names(), ["often-1"]);
}

#[test]
fn numbers_of_earlier_runs_are_skipped() {
    let folder = Folder::new();
    fs::write(folder.file("a-1.journal"), "kept").unwrap();
    let dump = DumpOn::new(folder.file("a.journal")).mark(7).interval(Duration::ZERO);
    let mut reactor = observed_by(dump);
    for _ in 0..2 {
        turn(&mut reactor, |journal| journal.mark(7));
    }
    assert_eq!(folder.names(), ["a-1.journal", "a-2.journal", "a-3.journal"]);
    assert_eq!(fs::read(folder.file("a-1.journal")).unwrap(), b"kept");
}

#[test]
fn slow_turn_is_dumped() {
    let folder = Folder::new();
    let limit = Duration::from_millis(20);
    let mut reactor = observed_by(DumpOn::new(folder.file("slow")).turn_above(limit));
    serve(&mut reactor, |_| thread::sleep(Duration::from_millis(30)));
    assert_eq!(folder.names(), ["slow-1"]);
}

#[test]
fn long_queue_is_dumped() {
    let folder = Folder::new();
    let mut reactor = observed_by(DumpOn::new(folder.file("queue")).queue_above(1 << 20));
    serve(&mut reactor, |transport| transport.write(&[0; 16 << 20]));
    assert_eq!(folder.names(), ["queue-1"]);
}

#[test]
fn panic_is_dumped() {
    let folder = Folder::new();
    let mut reactor = observed_by(DumpOn::new(folder.file("panic")).panic());
    serve(&mut reactor, |_| panic!("intended"));
    assert_eq!(folder.names(), ["panic-1"]);
}

#[test]
fn failure_to_write_ends_the_dumps() {
    let folder = Folder::new();
    let dump = DumpOn::new(folder.file("absent/a")).mark(7).interval(Duration::ZERO);
    let mut reactor = observed_by(dump);
    for _ in 0..2 {
        turn(&mut reactor, |journal| journal.mark(7));
    }
    let panicked = |line: String| line.contains("PANIC");
    assert!(!reactor.context().journal().records().any(|record| panicked(record.to_string())));
}
