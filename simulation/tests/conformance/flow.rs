//! Flow control: a writer that is faster than the reader.

use crate::actors::{Event, pause_when_made, quiet};
use crate::environment::{Environment, run_everywhere};
use crate::log::pattern;
use ropewalk::{SocketOption, Transport};
use std::time::Duration;

/// More than the system's buffers hold, if they are small.
const MUCH: usize = 1_000_000;

fn make_buffers_small(transport: &mut Transport<'_>) {
    transport.set_option(SocketOption::SendBuffer(50_000)).unwrap();
}

/// The server sends much data to a client that does not read.
fn fill(environment: &mut Environment, act: impl Fn(&mut Transport<'_>) + Clone + 'static) {
    let address =
        environment.listen("server", move |transport: &mut Transport<'_>, event: Event<'_>| {
            if let Event::Made = event {
                make_buffers_small(transport);
                act(transport);
                transport.write(&pattern(MUCH));
            } else {
                quiet(transport, event);
            }
        });
    environment.connect("client", address, pause_when_made);
    environment.until("both there", |log| log.made("client") && log.made("server"));
    environment.settle();
}

#[test]
fn a_fast_writer_is_paused_and_resumed_once() {
    let expected = &[
        "client: made, reading resumed, 1000000 bytes, lost: closed by us",
        "server: made, pause writing, resume writing, eof, lost: closed by the peer",
    ];
    run_everywhere(expected, |environment| {
        fill(environment, |_| {});
        environment.with("client", |context, id| context.transport(id).resume());
        environment.until("all there", |log| log.bytes("client") == MUCH);
        environment.settle();
        environment.with("client", |context, id| context.close(id));
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn each_burst_is_paused_and_resumed() {
    let expected = &[
        "client: made, 3000000 bytes",
        "server: made, pause writing, resume writing, pause writing, resume writing, \
         pause writing, resume writing",
    ];
    run_everywhere(expected, |environment| {
        let mut bursts = 0;
        let address = environment.listen("server", move |transport, event| {
            if let Event::Made = event {
                make_buffers_small(transport);
            }
            if let Event::Made | Event::ResumeWriting = event
                && bursts < 3
            {
                let begin = bursts * MUCH;
                bursts += 1;
                transport.write(&pattern(bursts * MUCH)[begin..]);
            }
        });
        environment.connect("client", address, quiet);
        environment.until("all there", |log| log.bytes("client") == 3 * MUCH);
    });
}

#[test]
fn exceeding_the_write_limit_ends_the_connection() {
    let expected = &[
        "client: made, eof noticed, lost: reset by the peer",
        "server: made, pause writing, lost: too much queued data",
    ];
    run_everywhere(expected, |environment| {
        fill(environment, |transport| transport.set_write_limit(100_000));
        environment.with("server", |context, id| context.transport(id).write(b"one more"));
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_paused_writer_is_resumed_before_the_loss() {
    let expected = &[
        "client: made, lost: aborted by us",
        "server: made, pause writing, resume writing, lost: reset by the peer",
    ];
    run_everywhere(expected, |environment| {
        fill(environment, |_| {});
        environment.with("client", |context, id| context.abort(id));
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_close_without_reader_times_out() {
    let expected = &[
        "client: made, eof noticed, lost: reset by the peer",
        "server: made, pause writing, lost: closed by us; the peer did not read the queued data in \
         time",
    ];
    run_everywhere(expected, |environment| {
        fill(environment, |_| {});
        environment.with("server", |context, id| {
            context.transport(id).close_within(Duration::from_millis(30))
        });
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn simultaneous_large_writes_lose_nothing() {
    let expected = &[
        "client: made, 1000000 bytes, eof, lost: closed by the peer",
        "server: made, 1000000 bytes, lost: closed by us",
    ];
    run_everywhere(expected, |environment| {
        let writer = |transport: &mut Transport<'_>, event: Event<'_>| {
            if let Event::Made = event {
                transport.set_write_buffer_limits(100_000_000, 0);
                transport.write(&pattern(1_000_000));
            }
            quiet(transport, event);
        };
        let address = environment.listen("server", writer);
        environment.connect("client", address, writer);
        let all = 1_000_000;
        environment
            .until("all there", |log| log.bytes("client") == all && log.bytes("server") == all);
        environment.settle();
        environment.with("server", |context, id| context.close(id));
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn pausing_after_each_chunk_loses_nothing() {
    let expected = &[
        "client: made, lost: closed by us",
        "server: made, reading resumed, 1000000 bytes, eof, lost: closed by the peer",
    ];
    run_everywhere(expected, |environment| {
        let log = environment.log();
        let address = environment.listen("server", pause_when_made);
        environment.connect("client", address, |transport, event| {
            if let Event::Made = event {
                transport.set_write_buffer_limits(100_000_000, 0);
                transport.write(&pattern(1_000_000));
            }
        });
        environment.until("there", |log| log.made("server"));
        while log.bytes("server") < 1_000_000 {
            let before = log.bytes("server");
            environment.with("server", |context, id| context.transport(id).resume());
            environment.until("more", |log| log.bytes("server") > before);
            environment.with("server", |context, id| context.transport(id).pause());
            environment.settle();
        }
        environment.with("client", |context, id| context.close(id));
        environment.with("server", |context, id| context.transport(id).resume());
        environment.until_lost(&["client", "server"]);
    });
}
