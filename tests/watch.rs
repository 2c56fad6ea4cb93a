//! Descriptors that are not the reactor's: pipes, timers, files, the sockets of others.

#![cfg(unix)]

mod support;

use ropewalk::{Context, Error, Id, Interest, Reactor, Reason, Watcher};
use rustix::io::ioctl_fionbio;
use std::cell::RefCell;
use std::fs::File;
use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write, pipe};
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;
use support::{Echo, PATIENCE, a_small_client_is_answered, comes_to_rest, turn_until, turns, up};

/// What watchers have heard, in order.
type Heard = Rc<RefCell<Vec<(Id, String)>>>;

/// Notes each callback, then does what the scenario wants.
struct Recorder<F> {
    descriptor: F,
    heard: Heard,
    hook: Hook<F>,
}

type Hook<F> = Box<dyn FnMut(&mut F, &mut Context, Id, &str)>;

impl<F> Recorder<F> {
    fn new(
        descriptor: F,
        heard: &Heard,
        hook: impl FnMut(&mut F, &mut Context, Id, &str) + 'static,
    ) -> Self {
        Self { descriptor, heard: Rc::clone(heard), hook: Box::new(hook) }
    }

    fn note(&mut self, context: &mut Context, id: Id, what: &str) {
        self.heard.borrow_mut().push((id, what.to_owned()));
        (self.hook)(&mut self.descriptor, context, id, what);
    }
}

impl<F: AsFd + 'static> Watcher for Recorder<F> {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    fn readable(&mut self, context: &mut Context, id: Id) {
        self.note(context, id, "readable");
    }

    fn writable(&mut self, context: &mut Context, id: Id) {
        self.note(context, id, "writable");
    }

    fn lost(&mut self, context: &mut Context, id: Id, reason: Reason) {
        self.note(context, id, &format!("lost: {reason:?}"));
    }
}

/// Reads one byte, and ends the watch at the end.
fn read_one(reader: &mut PipeReader, context: &mut Context, id: Id, what: &str) {
    if what == "readable" && reader.read(&mut [0]).unwrap() == 0 {
        context.close(id);
    }
}

fn words(heard: &Heard) -> Vec<String> {
    heard.borrow().iter().map(|(_, what)| what.clone()).collect()
}

/// A pipe of which a reactor watches the reading end.
fn watched_pipe(
    heard: &Heard,
    hook: impl FnMut(&mut PipeReader, &mut Context, Id, &str) + 'static,
) -> (Reactor, Id, PipeWriter) {
    let (reader, writer) = pipe().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let watcher = Recorder::new(reader, heard, hook);
    let id = reactor.context().watch(watcher, Interest::Readable).unwrap();
    (reactor, id, writer)
}

/// A pipe that takes no more, and its reading end.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    ioctl_fionbio(&writer, true).unwrap();
    while writer.write(&[0; 4096]).is_ok() {}
    (reader, writer)
}

#[test]
fn one_that_reads_a_little_each_time_is_told_again_until_it_has_all_and_then_left_in_peace() {
    let heard = Heard::default();
    let (mut reactor, _, mut writer) = watched_pipe(&heard, read_one);
    assert!(comes_to_rest(&mut reactor), "there is nothing to read");
    assert!(words(&heard).is_empty());
    for round in 1..=3 {
        writer.write_all(b"five!").unwrap();
        turn_until(&mut reactor, "all to be read", |_| heard.borrow().len() == 5 * round);
        // The pipe blocks: were it told once too often, this would hang.
        assert!(comes_to_rest(&mut reactor));
        assert_eq!(heard.borrow().len(), 5 * round);
    }
}

#[test]
fn what_was_there_before_the_watch_is_told() {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(b"x").unwrap();
    let (heard, mut reactor) = (Heard::default(), Reactor::new().unwrap());
    let watcher = Recorder::new(reader, &heard, read_one);
    reactor.context().watch(watcher, Interest::Readable).unwrap();
    turn_until(&mut reactor, "what was there", |_| words(&heard) == ["readable"]);
}

#[test]
fn one_who_does_not_read_is_told_once_a_turn_and_holds_nobody_up() {
    let heard = Heard::default();
    let (mut reactor, _, mut writer) = watched_pipe(&heard, |_, _, _, _| {});
    writer.write_all(b"x").unwrap();
    turn_until(&mut reactor, "the first", |_| !heard.borrow().is_empty());
    for _ in 0..20 {
        let before = heard.borrow().len();
        reactor.turn(Some(PATIENCE)).unwrap();
        assert_eq!(heard.borrow().len(), before + 1, "once, and the turn does not wait");
    }
    let address = support::listen(&mut reactor, || Echo);
    a_small_client_is_answered(&mut reactor, address);
}

