//! Data through the pipes of processes.

use crate::support::{becomes_idle, turn, turn_until};
use crate::{Log, has, has_ended, nothing, on_made, run, shell, start};
use ropewalk::{ProcessOptions, ProcessTransport, Reactor};

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

#[test]
fn write_to_a_dead_process_raises_no_signal() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let id = start(&mut reactor, &log, ProcessOptions::new("true"), nothing);
    turn_until(&mut reactor, "the end", |reactor| {
        ProcessTransport::new(reactor.context(), id).write(b"data");
        has_ended(&log)
    });
    ProcessTransport::new(reactor.context(), id).close_stdin();
    assert_eq!(reactor.context().connections().count(), 0);
}
