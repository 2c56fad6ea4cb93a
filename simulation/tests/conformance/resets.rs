//! Resets, and what is written to those who are gone.

use crate::actors::{Heard, echo, idle, pause_when_made, quiet};
use crate::ground::{Ground, Server, apart, everywhere};
use crate::log::pattern;
use ropewalk::Transport;

/// Both are there and have spoken.
fn meet(
    ground: &mut Ground,
    server: fn(&mut Transport<'_>, Heard<'_>),
    client: fn(&mut Transport<'_>, Heard<'_>),
) {
    let address = ground.listen("server", server);
    ground.connect("client", address, client);
    ground.until("both there", |log| log.made("server") && log.made("client"));
    ground.settle();
}

#[test]
fn an_abort_is_a_reset_to_the_peer() {
    let expected = &["client: made, lost: aborted by us", "server: made, lost: reset by the peer"];
    everywhere(expected, |ground| {
        meet(ground, quiet, quiet);
        ground.with("client", |context, id| context.abort(id));
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_paused_peer_hears_of_a_reset_at_once() {
    let expected = &[
        "client: made, lost: aborted by us",
        "server: made, eof noticed, lost: reset by the peer",
    ];
    everywhere(expected, |ground| {
        meet(ground, pause_when_made, quiet);
        ground.with("client", |context, id| context.abort(id));
        ground.until_lost(&["client", "server"]);
    });
}

/// Linux throws nothing away that has arrived before a reset; but whoever pauses never reads it.
#[test]
fn a_paused_peer_loses_what_came_before_a_reset() {
    let expected = &[
        "client: made, lost: aborted by us",
        "server: made, eof noticed, lost: reset by the peer",
    ];
    everywhere(expected, |ground| {
        meet(ground, pause_when_made, quiet);
        ground.with("client", |context, id| context.transport(id).write(b"unheard"));
        ground.settle();
        ground.with("client", |context, id| context.abort(id));
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn what_arrived_before_a_reset_is_read() {
    let expected = &[
        "client: made, lost: aborted by us",
        "server: made, \"last words\", lost: reset by the peer",
    ];
    apart(expected, |ground| {
        meet(ground, quiet, quiet);
        ground.hold(Server);
        ground.with("client", |context, id| context.transport(id).write(b"last words"));
        ground.settle();
        ground.with("client", |context, id| context.abort(id));
        ground.until_lost(&["client"]);
        ground.release();
        ground.until_lost(&["server"]);
    });
}

#[test]
fn an_abort_with_megabytes_waiting_drops_them() {
    let expected = &[
        "client: made, eof noticed, lost: reset by the peer",
        "server: made, pause writing, lost: aborted by us",
    ];
    everywhere(expected, |ground| {
        meet(ground, idle, pause_when_made);
        ground.with("server", |context, id| context.transport(id).write(&pattern(5_000_000)));
        ground.until("full", |log| log.has("server", "pause"));
        ground.settle();
        ground.with("server", |context, id| context.abort(id));
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_write_to_one_who_has_reset_is_a_reset() {
    let expected = &["client: made, lost: aborted by us", "server: made, lost: reset by the peer"];
    apart(expected, |ground| {
        meet(ground, quiet, quiet);
        ground.hold(Server);
        ground.with("client", |context, id| context.abort(id));
        ground.until_lost(&["client"]);
        ground.settle();
        ground.with("server", |context, id| context.transport(id).write(b"too late"));
        ground.release();
        ground.until_lost(&["server"]);
    });
}

/// The system of one who has closed for good answers with a reset.
#[test]
fn a_write_to_one_who_has_closed_both_ways_is_answered_with_a_reset() {
    let expected =
        &["client: made, lost: aborted by us", "server: made, eof, lost: reset by the peer"];
    everywhere(expected, |ground| {
        meet(ground, idle, quiet);
        ground.with("client", |context, id| context.transport(id).write_eof());
        ground.until("ended", |log| log.has("server", "eof"));
        ground.with("client", |context, id| context.abort(id));
        ground.until_lost(&["client"]);
        ground.settle();
        ground.with("server", |context, id| context.transport(id).write(b"anybody there?"));
        ground.until_lost(&["server"]);
    });
}

/// After the peer's end a reset is told only to those who write: `send` says EPIPE, and nothing to read is
/// an end as before.
#[test]
fn a_reset_after_the_end_is_met_by_the_next_write() {
    let expected =
        &["client: made, lost: aborted by us", "server: made, eof, lost: reset by the peer"];
    everywhere(expected, |ground| {
        meet(ground, idle, quiet);
        ground.with("client", |context, id| context.transport(id).write_eof());
        ground.until("ended", |log| log.has("server", "eof"));
        ground.with("client", |context, id| context.abort(id));
        ground.until_lost(&["client", "server"]);
    });
}

/// One that has closed lingers for a while, and takes what still comes.
#[test]
fn a_write_to_one_who_has_closed_in_order_goes_nowhere_at_first() {
    let expected =
        &["client: made, lost: closed by us", "server: made, eof, lost: closed by the peer"];
    everywhere(expected, |ground| {
        meet(ground, idle, quiet);
        ground.with("client", |context, id| context.close(id));
        ground.until("ended", |log| log.has("server", "eof"));
        ground.with("server", |context, id| context.transport(id).write(b"anybody there?"));
        ground.settle();
        ground.with("server", |context, id| context.close(id));
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_reset_while_both_write_is_one_to_both() {
    let expected = &[
        "client: made, 1000 bytes, lost: reset by the peer",
        "server: made, 1000 bytes, lost: aborted by us",
    ];
    everywhere(expected, |ground| {
        meet(ground, idle, idle);
        ground.with("client", |context, id| context.transport(id).write(&pattern(1000)));
        ground.with("server", |context, id| context.transport(id).write(&pattern(1000)));
        ground.until("heard", |log| log.bytes("client") + log.bytes("server") == 2000);
        ground.with("server", |context, id| context.abort(id));
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn an_echo_to_one_who_is_gone_ends_with_a_reset() {
    let expected =
        &["client: made, lost: aborted by us", "server: made, \"hello\", lost: reset by the peer"];
    apart(expected, |ground| {
        meet(ground, echo, idle);
        ground.hold(Server);
        ground.with("client", |context, id| context.transport(id).write(b"hello"));
        ground.settle();
        ground.with("client", |context, id| context.abort(id));
        ground.until_lost(&["client"]);
        ground.release();
        ground.until_lost(&["server"]);
    });
}