#[test]
fn it_hears_of_nothing_while_it_wants_nothing_and_of_what_came_meanwhile_afterwards() {
    let heard = Heard::default();
    let (mut reactor, id, mut writer) = watched_pipe(&heard, read_one);
    reactor.context().set_interest(id, Interest::Nothing);
    writer.write_all(b"ab").unwrap();
    assert!(comes_to_rest(&mut reactor));
    assert!(words(&heard).is_empty());
    reactor.context().set_interest(id, Interest::Readable);
    turn_until(&mut reactor, "both bytes", |_| words(&heard) == ["readable"; 2]);

    // Nor does the end make it spin.
    reactor.context().set_interest(id, Interest::Nothing);
    drop(writer);
    assert!(comes_to_rest(&mut reactor));
    reactor.context().set_interest(id, Interest::Readable);
    turn_until(&mut reactor, "the end", |_| words(&heard).len() == 4);
    assert_eq!(words(&heard)[2..], ["readable", "lost: Closed"]);
}

#[test]
fn a_writer_is_told_when_there_is_room_and_not_before() {
    let (mut reader, writer) = full_pipe();
    let (heard, mut reactor) = (Heard::default(), Reactor::new().unwrap());
    let watcher = Recorder::new(writer, &heard, |writer: &mut PipeWriter, context, id, _| {
        writer.write_all(&[1; 4096]).expect("there is room for a page");
        context.set_interest(id, Interest::Nothing);
    });
    let id = reactor.context().watch(watcher, Interest::Writable).unwrap();
    assert!(comes_to_rest(&mut reactor));
    assert!(words(&heard).is_empty());
    reader.read_exact(&mut [0; 8192]).unwrap();
    turn_until(&mut reactor, "room", |_| words(&heard) == ["writable"]);
    assert!(comes_to_rest(&mut reactor), "there is room, but it wants none");
    reactor.context().set_interest(id, Interest::Both);
    turn_until(&mut reactor, "the rest of the room", |_| words(&heard) == ["writable"; 2]);
}

