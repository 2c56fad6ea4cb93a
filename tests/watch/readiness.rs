//! Readiness callbacks of watchers.

use super::{Heard, Recorder, read_one, watched_pipe, words};
use crate::support::{
    Echo, PATIENCE, a_small_client_is_answered, comes_to_rest, listen, turn_until, up,
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
    let heard = Heard::default();
    let (mut reactor, _, mut writer) = watched_pipe(&heard, read_one);
    assert!(comes_to_rest(&mut reactor), "the reactor spins without data");
    assert!(words(&heard).is_empty());
    for round in 1..=3 {
        writer.write_all(b"five!").unwrap();
        turn_until(&mut reactor, "all data", |_| heard.borrow().len() == 5 * round);
        // The pipe is blocking: one callback too many would hang.
        assert!(comes_to_rest(&mut reactor));
        assert_eq!(heard.borrow().len(), 5 * round);
    }
}

#[test]
fn data_before_the_watch_is_reported() {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(b"x").unwrap();
    let (heard, mut reactor) = (Heard::default(), Reactor::new().unwrap());
    let watcher = Recorder::new(reader, &heard, read_one);
    reactor.context().watch(watcher, Interest::Readable).unwrap();
    turn_until(&mut reactor, "readable", |_| words(&heard) == ["readable"]);
}

#[test]
fn idle_watcher_is_called_once_a_turn() {
    let heard = Heard::default();
    let (mut reactor, _, mut writer) = watched_pipe(&heard, |_, _, _, _| {});
    writer.write_all(b"x").unwrap();
    turn_until(&mut reactor, "first callback", |_| !heard.borrow().is_empty());
    for _ in 0..20 {
        let before = heard.borrow().len();
        reactor.turn(Some(PATIENCE)).unwrap();
        assert_eq!(heard.borrow().len(), before + 1, "not once a turn");
    }
    let address = listen(&mut reactor, || Echo);
    a_small_client_is_answered(&mut reactor, address);
}

#[test]
fn interest_nothing_postpones_readiness() {
    let heard = Heard::default();
    let (mut reactor, id, mut writer) = watched_pipe(&heard, read_one);
    reactor.context().set_interest(id, Interest::Nothing);
    writer.write_all(b"ab").unwrap();
    assert!(comes_to_rest(&mut reactor));
    assert!(words(&heard).is_empty());
    reactor.context().set_interest(id, Interest::Readable);
    turn_until(&mut reactor, "both bytes", |_| words(&heard) == ["readable"; 2]);

    // The end of the data does not spin either.
    reactor.context().set_interest(id, Interest::Nothing);
    drop(writer);
    assert!(comes_to_rest(&mut reactor));
    reactor.context().set_interest(id, Interest::Readable);
    turn_until(&mut reactor, "the end", |_| words(&heard).len() == 4);
    assert_eq!(words(&heard)[2..], ["readable", "lost: Closed"]);
}

#[test]
fn writable_is_called_only_with_buffer_space() {
    let (mut reader, writer) = full_pipe();
    let (heard, mut reactor) = (Heard::default(), Reactor::new().unwrap());
    let watcher = Recorder::new(writer, &heard, |writer: &mut PipeWriter, context, id, _| {
        writer.write_all(&[1; 4096]).expect("space for a page");
        context.set_interest(id, Interest::Nothing);
    });
    let id = reactor.context().watch(watcher, Interest::Writable).unwrap();
    assert!(comes_to_rest(&mut reactor));
    assert!(words(&heard).is_empty());
    reader.read_exact(&mut [0; 8192]).unwrap();
    turn_until(&mut reactor, "buffer space", |_| words(&heard) == ["writable"]);
    assert!(comes_to_rest(&mut reactor), "the reactor spins without interest");
    reactor.context().set_interest(id, Interest::Both);
    turn_until(&mut reactor, "the remaining space", |_| words(&heard) == ["writable"; 2]);
}

#[test]
fn writer_without_reader_is_called() {
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
fn writable_is_rechecked_after_readable() {
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
    assert_eq!(words(&heard), ["readable"], "writable without buffer space");
    theirs.set_nonblocking(true).unwrap();
    while (&theirs).read(&mut [0; 4096]).is_ok() {}
    turn_until(&mut reactor, "buffer space", |_| words(&heard) == ["readable", "writable"]);
    assert!(comes_to_rest(&mut reactor));
}

#[test]
fn readiness_is_checked_before_each_callback() {
    let (reader, mut writer) = pipe().unwrap();
    let (heard, mut reactor) = (Heard::default(), Reactor::new().unwrap());
    for reader in [reader.try_clone().unwrap(), reader] {
        // The pipe is blocking: a callback of the second watcher would hang.
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
fn set_interest_ignores_other_sockets() {
    let (mut reactor, address) = up(|| Echo);
    let port = reactor.listen_tcp("127.0.0.1:0", || Echo).unwrap();
    reactor.context().set_interest(port.id(), Interest::Nothing);
    a_small_client_is_answered(&mut reactor, port.address().socket_addr().unwrap());
    reactor.context().close(port.id());
    reactor.turn(Some(Duration::ZERO)).unwrap();
    reactor.context().set_interest(port.id(), Interest::Both);
    a_small_client_is_answered(&mut reactor, address);
}
