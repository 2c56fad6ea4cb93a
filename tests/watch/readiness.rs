//! Readiness callbacks of watchers.

use super::{Recorder, WatchLog, read_one, watched_pipe, words};
use crate::support::{
    Echo, PATIENCE, assert_client_is_echoed, becomes_idle, listen, turn_until, up,
};
use ropewalk::{Interest, Reactor};
use rustix::io::ioctl_fionbio;
use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write, pipe};
use std::time::Duration;

/// Returns the ends of a full pipe.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    ioctl_fionbio(&writer, true).unwrap();
    while writer.write(&[0; 4096]).is_ok() {}
    (reader, writer)
}

#[test]
fn watcher_is_called_until_all_is_read() {
    let calls = WatchLog::default();
    let (mut reactor, _, mut writer) = watched_pipe(&calls, read_one);
    assert!(becomes_idle(&mut reactor), "the reactor spins without data");
    assert!(words(&calls).is_empty());
    for round in 1..=3 {
        writer.write_all(b"five!").unwrap();
        turn_until(&mut reactor, "all data", |_| calls.borrow().len() == 5 * round);
        // The pipe is blocking: one callback too many would hang.
        assert!(becomes_idle(&mut reactor));
        assert_eq!(calls.borrow().len(), 5 * round);
    }
}

#[test]
fn data_before_the_watch_is_reported() {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(b"x").unwrap();
    let (calls, mut reactor) = (WatchLog::default(), Reactor::new().unwrap());
    let watcher = Recorder::new(reader, &calls, read_one);
    reactor.context().watch(watcher, Interest::Readable).unwrap();
    turn_until(&mut reactor, "readable", |_| words(&calls) == ["readable"]);
}

#[test]
fn idle_watcher_is_called_once_a_turn() {
    let calls = WatchLog::default();
    let (mut reactor, _, mut writer) = watched_pipe(&calls, |_, _, _, _| {});
    writer.write_all(b"x").unwrap();
    turn_until(&mut reactor, "first callback", |_| !calls.borrow().is_empty());
    for _ in 0..20 {
        let before = calls.borrow().len();
        reactor.turn(Some(PATIENCE)).unwrap();
        assert_eq!(calls.borrow().len(), before + 1, "not once a turn");
    }
    let address = listen(&mut reactor, || Echo);
    assert_client_is_echoed(&mut reactor, address);
}

#[test]
fn interest_nothing_postpones_readiness() {
    let calls = WatchLog::default();
    let (mut reactor, id, mut writer) = watched_pipe(&calls, read_one);
    assert_eq!(Interest::of(reactor.context(), id), Some(Interest::Readable));
    reactor.context().set_interest(id, Interest::Nothing);
    assert_eq!(Interest::of(reactor.context(), id), Some(Interest::Nothing));
    writer.write_all(b"ab").unwrap();
    assert!(becomes_idle(&mut reactor));
    assert!(words(&calls).is_empty());
    reactor.context().set_interest(id, Interest::Readable);
    turn_until(&mut reactor, "both bytes", |_| words(&calls) == ["readable"; 2]);

    // The end of the data does not spin either.
    reactor.context().set_interest(id, Interest::Nothing);
    drop(writer);
    assert!(becomes_idle(&mut reactor));
    reactor.context().set_interest(id, Interest::Readable);
    turn_until(&mut reactor, "the end", |_| words(&calls).len() == 4);
    assert_eq!(words(&calls)[2..], ["readable", "lost: Closed"]);
}

#[test]
fn writable_is_called_only_with_buffer_space() {
    let (mut reader, writer) = full_pipe();
    let (calls, mut reactor) = (WatchLog::default(), Reactor::new().unwrap());
    let watcher = Recorder::new(writer, &calls, |writer: &mut PipeWriter, context, id, _| {
        writer.write_all(&[1; 4096]).expect("space for a page");
        context.set_interest(id, Interest::Nothing);
    });
    let id = reactor.context().watch(watcher, Interest::Writable).unwrap();
    assert!(becomes_idle(&mut reactor));
    assert!(words(&calls).is_empty());
    reader.read_exact(&mut [0; 8192]).unwrap();
    turn_until(&mut reactor, "buffer space", |_| words(&calls) == ["writable"]);
    assert!(becomes_idle(&mut reactor), "the reactor spins without interest");
    reactor.context().set_interest(id, Interest::Both);
    turn_until(&mut reactor, "the remaining space", |_| words(&calls) == ["writable"; 2]);
}

#[test]
fn writer_without_reader_is_called() {
    let (reader, writer) = full_pipe();
    let (calls, mut reactor) = (WatchLog::default(), Reactor::new().unwrap());
    let watcher = Recorder::new(writer, &calls, |writer: &mut PipeWriter, context, id, what| {
        if what == "writable" {
            assert_eq!(writer.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
            context.close(id);
        }
    });
    reactor.context().watch(watcher, Interest::Writable).unwrap();
    assert!(becomes_idle(&mut reactor));
    drop(reader);
    turn_until(&mut reactor, "the end", |_| words(&calls) == ["writable", "lost: Closed"]);
}

#[test]
fn writable_is_rechecked_after_readable() {
    let calls = WatchLog::default();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    (&theirs).write_all(b"x").unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut reactor = Reactor::new().unwrap();
    type Stream = std::os::unix::net::UnixStream;
    let watcher =
        Recorder::new(ours, &calls, |stream: &mut Stream, context, id, what| match what {
            "readable" => {
                stream.read_exact(&mut [0]).unwrap();
                while stream.write(&[0; 4096]).is_ok() {}
            }
            _ => context.set_interest(id, Interest::Readable),
        });
    reactor.context().watch(watcher, Interest::Both).unwrap();
    assert!(becomes_idle(&mut reactor));
    assert_eq!(words(&calls), ["readable"], "writable without buffer space");
    theirs.set_nonblocking(true).unwrap();
    while (&theirs).read(&mut [0; 4096]).is_ok() {}
    turn_until(&mut reactor, "buffer space", |_| words(&calls) == ["readable", "writable"]);
    assert!(becomes_idle(&mut reactor));
}

#[test]
fn readiness_is_checked_before_each_callback() {
    let (reader, mut writer) = pipe().unwrap();
    let (calls, mut reactor) = (WatchLog::default(), Reactor::new().unwrap());
    for reader in [reader.try_clone().unwrap(), reader] {
        // The pipe is blocking: a callback of the second watcher would hang.
        let watcher = Recorder::new(reader, &calls, |reader: &mut PipeReader, _, _, what| {
            if what == "readable" {
                assert_eq!(reader.read(&mut [0; 8]).unwrap(), 1);
            }
        });
        reactor.context().watch(watcher, Interest::Readable).unwrap();
    }
    for round in 1..=3 {
        writer.write_all(b"x").unwrap();
        turn_until(&mut reactor, "the byte", |_| calls.borrow().len() == round);
        assert!(becomes_idle(&mut reactor));
        assert_eq!(calls.borrow().len(), round);
    }
}

#[test]
fn set_interest_ignores_other_sockets() {
    let (mut reactor, address) = up(|| Echo);
    let port = reactor.listen_tcp("127.0.0.1:0", || Echo).unwrap();
    reactor.context().set_interest(port.id(), Interest::Nothing);
    assert_client_is_echoed(&mut reactor, port.address().socket_addr().unwrap());
    reactor.context().close(port.id());
    reactor.turn(Some(Duration::ZERO)).unwrap();
    reactor.context().set_interest(port.id(), Interest::Both);
    assert_client_is_echoed(&mut reactor, address);
}
