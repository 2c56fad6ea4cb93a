//! Received descriptors: in order with their bytes, none lost silently, none leaked.

use crate::support::*;
use crate::unix::*;
use ropewalk::{ListenOptions, Port, Reactor, Transport};
use std::cell::RefCell;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

/// Returns a reactor, a listener, and the descriptors that its protocols receive and keep.
fn keeping_receiver(
    path: &Path,
    events: &ReceiverLog,
) -> (Reactor, Port, Rc<RefCell<Vec<OwnedFd>>>) {
    let kept = Rc::new(RefCell::new(Vec::new()));
    let (theirs, keep) = (Rc::clone(events), Rc::clone(&kept));
    let mut reactor = Reactor::new().unwrap();
    let options = ListenOptions::new().descriptors(true);
    let factory = move || Receiver { events: Rc::clone(&theirs), kept: Some(Rc::clone(&keep)) };
    let port = options.listen_unix(reactor.context(), path, factory).unwrap();
    (reactor, port, kept)
}

#[cfg(target_os = "linux")]
#[test]
fn kernel_credentials_displace_no_descriptors() {
    let (folder, events) = (Folder::new(), ReceiverLog::default());
    let path = folder.path("receive.sock");
    let (mut reactor, port, kept) = keeping_receiver(&path, &events);
    let client = unix_client(&path);
    turn_until(&mut reactor, "made", |reactor| reactor.context().connections().count() == 1);
    let id = reactor.context().connections().find(|&id| id != port.id()).unwrap();
    let socket = reactor.context().descriptor(id).unwrap();
    socket2::SockRef::from(&socket).set_passcred(true).unwrap();
    pass(&client, b"x", &file_with(&folder, ""), 253);
    turn_until(&mut reactor, "a callback", |_| !events.borrow().is_empty());
    assert_eq!(kept.borrow().len(), 253, "{:?}", events.borrow());
    assert!(!events.borrow().iter().any(|event| matches!(event, ReceiverEvent::Lost)));
}

#[test]
fn descriptors_arrive_in_order_among_their_bytes() {
    let (folder, events) = (Folder::new(), ReceiverLog::default());
    let path = folder.path("receive.sock");
    let mut reactor = receiver(&path, &events);
    let mut client = unix_client(&path);
    let mut expected = (Vec::new(), Vec::new());
    for number in 0..100 {
        let (word, text) = (format!("word {number} "), format!("text {number}"));
        if number % 3 == 0 {
            client.write_all(word.as_bytes()).unwrap();
        } else {
            pass(&client, word.as_bytes(), &file_with(&folder, &text), 1);
            expected.1.push(text);
        }
        expected.0.extend_from_slice(word.as_bytes());
    }
    turn_until(&mut reactor, "all data", |_| sum(&events).0.len() == expected.0.len());
    assert_eq!(sum(&events), expected);
    for event in events.borrow().iter() {
        if let ReceiverEvent::Passed(data, texts) = event {
            let word = format!("word {} ", texts[0].trim_start_matches("text "));
            assert!(data.ends_with(word.as_bytes()), "{event:?} belongs to {word}");
            assert_eq!(texts.len(), 1);
        }
    }
    assert!(becomes_idle(&mut reactor));
}

