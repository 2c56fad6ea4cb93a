//! Statistics of a journal.

use crate::support::{echo, turn};
use ropewalk::Reactor;
use ropewalk::journal::{Cursor, Journal};
use ropewalk_journal::reading;

fn statistics(file: &[u8]) -> String {
    let mut text = Vec::new();
    reading::write_statistics(file, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// Returns true if a line begins with this number and ends with this text.
fn has(text: &str, number: &str, what: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with(number) && line.ends_with(what))
}

#[test]
fn echo_is_counted() {
    let text = statistics(&echo(false));
    assert!(has(&text, "10 ", "bytes received") && has(&text, "10 ", "bytes sent"), "{text}");
    assert!(has(&text, "2 ", "connections made"), "{text}");
    assert!(has(&text, "1 ", "connections lost: ClosedByPeer"), "{text}");
    assert!(has(&text, "1           5 ", "Echo::data_received"), "{text}");
}

#[test]
fn timed_callbacks_have_percentiles() {
    let text = statistics(&echo(true));
    let echo = text.lines().find(|line| line.contains("Echo::data_received")).unwrap();
    assert!(echo.contains(": median ") && echo.contains("longest "), "{echo}");
}

#[test]
fn missing_records_are_counted() {
    let mut reactor = Reactor::new().unwrap();
    reactor.set_journal_capacity(256);
    let (mut cursor, mut file) = (Cursor::default(), Vec::new());
    turn(&mut reactor, |journal: &mut Journal| {
        journal.encode(&mut cursor, &mut file);
        (0..1024).for_each(|number| journal.mark(number));
        journal.encode(&mut cursor, &mut file);
    });
    let text = statistics(&file);
    let first = text.lines().next().unwrap();
    let missing: u64 = first.split(' ').rev().nth(1).unwrap().parse().unwrap();
    assert!(missing > 0 && missing < 1024, "{first}");
}
