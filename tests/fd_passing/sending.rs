//! Sent descriptors: in order with their bytes, and closed afterwards.

use crate::support::*;
use crate::unix::*;
use ropewalk::{
    ConnectOptions, Context, Id, ListenOptions, Protocol, Reactor, SlowReader, Transport,
};
use rustix::net::{RecvAncillaryBuffer, RecvFlags};
use std::fs::File;
use std::io::{ErrorKind, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::rc::Rc;

/// Receives the data and the descriptors of one recvmsg(2).
fn receive(client: &UnixStream, buffer: &mut [u8]) -> Option<(usize, Vec<OwnedFd>)> {
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

/// Sends a file when data arrives, and closes.
struct Sender(Rc<dyn Fn() -> File>);

impl Protocol for Sender {
    fn data_received(&mut self, transport: &mut Transport<'_>, _data: &[u8]) {
        transport.write(b"before ");
        transport.send_descriptors(b"with ", [(self.0)()]).unwrap();
        transport.write(b"after");
        transport.close();
    }
}

#[test]
fn descriptor_arrives_with_its_bytes_in_order() {
    let (folder, events) = (Rc::new(Folder::new()), ReceiverLog::default());
    let path = folder.path("give.sock");
    let theirs = Rc::clone(&folder);
    let file: Rc<dyn Fn() -> File> = Rc::new(move || file_with(&theirs, "the text"));
    let mut reactor = up_unix(&path, move || Sender(Rc::clone(&file)));
    let options = ConnectOptions::new().descriptors(true);
    let receiver = Receiver::new(&events);
    let mut receiver = Some(receiver);
    let factory = move || receiver.take().expect("one connection");
    let id = options.connect_unix(reactor.context(), &path, factory).unwrap();
    reactor.context().transport(id).write(b"!");
    turn_until(&mut reactor, "lost", |_| {
        matches!(events.borrow().last(), Some(ReceiverEvent::End(_)))
    });
    let (data, texts) = sum(&events);
    assert_eq!(data, b"before with after");
    assert_eq!(texts, ["the text"]);
    // No byte that was written after the descriptor arrived with it.
    let events = events.borrow();
    let passed =
        events.iter().position(|event| matches!(event, ReceiverEvent::Passed(..))).unwrap();
    let ReceiverEvent::Passed(with, _) = &events[passed] else { unreachable!() };
    assert!(with.ends_with(b"with "), "{events:?}");
}

/// Returns the id of a connection, and its client, which does not read.
fn sending_connection(reactor: &mut Reactor, path: &Path, log: &Log) -> (Id, UnixStream) {
    reactor.listen_unix(path, recorders(log, only_record)).unwrap();
    let client = unix_client(path);
    turn_until(reactor, "made", |_| log.made() == 1);
    (log.ids()[0], client)
}

#[test]
fn queued_descriptors_keep_their_byte_positions() {
    let (folder, log) = (Folder::new(), Log::default());
    let mut reactor = Reactor::new().unwrap();
    let (id, client) = sending_connection(&mut reactor, &folder.path("give.sock"), &log);
    let mut expected = (Vec::new(), Vec::new());
    for number in 0..60_usize {
        // Long and short chunks, which the socket does not accept entirely.
        let chunk = pattern(1 + (number * 7_919) % 50_000);
        reactor.context().transport(id).write(&chunk);
        expected.0.extend_from_slice(&chunk);
        if number % 4 == 0 {
            reactor.turn(Some(std::time::Duration::ZERO)).unwrap();
        }
        let word = format!("<{number}>");
        // The position of the descriptor among all bytes.
        expected.1.push((expected.0.len(), word.clone()));
        let file = file_with(&folder, &word);
        reactor.context().transport(id).send_descriptors(word.as_bytes(), [file]).unwrap();
        expected.0.extend_from_slice(word.as_bytes());
    }
    assert!(reactor.context().transport(id).write_buffer_size() > 500_000, "data is queued");
    let (mut got, mut places, mut buffer) = (Vec::new(), Vec::new(), vec![0; 10_007]);
    turn_until(&mut reactor, "all data", |_| {
        while let Some((count, passed)) = receive(&client, &mut buffer) {
            // They belong to the last of the chunks that one read returns.
            for descriptor in passed {
                places.push((got.len()..got.len() + count, read_text(descriptor)));
            }
            got.extend_from_slice(&buffer[..count]);
        }
        got.len() == expected.0.len()
    });
    assert!(got == expected.0, "bytes were lost or reordered");
    assert_eq!(places.len(), expected.1.len());
    for ((range, text), (at, word)) in places.iter().zip(&expected.1) {
        assert_eq!(text, word);
        assert!(range.contains(at), "{word} belongs to byte {at}, and arrived with {range:?}");
    }
    assert_eq!(reactor.context().transport(id).write_buffer_size(), 0);
}

fn read_text(descriptor: OwnedFd) -> String {
    use std::io::{Read, Seek};
    let (mut file, mut text) = (File::from(descriptor), String::new());
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn descriptors_are_closed_once_sent_or_undeliverable() {
    if !is_child() {
        in_child(this_test!(), &[]);
        return;
    }
    let (folder, log) = (Folder::new(), Log::default());
    let mut reactor = Reactor::new().unwrap();
    let (id, client) = sending_connection(&mut reactor, &folder.path("give.sock"), &log);
    let before = descriptors();
    let files = || (0..10).map(|_| file_with(&folder, "")).collect::<Vec<File>>();
    reactor.context().transport(id).send_descriptors(b"x", files()).unwrap();
    assert_eq!(descriptors(), before + 10, "queued until the end of the turn");
    turns(&mut reactor, 1);
    assert_eq!(descriptors(), before, "sent");

    // They are queued behind data that the peer does not read, until the peer closes.
    reactor.context().transport(id).write(&pattern(MUCH));
    reactor.context().transport(id).send_descriptors(b"x", files()).unwrap();
    turns(&mut reactor, 3);
    assert_eq!(descriptors(), before + 10);
    drop(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(descriptors(), before - 2);
    reactor.context().transport(id).send_descriptors(b"x", files()).unwrap();
    assert_eq!(descriptors(), before - 2, "the connection is lost");
}

#[test]
fn dropping_the_reactor_closes_queued_descriptors() {
    if !is_child() {
        in_child(this_test!(), &[]);
        return;
    }
    let (folder, log) = (Folder::new(), Log::default());
    let before = descriptors();
    let mut reactor = Reactor::new().unwrap();
    let (id, client) = sending_connection(&mut reactor, &folder.path("give.sock"), &log);
    reactor.context().transport(id).write(&pattern(MUCH));
    reactor.context().transport(id).send_descriptors(b"x", [file_with(&folder, "")]).unwrap();
    turns(&mut reactor, 2);
    drop((reactor, client));
    assert_eq!(descriptors(), before);
}

#[test]
fn refused_descriptors_are_closed_with_a_reason() {
    if !is_child() {
        in_child(this_test!(), &MANY_FILES);
        return;
    }
    let (folder, log) = (Folder::new(), Log::default());
    let mut reactor = Reactor::new().unwrap();
    let (id, _client) = sending_connection(&mut reactor, &folder.path("give.sock"), &log);
    let file = file_with(&folder, "");
    let files = |count| (0..count).map(|_| file.try_clone().unwrap()).collect::<Vec<File>>();
    let before = descriptors();
    let refuse = |context: &mut Context, id, data: &[u8], count| {
        let error = context.transport(id).send_descriptors(data, files(count)).unwrap_err();
        assert_eq!(descriptors(), before, "refused descriptors are open");
        (error.kind(), error.to_string())
    };
    let (kind, text) = refuse(reactor.context(), id, b"", 1);
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert!(text.starts_with("cannot pass descriptors to (unnamed): "), "{text}");
    assert!(text.contains("descriptors need at least one byte of data"), "{text}");
    let (kind, text) = refuse(reactor.context(), id, b"x", 254);
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert!(text.contains("254 descriptors exceed the limit of 253 for one message"), "{text}");
    assert_eq!(reactor.context().transport(id).write_buffer_size(), 0);

    reactor.context().transport(id).write(&pattern(MUCH)); // The peer does not read, so later data is queued.
    turns(&mut reactor, 1);
    let waiting = reactor.context().transport(id).write_buffer_size();
    for _ in 0..4 {
        reactor.context().transport(id).send_descriptors(b"x", files(250)).unwrap();
    }
    let before = descriptors();
    let error = reactor.context().transport(id).send_descriptors(b"x", files(25)).unwrap_err();
    assert_eq!(descriptors(), before);
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(error.to_string().contains("1000 descriptors are already queued"), "{error}");
    reactor.context().transport(id).send_descriptors(b"x", files(24)).unwrap();

    // Without descriptors it is a plain write.
    reactor.context().transport(id).send_descriptors(b"y", files(0)).unwrap();
    assert_eq!(reactor.context().transport(id).write_buffer_size(), waiting + 6);
}

#[test]
fn tcp_refuses_descriptors_and_stays_open() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let _client = TcpStream::connect(address).unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    let file = File::open("/dev/null").unwrap();
    let error = reactor.context().transport(id).send_descriptors(b"x", [file]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("only Unix sockets can pass descriptors"), "{error}");
    assert_eq!(reactor.context().connections().count(), 1);
}

#[test]
fn early_descriptors_are_sent_once_connected() {
    let (folder, events) = (Folder::new(), ReceiverLog::default());
    let path = folder.path("receive.sock");
    let mut reactor = receiver(&path, &events);
    let (log, failures) = (Log::default(), Failures::default());
    let id = reactor.connect_unix(&path, Caller::new(&log, &failures, only_record)).unwrap();
    reactor.context().transport(id).write(b"early ");
    let file = file_with(&folder, "early bird");
    reactor.context().transport(id).send_descriptors(b"bird", [file]).unwrap();
    turn_until(&mut reactor, "all data", |_| sum(&events).0.len() == 10);
    assert_eq!(sum(&events), (b"early bird".to_vec(), vec!["early bird".to_owned()]));
}

/// Linux limits the descriptors in flight of an unprivileged user to RLIMIT_NOFILE (unix(7)).
#[test]
fn descriptors_in_flight_limit_is_retried() {
    if !is_child() {
        let wrapper: &[&str] = match user_and_group().0 == 0 {
            true => &["prlimit", "--nofile=64", "setpriv", "--reuid=65533", "--clear-groups"],
            false => &["prlimit", "--nofile=64"],
        };
        if works(wrapper) {
            in_child(this_test!(), wrapper);
        }
        return;
    }
    let (folder, log) = (Folder::new(), Log::default());
    let mut reactor = Reactor::new().unwrap();
    let (id, client) = sending_connection(&mut reactor, &folder.path("give.sock"), &log);
    let file = file_with(&folder, "one of many");
    for _ in 0..20 {
        let files: Vec<File> = (0..6).map(|_| file.try_clone().unwrap()).collect();
        reactor.context().transport(id).send_descriptors(b"six ", files).unwrap();
        turns(&mut reactor, 1);
        if reactor.context().transport(id).write_buffer_size() > 0 {
            break;
        }
    }
    assert!(reactor.context().transport(id).write_buffer_size() > 0, "nothing is queued");
    reactor.context().transport(id).write(b"and the end");
    turns(&mut reactor, 5);
    assert_eq!(log.lost(), 0);
    assert!(becomes_idle(&mut reactor), "the retries spin");
    // Receiving frees space, which no event reports.
    let mut got = Vec::new();
    turn_until(&mut reactor, "all data", |_| {
        let mut buffer = [0; 64];
        while let Some((count, passed)) = receive(&client, &mut buffer) {
            assert!(passed.len() % 6 == 0);
            got.extend_from_slice(&buffer[..count]);
        }
        got.ends_with(b"six and the end")
    });
    assert_eq!(reactor.context().transport(id).write_buffer_size(), 0);
}

#[test]
fn descriptors_do_not_overtake_queued_chunks() {
    let folder = Folder::new();
    let path = folder.path("queue.sock");
    let log = Log::default();
    let mut reactor = Reactor::new().unwrap();
    let options = ListenOptions::new().slow_reader(SlowReader::DropOldest(20_000));
    let context = reactor.context();
    options.listen_unix(context, &path, recorders(&log, only_record)).unwrap();
    let client = unix_client(&path);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    let mut written = 0_u32;
    turn_until(&mut reactor, "dropped", |reactor| {
        reactor.context().transport(id).write(&written.to_be_bytes().repeat(250));
        written += 1;
        reactor.context().transport(id).counts().dropped == 20
    });
    let file = file_with(&folder, "the text");
    reactor.context().transport(id).send_descriptors(b"with", [file]).unwrap();
    reactor.context().transport(id).write(b"next");
    reactor.context().close(id);
    let (mut got, mut passed) = (Vec::new(), Vec::new());
    let mut buffer = vec![0; 64 * 1024];
    turn_until(&mut reactor, "the end", |_| match receive(&client, &mut buffer) {
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
    let chunks = got.strip_suffix(b"withnext").expect("what was written last");
    let begins = |chunk: &[u8]| u32::from_be_bytes(chunk[..4].try_into().unwrap());
    let numbers: Vec<u32> = chunks.chunks(1000).map(begins).collect();
    assert!(numbers.is_sorted());
    assert_eq!(numbers.last(), Some(&(written - 1)));
    assert_eq!(numbers.len() as u32, written - 20);
    assert_eq!(passed, [(chunks.len() + 4, 1)], "with its own bytes, after all earlier data");
}