#[test]
fn largest_message_is_received_with_close_on_exec() {
    let (folder, events) = (Folder::new(), ReceiverLog::default());
    let path = folder.path("receive.sock");
    let (mut reactor, _port, kept) = keeping_receiver(&path, &events);
    let client = unix_client(&path);
    pass(&client, b"x", &file_with(&folder, ""), 253);
    turn_until(&mut reactor, "all data", |_| kept.borrow().len() == 253);
    for descriptor in kept.borrow().iter() {
        let flags = rustix::io::fcntl_getfd(descriptor).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
}

#[test]
fn unwanted_descriptors_are_closed_without_losing_bytes() {
    if !is_child() {
        in_child(this_test!(), &[]);
        return;
    }
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("no.sock");
    let mut reactor = up_unix(&path, recorders(&log, only_record));
    let client = unix_client(&path);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let file = file_with(&folder, "unwanted");
    let before = descriptors();
    let mut sent = Vec::new();
    for round in 0..300_u32 {
        let word = format!("word {round} ");
        pass(&client, word.as_bytes(), &file, 3);
        (&client).write_all(b"and ").unwrap();
        sent.extend_from_slice(word.as_bytes());
        sent.extend_from_slice(b"and ");
        if round % 50 == 0 {
            reactor.turn(None).unwrap();
            assert_eq!(descriptors(), before);
        }
    }
    // Each read ends at the descriptors; every byte arrives.
    turn_until(&mut reactor, "all data", |_| log.data().len() == sent.len());
    assert_eq!((log.data() == sent, descriptors()), (true, before));
    assert!(becomes_idle(&mut reactor));
}

#[test]
fn default_descriptors_received_closes_and_delivers_bytes() {
    if !is_child() {
        in_child(this_test!(), &[]);
        return;
    }
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("default.sock");
    let mut reactor = Reactor::new().unwrap();
    let options = ListenOptions::new().descriptors(true);
    let factory = recorders(&log, only_record);
    options.listen_unix(reactor.context(), &path, factory).unwrap();
    let client = unix_client(&path);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let file = file_with(&folder, "");
    let before = descriptors();
    pass(&client, b"hello", &file, 100);
    turn_until(&mut reactor, "hello", |_| log.data() == b"hello");
    assert_eq!(descriptors(), before);
}

#[test]
fn closing_connection_keeps_no_descriptors() {
    if !is_child() {
        in_child(this_test!(), &[]);
        return;
    }
    let (folder, events) = (Folder::new(), ReceiverLog::default());
    let path = folder.path("receive.sock");
    let mut reactor = receiver(&path, &events);
    let client = unix_client(&path);
    turn_until(&mut reactor, "made", |reactor| reactor.context().connections().count() == 1);
    let id = reactor.context().connections().next().unwrap();
    let file = file_with(&folder, "");
    let before = descriptors();
    for _ in 0..20 {
        pass(&client, b"x", &file, 20);
    }
    reactor.context().close(id);
    for _ in 0..20 {
        pass(&client, b"x", &file, 20); // The socket lingers, and its input is discarded.
        reactor.turn(Some(std::time::Duration::ZERO)).unwrap();
    }
    turn_until(&mut reactor, "lost", |_| !events.borrow().is_empty());
    assert_eq!(sum(&events).1.len(), 0);
    drop(client);
    turn_until(&mut reactor, "closed", |_| descriptors() <= before - 2);
}

#[test]
fn descriptors_beyond_limit_are_reported_as_lost() {
    if !is_child() {
        in_child(this_test!(), &FEW_FILES);
        return;
    }
    let events = ReceiverLog::default();
    let theirs = Rc::clone(&events);
    let (mut reactor, mut client) = passed_too_many(b"with many ", move || Receiver::new(&theirs));
    client.write_all(b"and more").unwrap();
    turn_until(&mut reactor, "all data", |_| sum(&events).0 == b"with many and more");
    let events = events.borrow();
    assert_eq!(events[0], ReceiverEvent::Lost);
    let ReceiverEvent::Passed(data, texts) = &events[1] else { panic!("{events:?}") };
    assert_eq!(data, b"with many ");
    assert!(!texts.is_empty() && texts.len() < 100, "{}", texts.len());
}

#[test]
fn default_descriptors_lost_aborts_the_connection() {
    if !is_child() {
        in_child(this_test!(), &FEW_FILES);
        return;
    }
    let log = Log::default();
    let (mut reactor, _client) = passed_too_many(b"with many", recorders(&log, only_record));
    let before = descriptors();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Aborted"]);
    assert_eq!(log.data(), b"", "data of the message was delivered");
    turn_until(&mut reactor, "closed", |_| descriptors() == before - 1);
}

/// Detaches when descriptors are lost, which fails, and again when it may.
struct Detaching(Rc<RefCell<Vec<String>>>);

impl ropewalk::Protocol for Detaching {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

    fn descriptors_lost(&mut self, transport: &mut Transport<'_>) {
        let error = transport.detach().unwrap_err();
        self.0.borrow_mut().push(error.to_string());
    }

    fn descriptors_received(
        &mut self,
        transport: &mut Transport<'_>,
        data: &[u8],
        descriptors: Vec<OwnedFd>,
    ) {
        drop(descriptors);
        let text = String::from_utf8_lossy(data).into_owned();
        self.0.borrow_mut().push(text);
        transport.detach().unwrap();
    }
}

#[test]
fn detach_in_descriptors_lost_is_refused() {
    if !is_child() {
        in_child(this_test!(), &FEW_FILES);
        return;
    }
    let notes = Rc::default();
    let theirs = Rc::clone(&notes);
    let (mut reactor, _client) =
        passed_too_many(b"with many", move || Detaching(Rc::clone(&theirs)));
    turn_until(&mut reactor, "both callbacks", |_| notes.borrow().len() == 2);
    let notes = notes.borrow();
    assert!(notes[0].contains("detach in `descriptors_received`"), "{}", notes[0]);
    assert_eq!(notes[1], "with many");
}
