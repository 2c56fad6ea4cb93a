//! Files that receive all records.

use crate::support::{Folder, lines, run_echo, turn};
use ropewalk::Reactor;
use ropewalk::journal::Journal;
use ropewalk_journal::JournalFile;
use ropewalk_journal::reading::Filter;
use std::cell::RefCell;
use std::fs;
use std::rc::Rc;

#[test]
fn file_has_every_record_of_run() {
    let folder = Folder::new();
    let path = folder.file("all.journal");
    let mut file = JournalFile::create(&path).unwrap();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let copy = seen.clone();
    let observer = move |journal: &Journal| {
        ropewalk::journal::Observer::turn_ended(&mut file, journal);
        *copy.borrow_mut() = journal.records().map(|record| record.to_string()).collect();
    };
    run_echo(observer, false).unwrap();
    let written = lines(&fs::read(&path).unwrap(), &Filter::default());
    assert_eq!(written, *seen.borrow());
    assert!(written.iter().any(|line| line.ends_with("data_received 5 bytes")), "{written:#?}");
}

#[test]
fn buffer_is_written_at_the_end() {
    let folder = Folder::new();
    let path = folder.file("buffered.journal");
    let mut reactor = Reactor::new().unwrap();
    reactor.add_observer(JournalFile::create(&path).unwrap().buffered(4096));
    turn(&mut reactor, |journal| journal.mark(1));
    assert_eq!(fs::read(&path).unwrap().len(), 0);
    drop(reactor);
    let written = lines(&fs::read(&path).unwrap(), &Filter::default());
    assert!(written.iter().any(|line| line.ends_with("mark 1")), "{written:#?}");
}

#[test]
fn records_that_no_turn_could_hold_are_counted() {
    let folder = Folder::new();
    let path = folder.file("missing.journal");
    let mut reactor = Reactor::new().unwrap();
    reactor.set_journal_capacity(256);
    reactor.add_observer(JournalFile::create(&path).unwrap());
    turn(&mut reactor, |journal| (0..1000).for_each(|number| journal.mark(number)));
    let written = lines(&fs::read(&path).unwrap(), &Filter::default());
    assert!(written[0].ends_with("records are missing"), "{}", written[0]);
}

#[test]
#[cfg(target_os = "linux")]
fn full_disk_ends_the_file_and_not_the_program() {
    let mut reactor = Reactor::new().unwrap();
    reactor.add_observer(JournalFile::create("/dev/full").unwrap());
    for number in 0..3 {
        turn(&mut reactor, |journal| journal.mark(number));
    }
    let dropped: Vec<String> =
        reactor.context().journal().records().map(|r| r.to_string()).collect();
    assert!(!dropped.iter().any(|line| line.contains("PANIC")), "{dropped:#?}");
}

#[test]
fn file_in_absent_folder_is_an_error_that_names_it() {
    let path = Folder::new().file("absent/file.journal");
    let error = JournalFile::create(&path).unwrap_err().to_string();
    assert!(error.contains("absent/file.journal"), "{error}");
}
