//! Traces for Chrome and Perfetto.

use crate::support::{echo, turn};
use ropewalk::Reactor;
use ropewalk::journal::{Cursor, Journal};
use ropewalk_journal::reading;

/// Returns the events of a trace, one a line, after a check that all of it is JSON as far as its brackets tell.
fn events(file: &[u8]) -> Vec<String> {
    let mut text = Vec::new();
    reading::write_chrome(file, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("{\"displayTimeUnit\":\"ns\",\"traceEvents\":["));
    assert_eq!(lines.next_back(), Some("]}"));
    let events: Vec<_> = lines.map(|line| line.trim_end_matches(',').to_owned()).collect();
    for event in &events {
        assert!(event.starts_with("{\"ph\":") && event.ends_with('}'), "{event}");
        assert_eq!(event.matches('{').count(), event.matches('}').count(), "{event}");
    }
    events
}

/// Returns the value of a field.
fn field<'a>(event: &'a str, name: &str) -> &'a str {
    let start = event.find(&format!("\"{name}\":")).unwrap() + name.len() + 3;
    event[start..].split([',', '}']).next().unwrap()
}

fn of_phase<'a>(events: &'a [String], phase: &str) -> Vec<&'a String> {
    events.iter().filter(|event| field(event, "ph") == format!("\"{phase}\"")).collect()
}

#[test]
fn callbacks_are_slices_on_tracks_of_connections() {
    let events = events(&echo(true));
    let slices = of_phase(&events, "X");
    let called = |name: &str| slices.iter().find(|s| field(s, "name") == format!("\"{name}\""));
    let (echo, asker) =
        (called("Echo::data_received").unwrap(), called("Asker::data_received").unwrap());
    assert_ne!(field(echo, "tid"), field(asker, "tid"));
    assert_ne!(field(echo, "dur"), "0.000", "it is timed");
    let names = of_phase(&events, "M");
    let track = names.iter().rfind(|name| field(name, "tid") == field(echo, "tid"));
    assert!(track.unwrap().contains(" Echo\""), "{track:?}");
    assert_eq!(field(called("turn").unwrap(), "tid"), "0");
    assert_eq!(field(called("wait").unwrap(), "tid"), "0");
}

#[test]
fn slices_of_a_track_do_not_overlap() {
    for timed in [false, true] {
        let events = events(&echo(timed));
        let nanos = |text: &str| text.replace('.', "").parse::<u64>().unwrap();
        let mut ends = std::collections::BTreeMap::new();
        for slice in of_phase(&events, "X") {
            if ["\"turn\"", "\"wait\""].contains(&field(slice, "name")) {
                continue;
            }
            let begin = nanos(field(slice, "ts"));
            let end = ends.entry(field(slice, "tid").to_owned()).or_insert(0);
            assert!(begin >= *end, "{slice}");
            *end = begin + nanos(field(slice, "dur"));
        }
        assert!(ends.len() >= 3, "{ends:?}");
    }
}

#[test]
fn arrows_lead_from_writes_to_reads_of_the_peer() {
    let events = events(&echo(false));
    let (begins, ends) = (of_phase(&events, "s"), of_phase(&events, "f"));
    assert_eq!((begins.len(), ends.len()), (2, 2), "hello, and its echo");
    assert_eq!(field(begins[0], "tid"), field(ends[1], "tid"));
    assert_eq!(field(begins[1], "tid"), field(ends[0], "tid"));
    assert_ne!(field(begins[0], "tid"), field(ends[0], "tid"));
}

#[test]
fn journal_without_the_begin_has_no_arrows() {
    let file = echo(false);
    let mut reactor = Reactor::new().unwrap();
    reactor.set_journal_capacity(256);
    let (mut cursor, mut missing) = (Cursor::default(), Vec::new());
    turn(&mut reactor, |journal: &mut Journal| {
        journal.encode(&mut cursor, &mut Vec::new());
        (0..1024).for_each(|number| journal.mark(number));
        journal.encode(&mut cursor, &mut missing);
    });
    // The record that says so, before the first read.
    let read = file.chunks(16).position(|unit| unit[8..16] == [5, 0, 0, 0, 2, 0, 5, 0]).unwrap();
    let (before, after) = file.split_at(16 * read);
    let events = events(&[before, &missing[..16], after].concat());
    assert!(of_phase(&events, "s").is_empty());
}
