//! Who writes faster than the other reads.

use crate::actors::{Heard, pause_when_made, quiet};
use crate::ground::{Ground, everywhere};
use crate::log::pattern;
use ropewalk::{SocketOption, Transport};
use std::time::Duration;

/// More than the system's buffers hold, when they are small.
const MUCH: usize = 1_000_000;

fn make_buffers_small(transport: &mut Transport<'_>) {
    transport.set_option(SocketOption::SendBuffer(50_000)).unwrap();
}

/// The server writes much to a client that does not read.
fn fill(ground: &mut Ground, act: impl Fn(&mut Transport<'_>) + Clone + 'static) {
    let address =
        ground.listen("server", move |transport: &mut Transport<'_>, heard: Heard<'_>| {
            if let Heard::Made = heard {
                make_buffers_small(transport);
                act(transport);
                transport.write(&pattern(MUCH));
            } else {
                quiet(transport, heard);
            }
        });
    ground.connect("client", address, pause_when_made);
    ground.until("both there", |log| log.made("client") && log.made("server"));
    ground.settle();
}

#[test]
fn who_writes_too_fast_is_told_to_pause_and_to_resume_once_each() {
    let expected = &[
        "client: made, reading resumed, 1000000 bytes, lost: closed by us",
        "server: made, pause writing, resume writing, eof, lost: closed by the peer",
    ];
    everywhere(expected, |ground| {
        fill(ground, |_| {});
        ground.with("client", |context, id| context.transport(id).resume());
        ground.until("all there", |log| log.bytes("client") == MUCH);
        ground.settle();
        ground.with("client", |context, id| context.close(id));
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn each_burst_has_its_pause_and_its_resumption() {
    let expected = &[
        "client: made, 3000000 bytes",
        "server: made, pause writing, resume writing, pause writing, resume writing, \
         pause writing, resume writing",
    ];
    everywhere(expected, |ground| {
        let mut bursts = 0;
        let address = ground.listen("server", move |transport, heard| {
            if let Heard::Made = heard {
                make_buffers_small(transport);
            }
            if let Heard::Made | Heard::ResumeWriting = heard
                && bursts < 3
            {
                let begin = bursts * MUCH;
                bursts += 1;
                transport.write(&pattern(bursts * MUCH)[begin..]);
            }
        });
        ground.connect("client", address, quiet);
        ground.until("all there", |log| log.bytes("client") == 3 * MUCH);
    });
}

#[test]
fn beyond_the_write_limit_the_connection_ends() {
    let expected = &[
        "client: made, eof noticed, lost: reset by the peer",
        "server: made, pause writing, lost: too much queued data",
    ];
    everywhere(expected, |ground| {
        fill(ground, |transport| transport.set_write_limit(100_000));
        ground.with("server", |context, id| context.transport(id).write(b"one more"));
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn who_is_lost_while_writing_is_paused_is_told_to_resume_first() {
    let expected = &[
        "client: made, lost: aborted by us",
        "server: made, pause writing, resume writing, lost: reset by the peer",
    ];
    everywhere(expected, |ground| {
        fill(ground, |_| {});
        ground.with("client", |context, id| context.abort(id));
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_close_that_nobody_takes_ends_in_time() {
    let expected = &[
        "client: made, eof noticed, lost: reset by the peer",
        "server: made, pause writing, lost: closed by us, and the peer did not take the queued data in time",
    ];
    everywhere(expected, |ground| {
        fill(ground, |_| {});
        ground.with("server", |context, id| {
            context.transport(id).close_within(Duration::from_millis(30))
        });
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn nothing_is_lost_when_both_write_much_at_once() {
    let expected = &[
        "client: made, 1000000 bytes, eof, lost: closed by the peer",
        "server: made, 1000000 bytes, lost: closed by us",
    ];
    everywhere(expected, |ground| {
        let writer = |transport: &mut Transport<'_>, heard: Heard<'_>| {
            if let Heard::Made = heard {
                transport.set_write_buffer_limits(100_000_000, 0);
                transport.write(&pattern(1_000_000));
            }
            quiet(transport, heard);
        };
        let address = ground.listen("server", writer);
        ground.connect("client", address, writer);
        let all = 1_000_000;
        ground.until("all there", |log| log.bytes("client") == all && log.bytes("server") == all);
        ground.settle();
        ground.with("server", |context, id| context.close(id));
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn one_that_pauses_after_each_piece_has_them_all() {
    let expected = &[
        "client: made, lost: closed by us",
        "server: made, reading resumed, 1000000 bytes, eof, lost: closed by the peer",
    ];
    everywhere(expected, |ground| {
        let log = ground.log();
        let address = ground.listen("server", pause_when_made);
        ground.connect("client", address, |transport, heard| {
            if let Heard::Made = heard {
                transport.set_write_buffer_limits(100_000_000, 0);
                transport.write(&pattern(1_000_000));
            }
        });
        ground.until("there", |log| log.made("server"));
        while log.bytes("server") < 1_000_000 {
            let before = log.bytes("server");
            ground.with("server", |context, id| context.transport(id).resume());
            ground.until("more", |log| log.bytes("server") > before);
            ground.with("server", |context, id| context.transport(id).pause());
            ground.settle();
        }
        ground.with("client", |context, id| context.close(id));
        ground.with("server", |context, id| context.transport(id).resume());
        ground.until_lost(&["client", "server"]);
    });
}
