//! The ends of connections over pipes.

use crate::support::{
    Event, Log, Recorder, becomes_idle, descriptors, echo, in_child, is_child, on_made,
    only_record, this_test, turn, turn_until, turns,
};
use crate::{adopt, adopted};
use ropewalk::{Address, Pipes, Reactor};
use std::fs::File;
use std::io::{ErrorKind, PipeReader, Read, Write, pipe};

fn lost(reactor: &mut Reactor, log: &Log) -> String {
    turn_until(reactor, "lost", |_| log.lost() == 1);
    log.check(true);
    log.reasons()[0].clone()
}

fn read_all(mut reader: PipeReader) -> String {
    let mut all = String::new();
    reader.read_to_string(&mut all).unwrap();
    all
}

#[test]
fn end_of_input_closes_after_the_last_answer() {
    let log = Log::default();
    let (mut reactor, id, mut writer, reader) = adopted(Recorder::new(&log, echo));
    assert_eq!(reactor.context().transport(id).peer(), Address::Pipes);
    writer.write_all(b"hello").unwrap();
    drop(writer);
    assert_eq!(lost(&mut reactor, &log), "ClosedByPeer");
    assert_eq!(log.of(id)[1..3], [Event::Data(b"hello".to_vec()), Event::Eof]);
    assert_eq!(read_all(reader), "hello");
}

#[test]
fn input_continues_after_write_eof() {
    let log = Log::default();
    let protocol = Recorder::new(
        &log,
        on_made(|transport| {
            transport.write(b"only this");
            transport.write_eof();
        }),
    );
    let (mut reactor, _id, mut writer, reader) = adopted(protocol);
    turn(&mut reactor);
    assert_eq!(read_all(reader), "only this");
    assert!(becomes_idle(&mut reactor));
    writer.write_all(b"more").unwrap();
    turn_until(&mut reactor, "data", |_| log.data() == b"more");
    drop(writer);
    assert_eq!(lost(&mut reactor, &log), "Closed");
}

#[test]
fn output_continues_after_end_of_input() {
    let log = Log::default();
    let (mut reactor, id, writer, reader) =
        adopted(Recorder::new(&log, only_record).keeping_open());
    drop(writer);
    turn_until(&mut reactor, "the end", |_| log.of(id).contains(&Event::Eof));
    assert!(becomes_idle(&mut reactor));
    reactor.context().transport(id).write(b"late");
    reactor.context().transport(id).write_eof();
    assert_eq!(lost(&mut reactor, &log), "ClosedByPeer");
    assert_eq!(read_all(reader), "late");
}

#[test]
fn departed_reader_ends_a_silent_connection() {
    for paused in [false, true] {
        let log = Log::default();
        let (mut reactor, id, mut writer, reader) = adopted(Recorder::new(&log, only_record));
        turn(&mut reactor);
        if paused {
            reactor.context().transport(id).pause();
        }
        writer.write_all(b"last words").unwrap();
        turns(&mut reactor, 1);
        drop(reader);
        assert_eq!(lost(&mut reactor, &log), "Reset", "paused {paused}");
        assert_eq!(log.data().is_empty(), paused);
    }
}

#[test]
fn failed_write_comes_after_the_last_data() {
    let log = Log::default();
    let (mut reactor, _id, mut writer, reader) = adopted(Recorder::new(&log, echo));
    drop(reader);
    writer.write_all(b"first").unwrap();
    assert_eq!(lost(&mut reactor, &log), "Reset");
    assert_eq!(log.data(), b"first");
}

#[test]
fn absent_side_counts_as_ended() {
    let log = Log::default();
    let (input, mut writer) = pipe().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let recorder = Recorder::new(&log, echo);
    Pipes::new().input(input).adopt(reactor.context(), recorder).unwrap();
    writer.write_all(b"data").unwrap();
    turn_until(&mut reactor, "data", |_| log.data() == b"data");
    drop(writer);
    assert_eq!(lost(&mut reactor, &log), "ClosedByPeer");

    let log = Log::default();
    let (reader, output) = pipe().unwrap();
    let recorder = Recorder::new(&log, only_record);
    let id = Pipes::new().output(output).adopt(reactor.context(), recorder).unwrap();
    assert!(becomes_idle(&mut reactor));
    reactor.context().transport(id).write(b"data");
    reactor.context().transport(id).write_eof();
    assert_eq!(lost(&mut reactor, &log), "Closed");
    assert_eq!(read_all(reader), "data");

    let log = Log::default();
    let (reader, output) = pipe().unwrap();
    let recorder = Recorder::new(&log, only_record);
    Pipes::new().output(output).adopt(reactor.context(), recorder).unwrap();
    turn(&mut reactor);
    drop(reader);
    assert_eq!(lost(&mut reactor, &log), "Reset");
}

