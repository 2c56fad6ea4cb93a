//! Ends of watches, refused descriptors, and other kinds of descriptors.

use super::{Recorder, WatchLog, read_one, watched_pipe, words};
use crate::support::{PATIENCE, becomes_idle, in_shutdown, turn_until, turns};
use ropewalk::{Context, Error, Id, Interest, Reactor, Watcher};
use std::fs::File;
use std::io::{ErrorKind, PipeReader, Read, Write, pipe};
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::rc::Rc;
use std::time::Duration;

#[test]
fn watch_closed_in_callback_receives_only_lost() {
    let calls = WatchLog::default();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    (&theirs).write_all(b"x").unwrap();
    let mut reactor = Reactor::new().unwrap();
    // Readable and writable, and it reads nothing, so it stays both.
    let watcher = Recorder::new(ours, &calls, |_, context: &mut Context, id, what| {
        if what == "readable" {
            context.close(id);
            context.close(id);
            context.abort(id);
            assert!(context.transport(id).is_closing());
            context.set_interest(id, Interest::Both);
        }
    });
    let id = reactor.context().watch(watcher, Interest::Both).unwrap();
    assert!(!reactor.context().transport(id).is_closing());
    turns(&mut reactor, 3);
    assert_eq!(words(&calls), ["readable", "lost: Closed"]);
    // Both copies of the descriptor are closed with unread data.
    assert_eq!((&theirs).read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(Rc::strong_count(&calls), 1, "the watcher was not dropped");
}

#[test]
fn panic_ends_only_that_watch() {
    let calls = WatchLog::default();
    let (mut reactor, id, mut writer) = watched_pipe(&calls, |_, _, _, what| {
        panic!("in {what}");
    });
    let (other, mut other_writer) = pipe().unwrap();
    let other = Recorder::new(other, &calls, read_one);
    let other = reactor.context().watch(other, Interest::Readable).unwrap();
    writer.write_all(b"x").unwrap();
    turn_until(&mut reactor, "the panic and the end", |_| calls.borrow().len() == 2);
    let of_first = [(id, "readable".to_owned()), (id, "lost: Panicked".to_owned())];
    assert_eq!(*calls.borrow(), of_first);
    turns(&mut reactor, 1);
    assert_eq!(writer.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe, "the pipe is open");

    other_writer.write_all(b"x").unwrap();
    turn_until(&mut reactor, "the other watch", |_| calls.borrow().len() == 3);
    assert_eq!(calls.borrow()[2], (other, "readable".to_owned()));
}

#[test]
fn stop_and_drop_end_watches() {
    let calls = WatchLog::default();
    let (mut reactor, _, _writer) = watched_pipe(&calls, read_one);
    reactor.context().stop();
    reactor.run().unwrap();
    assert_eq!(words(&calls), ["lost: Stopped"]);

    let calls = WatchLog::default();
    let (reactor, _, _writer) = watched_pipe(&calls, read_one);
    drop(reactor);
    assert_eq!(words(&calls), ["lost: Stopped"]);
}

fn refused(descriptor: impl AsFd + 'static) -> Error {
    let (calls, mut reactor) = (WatchLog::default(), Reactor::new().unwrap());
    let watcher = Recorder::new(descriptor, &calls, |_, _, _, _| {});
    let error = reactor.context().watch(watcher, Interest::Readable).unwrap_err();
    turns(&mut reactor, 2);
    assert!(calls.borrow().is_empty(), "a callback");
    assert_eq!(Rc::strong_count(&calls), 1, "the watcher was not dropped");
    error
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn unpollable_descriptors_are_refused_with_advice() {
    for path in [env!("CARGO_MANIFEST_DIR"), concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")] {
        let error = refused(File::open(path).unwrap()).to_string();
        let expected = "cannot watch the descriptor: operation not permitted (regular files and \
                        directories cannot be polled, since they are always ready; read them \
                        directly or on a thread)";
        assert_eq!(error, expected);
    }
}

#[test]
fn stopping_reactor_refuses_watches() {
    let mut reactor = Reactor::new().unwrap();
    let error = in_shutdown(&mut reactor, |context| {
        let watcher = Recorder::new(pipe().unwrap().0, &WatchLog::default(), read_one);
        context.watch(watcher, Interest::Readable).unwrap_err()
    });
    assert_eq!(error.to_string(), "cannot watch the descriptor: the reactor is stopping");
}

/// A watcher that closes its descriptor while it is watched.
struct ClosesEarly(Recorder<Option<PipeReader>>);

impl Watcher for ClosesEarly {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.descriptor.as_ref().unwrap().as_fd()
    }

    fn readable(&mut self, context: &mut Context, id: Id) {
        self.0.note(context, id, "readable");
    }
}

#[test]
fn reused_descriptor_number_is_watched_correctly() {
    let calls = WatchLog::default();
    let (reader, mut writer) = pipe().unwrap();
    let number = reader.as_raw_fd();
    let mut reactor = Reactor::new().unwrap();
    // The first callback closes the descriptor, which frees its number.
    writer.write_all(b"x").unwrap();
    let watcher = Recorder::new(Some(reader), &calls, |reader, _, _, _| *reader = None);
    let closes_early = reactor.context().watch(ClosesEarly(watcher), Interest::Readable).unwrap();
    turn_until(&mut reactor, "the first callback", |_| !calls.borrow().is_empty());
    reactor.context().set_interest(closes_early, Interest::Nothing);
    calls.borrow_mut().clear();

    // The system gives out the lowest free number, so one of these pipes has it.
    let pipes: Vec<_> = (0..8).map(|_| pipe().unwrap()).collect();
    if !pipes.iter().any(|(reader, _)| reader.as_raw_fd() == number) {
        println!("another test of this process received the number");
    }
    let mut writers = Vec::new();
    for (reader, writer) in pipes {
        let watcher = Recorder::new(reader, &calls, read_one);
        reactor.context().watch(watcher, Interest::Readable).unwrap();
        writers.push(writer);
    }
    reactor.context().close(closes_early);
    turns(&mut reactor, 1);
    assert!(writer.write(b"x").is_err(), "the first pipe is still open");
    for writer in &mut writers {
        writer.write_all(b"x").unwrap();
    }
    turn_until(&mut reactor, "all pipes", |_| calls.borrow().len() == 8);
    assert_eq!(words(&calls), ["readable"; 8]);
}

#[test]
fn watcher_may_begin_another_watch() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let (calls, mut reactor) = (WatchLog::default(), Reactor::new().unwrap());
    let note = Rc::clone(&calls);
    let watcher = Recorder::new(socket, &calls, move |socket: &mut UdpSocket, context, _, what| {
        if what != "readable" {
            return;
        }
        let mut buffer = [0; 100];
        let (count, from) = socket.recv_from(&mut buffer).unwrap();
        socket.send_to(&buffer[..count], from).unwrap();
        let (reader, mut writer) = pipe().unwrap();
        writer.write_all(b"x").unwrap();
        context.watch(Recorder::new(reader, &note, read_one), Interest::Readable).unwrap();
    });
    reactor.context().watch(watcher, Interest::Readable).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send_to(b"hello", address).unwrap();
    turn_until(&mut reactor, "the other watch and its end", |_| calls.borrow().len() == 4);
    assert_eq!(client.recv(&mut [0; 100]).unwrap(), 5);
    let expected = ["readable", "readable", "readable", "lost: Closed"];
    assert_eq!(words(&calls), expected);
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn timerfd_and_inotify_can_be_watched() {
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    let (calls, mut reactor) = (WatchLog::default(), Reactor::new().unwrap());
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC).unwrap();
    let every = Expiration::Interval(Duration::from_millis(1).into());
    timer.set(every, TimerSetTimeFlags::empty()).unwrap();
    let watcher = Recorder::new(timer, &calls, |timer: &mut TimerFd, context, id, what| {
        if what == "readable" {
            timer.wait().unwrap(); // It reads the timer.
            context.close(id);
        }
    });
    reactor.context().watch(watcher, Interest::Readable).unwrap();
    turn_until(&mut reactor, "the timer", |_| words(&calls) == ["readable", "lost: Closed"]);

    let directory = std::env::temp_dir().join(format!("ropewalk-watch-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let notes = Inotify::init(InitFlags::IN_CLOEXEC).unwrap();
    notes.add_watch(&directory, AddWatchFlags::IN_CREATE).unwrap();
    calls.borrow_mut().clear();
    let watcher = Recorder::new(notes, &calls, |notes: &mut Inotify, _, _, what| {
        if what == "readable" {
            assert_eq!(notes.read_events().unwrap().len(), 1);
        }
    });
    reactor.context().watch(watcher, Interest::Readable).unwrap();
    assert!(becomes_idle(&mut reactor));
    File::create(directory.join("file")).unwrap();
    turn_until(&mut reactor, "the file", |_| words(&calls) == ["readable"]);
    assert!(becomes_idle(&mut reactor));
    std::fs::remove_dir_all(&directory).unwrap();
}