#[test]
fn a_writer_whose_reader_is_gone_is_told_and_finds_out_by_writing() {
    let (reader, writer) = full_pipe();
    let (heard, mut reactor) = (Heard::default(), Reactor::new().unwrap());
    let watcher = Recorder::new(writer, &heard, |writer: &mut PipeWriter, context, id, what| {
        if what == "writable" {
            assert_eq!(writer.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
            context.close(id);
        }
    });
    reactor.context().watch(watcher, Interest::Writable).unwrap();
    assert!(comes_to_rest(&mut reactor));
    drop(reader);
    turn_until(&mut reactor, "the end", |_| words(&heard) == ["writable", "lost: Closed"]);
}

#[test]
fn a_watch_that_ends_in_a_callback_hears_only_that_and_its_watcher_is_dropped() {
    let heard = Heard::default();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    (&theirs).write_all(b"x").unwrap();
    let mut reactor = Reactor::new().unwrap();
    // Readable and writable at once; it reads nothing, so it stays both.
    let watcher = Recorder::new(ours, &heard, |_, context: &mut Context, id, what| {
        if what == "readable" {
            context.close(id);
            context.close(id);
            context.abort(id);
            assert!(context.is_closing(id));
            context.set_interest(id, Interest::Both);
        }
    });
    let id = reactor.context().watch(watcher, Interest::Both).unwrap();
    assert!(!reactor.context().is_closing(id));
    turns(&mut reactor, 3);
    assert_eq!(words(&heard), ["readable", "lost: Closed"]);
    // Its end is closed with data unread, and so is our copy.
    assert_eq!((&theirs).read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(Rc::strong_count(&heard), 1, "the watcher was dropped");
}

#[test]
fn both_come_in_one_turn_and_the_second_only_if_the_first_left_room() {
    let heard = Heard::default();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    (&theirs).write_all(b"x").unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut reactor = Reactor::new().unwrap();
    type Stream = std::os::unix::net::UnixStream;
    let watcher =
        Recorder::new(ours, &heard, |stream: &mut Stream, context, id, what| match what {
            "readable" => {
                stream.read_exact(&mut [0]).unwrap();
                while stream.write(&[0; 4096]).is_ok() {}
            }
            _ => context.set_interest(id, Interest::Readable),
        });
    reactor.context().watch(watcher, Interest::Both).unwrap();
    assert!(comes_to_rest(&mut reactor));
    assert_eq!(words(&heard), ["readable"], "there is no room");
    theirs.set_nonblocking(true).unwrap();
    while (&theirs).read(&mut [0; 4096]).is_ok() {}
    turn_until(&mut reactor, "room", |_| words(&heard) == ["readable", "writable"]);
    assert!(comes_to_rest(&mut reactor));
}

#[test]
fn a_callback_that_finds_it_emptied_by_another_does_not_come() {
    let (reader, mut writer) = pipe().unwrap();
    let (heard, mut reactor) = (Heard::default(), Reactor::new().unwrap());
    for reader in [reader.try_clone().unwrap(), reader] {
        // The pipe blocks: the second would hang, if it were told.
        let watcher = Recorder::new(reader, &heard, |reader: &mut PipeReader, _, _, what| {
            if what == "readable" {
                assert_eq!(reader.read(&mut [0; 8]).unwrap(), 1);
            }
        });
        reactor.context().watch(watcher, Interest::Readable).unwrap();
    }
    for round in 1..=3 {
        writer.write_all(b"x").unwrap();
        turn_until(&mut reactor, "the byte", |_| heard.borrow().len() == round);
        assert!(comes_to_rest(&mut reactor));
        assert_eq!(heard.borrow().len(), round);
    }
}

#[test]
fn a_panic_ends_that_watch_alone() {
    let heard = Heard::default();
    let (mut reactor, id, mut writer) = watched_pipe(&heard, |_, _, _, what| {
        panic!("in {what}");
    });
    let (other, mut other_writer) = pipe().unwrap();
    let other = Recorder::new(other, &heard, read_one);
    let other = reactor.context().watch(other, Interest::Readable).unwrap();
    writer.write_all(b"x").unwrap();
    turn_until(&mut reactor, "the panics", |_| heard.borrow().len() == 2);
    let of_first = [(id, "readable".to_owned()), (id, "lost: Panicked".to_owned())];
    assert_eq!(*heard.borrow(), of_first);
    turns(&mut reactor, 1);
    assert_eq!(writer.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe, "it is closed");

    other_writer.write_all(b"x").unwrap();
    turn_until(&mut reactor, "the other", |_| heard.borrow().len() == 3);
    assert_eq!(heard.borrow()[2], (other, "readable".to_owned()));
}

#[test]
fn a_stop_and_the_end_of_the_reactor_end_watches_and_tell() {
    let heard = Heard::default();
    let (mut reactor, _, _writer) = watched_pipe(&heard, read_one);
    reactor.context().stop();
    reactor.run().unwrap();
    assert_eq!(words(&heard), ["lost: Stopped"]);

    let heard = Heard::default();
    let (reactor, _, _writer) = watched_pipe(&heard, read_one);
    drop(reactor);
    assert_eq!(words(&heard), ["lost: Stopped"]);
}

fn refused(descriptor: impl AsFd + 'static) -> Error {
    let (heard, mut reactor) = (Heard::default(), Reactor::new().unwrap());
    let watcher = Recorder::new(descriptor, &heard, |_, _, _, _| {});
    let error = reactor.context().watch(watcher, Interest::Readable).unwrap_err();
    turns(&mut reactor, 2);
    assert!(heard.borrow().is_empty(), "it hears nothing");
    assert_eq!(Rc::strong_count(&heard), 1, "it was dropped");
    error
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn what_the_system_cannot_poll_is_refused_and_told_what_to_do() {
    for path in [env!("CARGO_MANIFEST_DIR"), concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")] {
        let error = refused(File::open(path).unwrap()).to_string();
        let expected = "cannot watch the descriptor: operation not permitted (the system's poll \
                        does not take regular files and directories, which are always ready: read \
                        it at once, or in a thread)";
        assert_eq!(error, expected);
    }
}

#[test]
fn a_reactor_that_stops_watches_nothing_more() {
    let mut reactor = Reactor::new().unwrap();
    reactor.context().stop();
    let watcher = Recorder::new(pipe().unwrap().0, &Heard::default(), read_one);
    let error = reactor.context().watch(watcher, Interest::Readable).unwrap_err();
    assert_eq!(error.to_string(), "cannot watch the descriptor: the reactor is stopping");
}

/// Closes what it watches while it is watched.
struct Careless(Recorder<Option<PipeReader>>);

impl Watcher for Careless {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.descriptor.as_ref().unwrap().as_fd()
    }

    fn readable(&mut self, context: &mut Context, id: Id) {
        self.0.note(context, id, "readable");
    }
}

#[test]
fn a_descriptor_that_its_owner_closes_too_early_harms_nobody_who_is_given_its_number() {
    let heard = Heard::default();
    let (reader, mut writer) = pipe().unwrap();
    let number = reader.as_raw_fd();
    let mut reactor = Reactor::new().unwrap();
    // It closes what is watched at the first callback; the number is free then.
    writer.write_all(b"x").unwrap();
    let watcher = Recorder::new(Some(reader), &heard, |reader, _, _, _| *reader = None);
    let careless = reactor.context().watch(Careless(watcher), Interest::Readable).unwrap();
    turn_until(&mut reactor, "it to close", |_| !heard.borrow().is_empty());
    reactor.context().set_interest(careless, Interest::Nothing);
    heard.borrow_mut().clear();

    // The lowest free number is given out, so one of some is the one that was closed.
    let pipes: Vec<_> = (0..8).map(|_| pipe().unwrap()).collect();
    if !pipes.iter().any(|(reader, _)| reader.as_raw_fd() == number) {
        println!("the number was given to a test that runs beside this one");
    }
    let mut writers = Vec::new();
    for (reader, writer) in pipes {
        let watcher = Recorder::new(reader, &heard, read_one);
        reactor.context().watch(watcher, Interest::Readable).unwrap();
        writers.push(writer);
    }
    reactor.context().close(careless);
    turns(&mut reactor, 1);
    assert!(writer.write(b"x").is_err(), "nobody holds the first pipe any more");
    for writer in &mut writers {
        writer.write_all(b"x").unwrap();
    }
    turn_until(&mut reactor, "all of them", |_| heard.borrow().len() == 8);
    assert_eq!(words(&heard), ["readable"; 8]);
}

#[test]
fn a_socket_of_another_library_can_be_watched_and_a_watcher_may_begin_other_watches() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let (heard, mut reactor) = (Heard::default(), Reactor::new().unwrap());
    let note = Rc::clone(&heard);
    let watcher = Recorder::new(socket, &heard, move |socket: &mut UdpSocket, context, _, what| {
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
    turn_until(&mut reactor, "the other watch and its end", |_| heard.borrow().len() == 4);
    assert_eq!(client.recv(&mut [0; 100]).unwrap(), 5);
    let expected = ["readable", "readable", "readable", "lost: Closed"];
    assert_eq!(words(&heard), expected);
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn timers_and_directories_of_the_systems_are_told_of() {
    use rustix::fs::inotify;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    let (heard, mut reactor) = (Heard::default(), Reactor::new().unwrap());
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC).unwrap();
    let millisecond = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    let every = Itimerspec { it_interval: millisecond, it_value: millisecond };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &every).unwrap();
    let watcher = Recorder::new(timer, &heard, |timer: &mut OwnedFd, context, id, what| {
        if what == "readable" {
            let mut ticks = [0; 8];
            rustix::io::read(&*timer, &mut ticks).unwrap();
            if u64::from_ne_bytes(ticks) > 0 {
                context.close(id);
            }
        }
    });
    reactor.context().watch(watcher, Interest::Readable).unwrap();
    turn_until(&mut reactor, "the timer", |_| words(&heard) == ["readable", "lost: Closed"]);

    let directory = std::env::temp_dir().join(format!("ropewalk-watch-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let notes = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&notes, &directory, inotify::WatchFlags::CREATE).unwrap();
    heard.borrow_mut().clear();
    let watcher = Recorder::new(notes, &heard, |notes: &mut OwnedFd, _, _, what| {
        if what == "readable" {
            assert!(rustix::io::read(&*notes, &mut [0; 4096]).unwrap() > 0);
        }
    });
    reactor.context().watch(watcher, Interest::Readable).unwrap();
    assert!(comes_to_rest(&mut reactor));
    File::create(directory.join("file")).unwrap();
    turn_until(&mut reactor, "the file", |_| words(&heard) == ["readable"]);
    assert!(comes_to_rest(&mut reactor));
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn what_is_no_watch_takes_no_interest() {
    let (mut reactor, address) = up(|| Echo);
    let port = reactor.listen_tcp("127.0.0.1:0", || Echo).unwrap();
    reactor.context().set_interest(port.id(), Interest::Nothing);
    a_small_client_is_answered(&mut reactor, port.address().socket_addr().unwrap());
    reactor.context().close(port.id());
    reactor.turn(Some(Duration::ZERO)).unwrap();
    reactor.context().set_interest(port.id(), Interest::Both);
    a_small_client_is_answered(&mut reactor, address);
}
