//! Data through the pipes of processes.

use crate::support::{becomes_idle, turn, turn_until};
use crate::{Log, has, has_ended, nothing, on_made, run, shell, start};
use ropewalk::{ProcessOptions, ProcessTransport, Protocol, Reactor, Transport};
use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

#[test]
fn hundred_megabytes_arrive_whole() {
    const LENGTH: usize = 100_000_000;
    let record = run(shell(&format!("yes | head -c {LENGTH}")), nothing);
    assert_eq!(record.out.len(), LENGTH);
    assert!(record.out.chunks(2).all(|line| line == b"y\n"));
}

#[test]
fn input_is_flushed_before_it_is_closed() {
    let record = run(
        ProcessOptions::new("wc").arg("-c"),
        on_made(|process| {
            process.write(&[b'x'; 3_000_000]);
            process.close_stdin();
        }),
    );
    assert_eq!(record.out, b"3000000\n");
    assert!(record.events.contains(&"in Closed".to_owned()), "{:?}", record.events);
}

#[test]
fn process_that_does_not_read_pauses_writing() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let hook = on_made(|process| process.write(&[b'x'; 1_000_000]));
    let id = start(&mut reactor, &log, shell("read line </dev/tty; exec sleep 100"), hook);
    turn_until(&mut reactor, "pause", |_| has(&log, "pause"));
    assert!(becomes_idle(&mut reactor));
    let mut process = ProcessTransport::new(reactor.context(), id);
    assert!(process.stdin().write_buffer_size() > 0);
    process.kill();
    turn_until(&mut reactor, "the end", |_| has_ended(&log));
    assert!(has(&log, "in Reset"), "{:?}", log.borrow().events);
}

#[test]
fn paused_output_stays_in_the_pipe() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let hook = on_made(|process| process.stdout().pause());
    let id = start(&mut reactor, &log, shell("head -c 1000000 /dev/zero"), hook);
    turn(&mut reactor);
    assert!(becomes_idle(&mut reactor));
    assert!(log.borrow().out.is_empty() && !has(&log, "exited"));
    ProcessTransport::new(reactor.context(), id).stdout().resume();
    turn_until(&mut reactor, "the end", |_| has_ended(&log));
    assert_eq!(log.borrow().out.len(), 1_000_000);
}

/// A pipe raises SIGPIPE, which programs with a `main` in Rust ignore.
#[test]
fn write_to_a_dead_process_ends_its_input_only() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let id = start(&mut reactor, &log, ProcessOptions::new("true"), nothing);
    turn_until(&mut reactor, "the end", |reactor| {
        ProcessTransport::new(reactor.context(), id).write(b"data");
        has_ended(&log)
    });
    assert!(has(&log, "in Reset"), "{:?}", log.borrow().events);
    ProcessTransport::new(reactor.context(), id).close_stdin();
    assert_eq!(reactor.context().connections().count(), 0);
}

/// Sends words to sort(1), and keeps the answer.
struct Sorting(Rc<RefCell<Vec<u8>>>);

impl Protocol for Sorting {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.write(b"pear\napple\n");
        transport.write_eof();
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, data: &[u8]) {
        self.0.borrow_mut().extend_from_slice(data);
    }
}

#[test]
fn any_protocol_serves_a_process_on_a_socket() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let (ours, theirs) = UnixStream::pair().unwrap();
    let options = ProcessOptions::new("sort")
        .stdin(OwnedFd::from(theirs.try_clone().unwrap()))
        .stdout(OwnedFd::from(theirs));
    start(&mut reactor, &log, options, nothing);
    let answer = Rc::default();
    reactor.context().adopt_connection(ours, Sorting(Rc::clone(&answer))).unwrap();
    turn_until(&mut reactor, "the end", |reactor| reactor.context().connections().count() == 0);
    assert_eq!(*answer.borrow(), b"apple\npear\n");
}
