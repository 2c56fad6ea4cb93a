//! The kinds of descriptors: pipes, terminals, sockets, files, devices.

use crate::support::{
    Event, Log, PATIENCE, Recorder, Terminal, becomes_idle, echo, on_made, only_record,
    terminals_work, turn, turn_until, turns,
};
use crate::{adopt, adopted};
use ropewalk::Reactor;
use socket2::SockRef;
use std::fs::{self, File};
use std::io::{Read, Write, pipe};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

const MEGABYTES: usize = 3_000_000;

/// Returns bytes in which a lost or repeated part is noticed.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

fn is_nonblocking(descriptor: &impl AsFd) -> bool {
    SockRef::from(descriptor).nonblocking().unwrap()
}

/// A file that is removed with this value.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("ropewalk-{name}-{}", std::process::id())))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn writing_to_full_pipes_never_blocks() {
    for nonblocking in [false, true] {
        let log = Log::default();
        let (input, _writer) = pipe().unwrap();
        let (mut reader, output) = pipe().unwrap();
        SockRef::from(&output).set_nonblocking(nonblocking).unwrap();
        let copy = output.try_clone().unwrap();
        let mut reactor = Reactor::new().unwrap();
        let data = pattern(MEGABYTES);
        let hook = on_made(move |transport| transport.write(&pattern(MEGABYTES)));
        let id = adopt(&mut reactor, input, output, Recorder::new(&log, hook));
        turns(&mut reactor, 2);
        assert!(becomes_idle(&mut reactor), "it waits for the reader");
        assert_eq!(log.of(id), [Event::Made, Event::PauseWriting]);
        assert_eq!(is_nonblocking(&copy), nonblocking, "the flag is left alone");
        drop(copy);

        let reading = thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).map(|_| all)
        });
        turn_until(&mut reactor, "all sent", |reactor| {
            reactor.context().transport(id).write_buffer_size() == 0
        });
        assert_eq!(log.of(id)[2..], [Event::ResumeWriting]);
        reactor.context().close(id);
        turn(&mut reactor);
        assert!(reading.join().unwrap().unwrap() == data, "the bytes arrive in order");
    }
}

#[test]
fn terminal_that_is_not_read_never_blocks() {
    if !terminals_work() {
        return;
    }
    let terminal = Terminal::new();
    let (input, output, copy) = (terminal.open(), terminal.open(), terminal.open());
    let (done, waiting) = mpsc::channel::<()>();
    // The end of the terminal ends a write that waits.
    let watchdog = thread::spawn(move || {
        let is_late = waiting.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
        drop(terminal);
        is_late
    });
    let log = Log::default();
    let mut reactor = Reactor::new().unwrap();
    let hook = on_made(|transport| transport.write(&pattern(MEGABYTES)));
    let id = adopt(&mut reactor, input, output, Recorder::new(&log, hook));
    turns(&mut reactor, 2);
    assert!(becomes_idle(&mut reactor), "it waits for the reader");
    drop(done);
    assert!(!watchdog.join().unwrap(), "a write has waited for the reader");
    assert_eq!(log.of(id), [Event::Made, Event::PauseWriting]);
    assert!(!is_nonblocking(&copy), "the flag is left alone");
}

#[test]
fn paused_input_stays_in_the_pipe() {
    let log = Log::default();
    let hook = on_made(|transport| transport.pause());
    let (mut reactor, id, writer, _reader) = adopted(Recorder::new(&log, hook));
    SockRef::from(&writer).set_nonblocking(true).unwrap();
    let mut written = 0;
    while let Ok(count) = (&writer).write(&pattern(10_000)) {
        written += count;
        turn(&mut reactor);
    }
    assert!(becomes_idle(&mut reactor));
    assert_eq!(log.data().len(), 0);
    reactor.context().transport(id).resume();
    turn_until(&mut reactor, "data", |_| log.data().len() == written);
    drop(writer);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
}

#[test]
fn file_is_read_whole_within_budgets() {
    let file = Temporary::new("input");
    fs::write(&file.0, pattern(MEGABYTES)).unwrap();
    let log = Log::default();
    let (_reader, output) = pipe().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let input = File::open(&file.0).unwrap();
    adopt(&mut reactor, input, output, Recorder::new(&log, only_record));
    turn(&mut reactor);
    let first = log.data().len();
    assert!(first > 0 && first <= 1024 * 1024, "{first} bytes in a turn");
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert!(log.data() == pattern(MEGABYTES));
    assert_eq!(log.reasons(), ["ClosedByPeer"]);
}

#[test]
fn file_takes_all_that_is_written() {
    let file = Temporary::new("output");
    let log = Log::default();
    let (input, writer) = pipe().unwrap();
    let output = File::create(&file.0).unwrap();
    let mut reactor = Reactor::new().unwrap();
    let hook = on_made(|transport| transport.write(&pattern(MEGABYTES)));
    adopt(&mut reactor, input, output, Recorder::new(&log, hook));
    drop(writer);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert!(fs::read(&file.0).unwrap() == pattern(MEGABYTES));
}

#[test]
fn null_device_is_at_its_end() {
    let log = Log::default();
    let mut reactor = Reactor::new().unwrap();
    let (input, output) =
        (File::open("/dev/null").unwrap(), File::options().write(true).open("/dev/null").unwrap());
    let id = adopt(&mut reactor, input, output, Recorder::new(&log, echo));
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.of(id)[1], Event::Eof);
}

#[cfg(target_os = "linux")]
#[test]
fn full_disk_ends_the_connection() {
    let log = Log::default();
    let mut reactor = Reactor::new().unwrap();
    let (input, _writer) = pipe().unwrap();
    let output = File::options().write(true).open("/dev/full").unwrap();
    let hook = on_made(|transport| transport.write(b"more"));
    adopt(&mut reactor, input, output, Recorder::new(&log, hook));
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert!(log.reasons()[0].contains("StorageFull"), "{:?}", log.reasons());
}

#[test]
fn sockets_end_one_side_at_a_time() {
    let log = Log::default();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let copy = ours.try_clone().unwrap();
    let id = adopt(&mut reactor, ours, copy, Recorder::new(&log, echo).keeping_open());
    theirs.write_all(b"hello").unwrap();
    turn_until(&mut reactor, "data", |_| log.data() == b"hello");
    reactor.context().transport(id).write_eof();
    turn(&mut reactor);
    let mut all = String::new();
    theirs.read_to_string(&mut all).unwrap();
    assert_eq!(all, "hello");
    theirs.write_all(b"more").unwrap();
    turn_until(&mut reactor, "more data", |_| log.data() == b"hellomore");
    drop(theirs);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
}

#[test]
fn terminal_delivers_each_line_and_its_end() {
    if !terminals_work() {
        return;
    }
    let (log, mut terminal) = (Log::default(), Terminal::new());
    let (input, output, copy) = (terminal.open(), terminal.open(), terminal.open());
    let mut reactor = Reactor::new().unwrap();
    adopt(&mut reactor, input, output, Recorder::new(&log, echo));
    terminal.keyboard.write_all(b"one\ntwo\n\x04").unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    let lines = log.all().into_iter().map(|(_, event)| event).collect::<Vec<_>>();
    let line = |text: &[u8]| Event::Data(text.to_vec());
    assert_eq!(lines[1..4], [line(b"one\n"), line(b"two\n"), Event::Eof]);
    assert!(!is_nonblocking(&copy), "a shell shares the flag");
}
