//! Descriptors that go with the bytes: in order, none lost unnoticed, none left behind.

#![cfg(unix)]

mod support;
#[path = "support/unix.rs"]
mod unix;

use ropewalk::{
    Context, Id, Port, Protocol, Reactor, SlowReader, Transport, UnixConnectOptions,
    UnixListenOptions,
};
use rustix::net::{RecvAncillaryBuffer, RecvFlags};
use std::cell::RefCell;
use std::fs::File;
use std::io::{ErrorKind, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::rc::Rc;
use support::*;
use unix::*;

/// A reactor with a listener whose protocols keep the descriptors that they receive.
fn keeping(path: &Path, heards: &Heards) -> (Reactor, Port, Rc<RefCell<Vec<OwnedFd>>>) {
    let kept = Rc::new(RefCell::new(Vec::new()));
    let (theirs, keep) = (Rc::clone(heards), Rc::clone(&kept));
    let mut reactor = Reactor::new().unwrap();
    let options = UnixListenOptions::new().descriptors(true);
    let factory = move || Receiver { heards: Rc::clone(&theirs), kept: Some(Rc::clone(&keep)) };
    let port = reactor.context().listen_unix_with(path, &options, factory).unwrap();
    (reactor, port, kept)
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_kernel_adds_to_a_message_costs_none_of_its_descriptors() {
    let (folder, heards) = (Folder::new(), Heards::default());
    let path = folder.path("take.sock");
    let (mut reactor, port, kept) = keeping(&path, &heards);
    let client = unix_client(&path);
    turn_until(&mut reactor, "it", |reactor| reactor.context().connections().count() == 1);
    let id = reactor.context().connections().find(|&id| id != port.id()).unwrap();
    let socket = reactor.context().descriptor(id).unwrap();
    socket2::SockRef::from(&socket).set_passcred(true).unwrap();
    pass(&client, b"x", &file_with(&folder, ""), 253);
    turn_until(&mut reactor, "something", |_| !heards.borrow().is_empty());
    assert_eq!(kept.borrow().len(), 253, "{:?}", heards.borrow());
    assert!(!heards.borrow().iter().any(|heard| matches!(heard, Heard::Lost)));
}

/// Receives what one call brings, as any program might: how many bytes, and what was passed.
fn take(client: &UnixStream, buffer: &mut [u8]) -> Option<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let slices = &mut [IoSliceMut::new(buffer)];
    match rustix::net::recvmsg(client, slices, &mut control, flags) {
        Err(rustix::io::Errno::WOULDBLOCK) => None,
        Err(error) => panic!("{error}"),
        Ok(message) => {
            let mut passed = Vec::new();
            for message in control.drain() {
                if let rustix::net::RecvAncillaryMessage::ScmRights(descriptors) = message {
                    passed.extend(descriptors);
                }
            }
            Some((message.bytes, passed))
        }
    }
}

/// Passes a file with a text to whoever sends it a byte, and then says goodbye.
struct Giver(Rc<dyn Fn() -> File>);

impl Protocol for Giver {
    fn data_received(&mut self, transport: &mut Transport<'_>, _data: &[u8]) {
        transport.write(b"before ");
        transport.send_descriptors(b"with ", [(self.0)()]).unwrap();
        transport.write(b"after");
        transport.close();
    }
}

#[test]
fn a_descriptor_arrives_with_its_bytes_between_what_was_written_before_and_after() {
    let (folder, heards) = (Rc::new(Folder::new()), Heards::default());
    let path = folder.path("give.sock");
    let theirs = Rc::clone(&folder);
    let file: Rc<dyn Fn() -> File> = Rc::new(move || file_with(&theirs, "the text"));
    let mut reactor = up_unix(&path, move || Giver(Rc::clone(&file)));
    let options = UnixConnectOptions::new().descriptors(true);
    let receiver = Receiver::new(&heards);
    let mut receiver = Some(receiver);
    let factory = move || receiver.take().expect("one connection");
    let id = reactor.context().connect_unix_with(&path, &options, factory).unwrap();
    reactor.context().write(id, b"!");
    turn_until(&mut reactor, "lost", |_| matches!(heards.borrow().last(), Some(Heard::End(_))));
    let (data, texts) = sum(&heards);
    assert_eq!(data, b"before with after");
    assert_eq!(texts, ["the text"]);
    // Nothing that was written after the descriptor came with it.
    let heards = heards.borrow();
    let passed = heards.iter().position(|heard| matches!(heard, Heard::Passed(..))).unwrap();
    let Heard::Passed(with, _) = &heards[passed] else { unreachable!() };
    assert!(with.ends_with(b"with "), "{heards:?}");
}

#[test]
fn what_other_programs_pass_is_delivered_in_order_among_their_bytes() {
    let (folder, heards) = (Folder::new(), Heards::default());
    let path = folder.path("take.sock");
    let mut reactor = receiver(&path, &heards);
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
    turn_until(&mut reactor, "all", |_| sum(&heards).0.len() == expected.0.len());
    assert_eq!(sum(&heards), expected);
    for heard in heards.borrow().iter() {
        if let Heard::Passed(data, texts) = heard {
            let word = format!("word {} ", texts[0].trim_start_matches("text "));
            assert!(data.ends_with(word.as_bytes()), "{heard:?} goes with {word}");
            assert_eq!(texts.len(), 1);
        }
    }
    assert!(comes_to_rest(&mut reactor));
}

#[test]
fn as_many_as_a_message_carries_are_taken_at_once_and_closed_on_exec() {
    let (folder, heards) = (Folder::new(), Heards::default());
    let path = folder.path("take.sock");
    let (mut reactor, _port, kept) = keeping(&path, &heards);
    let client = unix_client(&path);
    pass(&client, b"x", &file_with(&folder, ""), 253);
    turn_until(&mut reactor, "all", |_| kept.borrow().len() == 253);
    for descriptor in kept.borrow().iter() {
        let flags = rustix::io::fcntl_getfd(descriptor).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
}

#[test]
fn descriptors_by_the_hundred_for_one_who_does_not_want_them_leave_nothing_and_lose_no_byte() {
    const NAME: &str =
        "descriptors_by_the_hundred_for_one_who_does_not_want_them_leave_nothing_and_lose_no_byte";
    if !is_child() {
        in_child(NAME, &[]);
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
    // Each read stops short behind them, and every byte arrives nevertheless.
    turn_until(&mut reactor, "all", |_| log.data().len() == sent.len());
    assert_eq!((log.data() == sent, descriptors()), (true, before));
    assert!(comes_to_rest(&mut reactor));
}

#[test]
fn a_protocol_that_overrides_nothing_gets_the_bytes_and_closes_what_came() {
    const NAME: &str = "a_protocol_that_overrides_nothing_gets_the_bytes_and_closes_what_came";
    if !is_child() {
        in_child(NAME, &[]);
        return;
    }
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("default.sock");
    let mut reactor = Reactor::new().unwrap();
    let options = UnixListenOptions::new().descriptors(true);
    let factory = recorders(&log, only_record);
    reactor.context().listen_unix_with(&path, &options, factory).unwrap();
    let client = unix_client(&path);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let file = file_with(&folder, "");
    let before = descriptors();
    pass(&client, b"hello", &file, 100);
    turn_until(&mut reactor, "hello", |_| log.data() == b"hello");
    assert_eq!(descriptors(), before);
}

#[test]
fn one_that_is_closed_while_descriptors_come_takes_none() {
    const NAME: &str = "one_that_is_closed_while_descriptors_come_takes_none";
    if !is_child() {
        in_child(NAME, &[]);
        return;
    }
    let (folder, heards) = (Folder::new(), Heards::default());
    let path = folder.path("take.sock");
    let mut reactor = receiver(&path, &heards);
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
        pass(&client, b"x", &file, 20); // It lingers, and what comes is thrown away.
        reactor.turn(Some(std::time::Duration::ZERO)).unwrap();
    }
    turn_until(&mut reactor, "lost", |_| !heards.borrow().is_empty());
    assert_eq!(sum(&heards).1.len(), 0);
    drop(client);
    turn_until(&mut reactor, "closed", |_| descriptors() <= before - 2);
}

#[test]
fn descriptors_that_cannot_be_had_are_told_as_lost_and_what_came_is_kept() {
    const NAME: &str = "descriptors_that_cannot_be_had_are_told_as_lost_and_what_came_is_kept";
    if !is_child() {
        in_child(NAME, &FEW_FILES);
        return;
    }
    let heards = Heards::default();
    let theirs = Rc::clone(&heards);
    let (mut reactor, mut client) = passed_too_many(b"with many ", move || Receiver::new(&theirs));
    client.write_all(b"and more").unwrap();
    turn_until(&mut reactor, "all", |_| sum(&heards).0 == b"with many and more");
    let heards = heards.borrow();
    assert_eq!(heards[0], Heard::Lost);
    let Heard::Passed(data, texts) = &heards[1] else { panic!("{heards:?}") };
    assert_eq!(data, b"with many ");
    assert!(!texts.is_empty() && texts.len() < 100, "{}", texts.len());
}

#[test]
fn a_protocol_that_does_not_know_what_to_do_without_them_is_ended() {
    const NAME: &str = "a_protocol_that_does_not_know_what_to_do_without_them_is_ended";
    if !is_child() {
        in_child(NAME, &FEW_FILES);
        return;
    }
    let log = Log::default();
    let (mut reactor, _client) = passed_too_many(b"with many", recorders(&log, only_record));
    let before = descriptors();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Aborted"]);
    assert_eq!(log.data(), b"", "what came with them is not delivered");
    turn_until(&mut reactor, "closed", |_| descriptors() == before - 1);
}

/// A giver and a taker that does not take yet: the giver's connection and the taker's socket.
fn giver(reactor: &mut Reactor, path: &Path, log: &Log) -> (Id, UnixStream) {
    reactor.listen_unix(path, recorders(log, only_record)).unwrap();
    let client = unix_client(path);
    turn_until(reactor, "made", |_| log.made() == 1);
    (log.ids()[0], client)
}

#[test]
fn descriptors_wait_in_their_places_while_a_peer_does_not_read() {
    let (folder, log) = (Folder::new(), Log::default());
    let mut reactor = Reactor::new().unwrap();
    let (id, client) = giver(&mut reactor, &folder.path("give.sock"), &log);
    let mut expected = (Vec::new(), Vec::new());
    for number in 0..60_usize {
        // Long pieces and short ones, of which the system does not take all.
        let piece = pattern(1 + (number * 7_919) % 50_000);
        reactor.context().write(id, &piece);
        expected.0.extend_from_slice(&piece);
        if number % 4 == 0 {
            reactor.turn(Some(std::time::Duration::ZERO)).unwrap();
        }
        let word = format!("<{number}>");
        // What the descriptor goes with, by its place among all bytes.
        expected.1.push((expected.0.len(), word.clone()));
        let file = file_with(&folder, &word);
        reactor.context().send_descriptors(id, word.as_bytes(), [file]).unwrap();
        expected.0.extend_from_slice(word.as_bytes());
    }
    assert!(reactor.context().write_buffer_size(id) > 500_000, "much waits");
    let (mut got, mut places, mut buffer) = (Vec::new(), Vec::new(), vec![0; 10_007]);
    turn_until(&mut reactor, "all", |_| {
        while let Some((count, passed)) = take(&client, &mut buffer) {
            // They are with the last piece of those that one read has brought together.
            for descriptor in passed {
                places.push((got.len()..got.len() + count, read_text(descriptor)));
            }
            got.extend_from_slice(&buffer[..count]);
        }
        got.len() == expected.0.len()
    });
    assert!(got == expected.0, "every byte in its place");
    assert_eq!(places.len(), expected.1.len());
    for ((range, text), (at, word)) in places.iter().zip(&expected.1) {
        assert_eq!(text, word);
        assert!(range.contains(at), "{word} belongs to byte {at}, and came with {range:?}");
    }
    assert_eq!(reactor.context().write_buffer_size(id), 0);
}

fn read_text(descriptor: OwnedFd) -> String {
    use std::io::{Read, Seek};
    let (mut file, mut text) = (File::from(descriptor), String::new());
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn what_was_to_be_passed_is_closed_when_it_was_or_when_it_cannot_be_any_more() {
    const NAME: &str = "what_was_to_be_passed_is_closed_when_it_was_or_when_it_cannot_be_any_more";
    if !is_child() {
        in_child(NAME, &[]);
        return;
    }
    let (folder, log) = (Folder::new(), Log::default());
    let mut reactor = Reactor::new().unwrap();
    let (id, client) = giver(&mut reactor, &folder.path("give.sock"), &log);
    let before = descriptors();
    let files = || (0..10).map(|_| file_with(&folder, "")).collect::<Vec<File>>();
    reactor.context().send_descriptors(id, b"x", files()).unwrap();
    assert_eq!(descriptors(), before + 10, "they wait for the end of the turn");
    turns(&mut reactor, 1);
    assert_eq!(descriptors(), before, "the system has them");

    // Behind what the peer does not read they wait, until it is gone.
    reactor.context().write(id, &pattern(MUCH));
    reactor.context().send_descriptors(id, b"x", files()).unwrap();
    turns(&mut reactor, 3);
    assert_eq!(descriptors(), before + 10);
    drop(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(descriptors(), before - 2);
    reactor.context().send_descriptors(id, b"x", files()).unwrap();
    assert_eq!(descriptors(), before - 2, "nobody is there any more");
}

#[test]
fn what_was_to_be_passed_goes_with_a_dropped_reactor() {
    const NAME: &str = "what_was_to_be_passed_goes_with_a_dropped_reactor";
    if !is_child() {
        in_child(NAME, &[]);
        return;
    }
    let (folder, log) = (Folder::new(), Log::default());
    let before = descriptors();
    let mut reactor = Reactor::new().unwrap();
    let (id, client) = giver(&mut reactor, &folder.path("give.sock"), &log);
    reactor.context().write(id, &pattern(MUCH));
    reactor.context().send_descriptors(id, b"x", [file_with(&folder, "")]).unwrap();
    turns(&mut reactor, 2);
    drop((reactor, client));
    assert_eq!(descriptors(), before);
}

#[test]
fn what_cannot_be_passed_is_refused_with_the_reason_and_nothing_is_sent() {
    const NAME: &str = "what_cannot_be_passed_is_refused_with_the_reason_and_nothing_is_sent";
    if !is_child() {
        in_child(NAME, &MANY_FILES);
        return;
    }
    let (folder, log) = (Folder::new(), Log::default());
    let mut reactor = Reactor::new().unwrap();
    let (id, _client) = giver(&mut reactor, &folder.path("give.sock"), &log);
    let file = file_with(&folder, "");
    let files = |count| (0..count).map(|_| file.try_clone().unwrap()).collect::<Vec<File>>();
    let before = descriptors();
    let refuse = |context: &mut Context, id, data: &[u8], count| {
        let error = context.send_descriptors(id, data, files(count)).unwrap_err();
        assert_eq!(descriptors(), before, "those that were refused are closed");
        (error.kind(), error.to_string())
    };
    let (kind, text) = refuse(reactor.context(), id, b"", 1);
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert!(text.starts_with("cannot pass descriptors to (unnamed): "), "{text}");
    assert!(text.contains("go with bytes, and there are none"), "{text}");
    let (kind, text) = refuse(reactor.context(), id, b"x", 254);
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert!(text.contains("they are 254, and one message carries 253"), "{text}");
    assert_eq!(reactor.context().write_buffer_size(id), 0);

    reactor.context().write(id, &pattern(MUCH)); // The peer does not read, so what follows waits.
    turns(&mut reactor, 1);
    let waiting = reactor.context().write_buffer_size(id);
    for _ in 0..4 {
        reactor.context().send_descriptors(id, b"x", files(250)).unwrap();
    }
    let before = descriptors();
    let error = reactor.context().send_descriptors(id, b"x", files(25)).unwrap_err();
    assert_eq!(descriptors(), before);
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(error.to_string().contains("1000 wait already"), "{error}");
    reactor.context().send_descriptors(id, b"x", files(24)).unwrap();

    // None at all is just a write.
    reactor.context().send_descriptors(id, b"y", files(0)).unwrap();
    assert_eq!(reactor.context().write_buffer_size(id), waiting + 6);
}

#[test]
fn over_tcp_nothing_can_be_passed_and_the_connection_stays() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let _client = TcpStream::connect(address).unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    let file = File::open("/dev/null").unwrap();
    let error = reactor.context().send_descriptors(id, b"x", [file]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("only Unix sockets pass descriptors"), "{error}");
    assert_eq!(reactor.context().connections().count(), 1);
}

#[test]
fn what_is_passed_before_the_connection_is_there_goes_once_it_is() {
    let (folder, heards) = (Folder::new(), Heards::default());
    let path = folder.path("take.sock");
    let mut reactor = receiver(&path, &heards);
    let (log, failures) = (Log::default(), Failures::default());
    let id = reactor.connect_unix(&path, Caller::new(&log, &failures, only_record)).unwrap();
    reactor.context().write(id, b"early ");
    let file = file_with(&folder, "early bird");
    reactor.context().send_descriptors(id, b"bird", [file]).unwrap();
    turn_until(&mut reactor, "all", |_| sum(&heards).0.len() == 10);
    assert_eq!(sum(&heards), (b"early bird".to_vec(), vec!["early bird".to_owned()]));
}

/// The system takes no more of a user's descriptors than one process may have, if nobody takes them:
/// for a user without privileges.
#[test]
fn too_many_on_their_way_are_tried_again_until_there_is_room() {
    const NAME: &str = "too_many_on_their_way_are_tried_again_until_there_is_room";
    if !is_child() {
        let wrapper: &[&str] = match rustix::process::geteuid().is_root() {
            true => &["prlimit", "--nofile=64", "setpriv", "--reuid=65533", "--clear-groups"],
            false => &["prlimit", "--nofile=64"],
        };
        if works(wrapper) {
            in_child(NAME, wrapper);
        }
        return;
    }
    let (folder, log) = (Folder::new(), Log::default());
    let mut reactor = Reactor::new().unwrap();
    let (id, client) = giver(&mut reactor, &folder.path("give.sock"), &log);
    let file = file_with(&folder, "one of many");
    for _ in 0..20 {
        let files: Vec<File> = (0..6).map(|_| file.try_clone().unwrap()).collect();
        reactor.context().send_descriptors(id, b"six ", files).unwrap();
        turns(&mut reactor, 1);
        if reactor.context().write_buffer_size(id) > 0 {
            break;
        }
    }
    assert!(reactor.context().write_buffer_size(id) > 0, "the system has taken too many");
    reactor.context().write(id, b"and the end");
    turns(&mut reactor, 5);
    assert_eq!(log.lost(), 0);
    assert!(comes_to_rest(&mut reactor), "it is asked again from time to time, not all the time");
    // Who takes them makes room, of which nobody tells.
    let mut got = Vec::new();
    turn_until(&mut reactor, "all", |_| {
        let mut buffer = [0; 64];
        while let Some((count, passed)) = take(&client, &mut buffer) {
            assert!(passed.len() % 6 == 0);
            got.extend_from_slice(&buffer[..count]);
        }
        got.ends_with(b"six and the end")
    });
    assert_eq!(reactor.context().write_buffer_size(id), 0);
}

#[test]
fn descriptors_do_not_overtake_what_waits_of_a_feed() {
    let folder = Folder::new();
    let path = folder.path("feed.sock");
    let log = Log::default();
    let mut reactor = Reactor::new().unwrap();
    let options = UnixListenOptions::new().slow_reader(SlowReader::DropOldest(20_000));
    let context = reactor.context();
    context.listen_unix_with(&path, &options, recorders(&log, only_record)).unwrap();
    let client = unix_client(&path);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    let mut written = 0_u32;
    turn_until(&mut reactor, "dropped", |reactor| {
        reactor.context().write(id, &written.to_be_bytes().repeat(250));
        written += 1;
        reactor.context().connection_counts(id).unwrap().dropped == 20
    });
    let file = file_with(&folder, "the text");
    reactor.context().send_descriptors(id, b"with", [file]).unwrap();
    reactor.context().write(id, b"next");
    reactor.context().close(id);
    let (mut got, mut passed) = (Vec::new(), Vec::new());
    let mut buffer = vec![0; 64 * 1024];
    turn_until(&mut reactor, "the end", |_| match take(&client, &mut buffer) {
        None => false,
        Some((0, _)) => true,
        Some((count, descriptors)) => {
            got.extend_from_slice(&buffer[..count]);
            if !descriptors.is_empty() {
                passed.push((got.len(), descriptors.len()));
            }
            false
        }
    });
    let pieces = got.strip_suffix(b"withnext").expect("what was written last");
    let begins = |piece: &[u8]| u32::from_be_bytes(piece[..4].try_into().unwrap());
    let numbers: Vec<u32> = pieces.chunks(1000).map(begins).collect();
    assert!(numbers.is_sorted());
    assert_eq!(numbers.last(), Some(&(written - 1)));
    assert_eq!(numbers.len() as u32, written - 20);
    assert_eq!(passed, [(pieces.len() + 4, 1)], "with its own bytes, behind all before");
}