#[test]
fn closed_connection_leaves_unread_input() {
    let log = Log::default();
    let (input, mut writer) = pipe().unwrap();
    let (_reader, output) = pipe().unwrap();
    let mut copy = input.try_clone().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let id = adopt(&mut reactor, input, output, Recorder::new(&log, only_record));
    turn(&mut reactor);
    reactor.context().close(id);
    assert_eq!(lost(&mut reactor, &log), "Closed");
    writer.write_all(b"for another").unwrap();
    turns(&mut reactor, 3);
    let mut buffer = [0; 11];
    copy.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"for another");
}

#[test]
fn abort_drops_queued_data() {
    let log = Log::default();
    let (mut reactor, id, _writer, reader) = adopted(Recorder::new(&log, only_record));
    reactor.context().transport(id).write(&[b'x'; 1_000_000]);
    turn(&mut reactor);
    reactor.context().abort(id);
    assert_eq!(lost(&mut reactor, &log), "Aborted");
    assert!(read_all(reader).len() < 1_000_000);
}

#[test]
fn closing_waits_for_the_reader() {
    let log = Log::default();
    let hook = on_made(|transport| {
        transport.write(&[b'x'; 1_000_000]);
        transport.close();
    });
    let (mut reactor, _id, _writer, reader) = adopted(Recorder::new(&log, hook));
    turns(&mut reactor, 3);
    assert_eq!(log.lost(), 0);
    let reading = std::thread::spawn(|| read_all(reader).len());
    assert_eq!(lost(&mut reactor, &log), "Closed");
    assert_eq!(reading.join().unwrap(), 1_000_000);
}

#[test]
fn panic_ends_the_connection() {
    let log = Log::default();
    let (mut reactor, _id, mut writer, reader) =
        adopted(Recorder::new(&log, |_, event| assert!(!matches!(event, Event::Data(_)))));
    writer.write_all(b"!").unwrap();
    assert_eq!(lost(&mut reactor, &log), "Panicked");
    assert_eq!(read_all(reader), "");
}

#[test]
fn stop_sends_what_is_queued() {
    let log = Log::default();
    let (mut reactor, id, _writer, reader) = adopted(Recorder::new(&log, only_record));
    turn(&mut reactor);
    reactor.context().transport(id).write(&[b'x'; 500_000]);
    reactor.context().stop();
    let reading = std::thread::spawn(|| read_all(reader).len());
    reactor.run().unwrap();
    assert_eq!(log.reasons(), ["Stopped"]);
    assert_eq!(reading.join().unwrap(), 500_000);
}

#[test]
fn refused_descriptors_are_named_and_closed() {
    if !is_child() {
        return drop(in_child(this_test!(), &[])); // It counts descriptors.
    }
    let mut reactor = Reactor::new().unwrap();
    let before = descriptors();
    let log = Log::default();
    let recorder = || Recorder::new(&log, only_record);
    let error = Pipes::new().adopt(reactor.context(), recorder()).unwrap_err();
    assert_eq!(error.to_string(), "cannot adopt pipes: there is no descriptor");
    let (input, writer) = pipe().unwrap();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let pipes = Pipes::new().input(input).output(socket);
    let error = pipes.adopt(reactor.context(), recorder()).unwrap_err();
    assert_eq!(error.to_string(), "cannot adopt pipes: the socket is not a stream socket");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    drop(writer);
    assert_eq!(descriptors(), before);

    for _ in 0..10 {
        let (input, _writer) = pipe().unwrap();
        let output = File::options().write(true).open("/dev/null").unwrap();
        let id = adopt(&mut reactor, input, output, recorder());
        turn(&mut reactor);
        reactor.context().close(id);
        turn(&mut reactor);
    }
    assert_eq!(descriptors(), before);
}
