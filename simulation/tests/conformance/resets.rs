//! Resets, and writes to closed connections.

use crate::actors::{Event, echo, idle, pause_when_made, quiet};
use crate::environment::{Environment, Server, run_everywhere, run_with_two_reactors};
use crate::log::pattern;
use ropewalk::Transport;

/// Connects both sides, which have exchanged data.
fn meet(
    environment: &mut Environment,
    server: fn(&mut Transport<'_>, Event<'_>),
    client: fn(&mut Transport<'_>, Event<'_>),
) {
    let address = environment.listen("server", server);
    environment.connect("client", address, client);
    environment.until("both there", |log| log.made("server") && log.made("client"));
    environment.settle();
}

#[test]
fn an_abort_resets_the_peer() {
    let expected = &["client: made, lost: aborted by us", "server: made, lost: reset by the peer"];
    run_everywhere(expected, |environment| {
        meet(environment, quiet, quiet);
        environment.with("client", |context, id| context.abort(id));
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_paused_peer_notices_a_reset_immediately() {
    let expected = &[
        "client: made, lost: aborted by us",
        "server: made, eof noticed, lost: reset by the peer",
    ];
    run_everywhere(expected, |environment| {
        meet(environment, pause_when_made, quiet);
        environment.with("client", |context, id| context.abort(id));
        environment.until_lost(&["client", "server"]);
    });
}

/// Linux keeps data that arrived before a reset, but a paused connection never reads it.
#[test]
fn a_paused_peer_loses_data_before_a_reset() {
    let expected = &[
        "client: made, lost: aborted by us",
        "server: made, eof noticed, lost: reset by the peer",
    ];
    run_everywhere(expected, |environment| {
        meet(environment, pause_when_made, quiet);
        environment.with("client", |context, id| context.transport(id).write(b"unheard"));
        environment.settle();
        environment.with("client", |context, id| context.abort(id));
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn data_before_a_reset_is_read() {
    let expected = &[
        "client: made, lost: aborted by us",
        "server: made, \"last words\", lost: reset by the peer",
    ];
    run_with_two_reactors(expected, |environment| {
        meet(environment, quiet, quiet);
        environment.hold(Server);
        environment.with("client", |context, id| context.transport(id).write(b"last words"));
        environment.settle();
        environment.with("client", |context, id| context.abort(id));
        environment.until_lost(&["client"]);
        environment.release();
        environment.until_lost(&["server"]);
    });
}

#[test]
fn an_abort_drops_queued_megabytes() {
    let expected = &[
        "client: made, eof noticed, lost: reset by the peer",
        "server: made, pause writing, lost: aborted by us",
    ];
    run_everywhere(expected, |environment| {
        meet(environment, idle, pause_when_made);
        environment.with("server", |context, id| context.transport(id).write(&pattern(5_000_000)));
        environment.until("full", |log| log.has("server", "pause"));
        environment.settle();
        environment.with("server", |context, id| context.abort(id));
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_write_after_the_peers_reset_fails() {
    let expected = &["client: made, lost: aborted by us", "server: made, lost: reset by the peer"];
    run_with_two_reactors(expected, |environment| {
        meet(environment, quiet, quiet);
        environment.hold(Server);
        environment.with("client", |context, id| context.abort(id));
        environment.until_lost(&["client"]);
        environment.settle();
        environment.with("server", |context, id| context.transport(id).write(b"too late"));
        environment.release();
        environment.until_lost(&["server"]);
    });
}

/// The system of a fully closed socket answers with a reset.
#[test]
fn a_write_to_a_closed_socket_is_reset() {
    let expected =
        &["client: made, lost: aborted by us", "server: made, eof, lost: reset by the peer"];
    run_everywhere(expected, |environment| {
        meet(environment, idle, quiet);
        environment.with("client", |context, id| context.transport(id).write_eof());
        environment.until("ended", |log| log.has("server", "eof"));
        environment.with("client", |context, id| context.abort(id));
        environment.until_lost(&["client"]);
        environment.settle();
        environment.with("server", |context, id| context.transport(id).write(b"anybody there?"));
        environment.until_lost(&["server"]);
    });
}

/// After the peer's end, a reset is noticed by writes only: `send` returns EPIPE, and reads return end of stream
/// as before.
#[test]
fn a_reset_after_the_end_fails_writes() {
    let expected =
        &["client: made, lost: aborted by us", "server: made, eof, lost: reset by the peer"];
    run_everywhere(expected, |environment| {
        meet(environment, idle, quiet);
        environment.with("client", |context, id| context.transport(id).write_eof());
        environment.until("ended", |log| log.has("server", "eof"));
        environment.with("client", |context, id| context.abort(id));
        environment.until_lost(&["client", "server"]);
    });
}

/// A gracefully closed socket lingers for a while, and reads what still arrives.
#[test]
fn a_write_to_a_lingering_socket_is_discarded() {
    let expected =
        &["client: made, lost: closed by us", "server: made, eof, lost: closed by the peer"];
    run_everywhere(expected, |environment| {
        meet(environment, idle, quiet);
        environment.with("client", |context, id| context.close(id));
        environment.until("ended", |log| log.has("server", "eof"));
        environment.with("server", |context, id| context.transport(id).write(b"anybody there?"));
        environment.settle();
        environment.with("server", |context, id| context.close(id));
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_reset_while_both_write_ends_both() {
    let expected = &[
        "client: made, 1000 bytes, lost: reset by the peer",
        "server: made, 1000 bytes, lost: aborted by us",
    ];
    run_everywhere(expected, |environment| {
        meet(environment, idle, idle);
        environment.with("client", |context, id| context.transport(id).write(&pattern(1000)));
        environment.with("server", |context, id| context.transport(id).write(&pattern(1000)));
        environment.until("received", |log| log.bytes("client") + log.bytes("server") == 2000);
        environment.with("server", |context, id| context.abort(id));
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn an_echo_to_a_closed_peer_is_reset() {
    let expected =
        &["client: made, lost: aborted by us", "server: made, \"hello\", lost: reset by the peer"];
    run_with_two_reactors(expected, |environment| {
        meet(environment, echo, idle);
        environment.hold(Server);
        environment.with("client", |context, id| context.transport(id).write(b"hello"));
        environment.settle();
        environment.with("client", |context, id| context.abort(id));
        environment.until_lost(&["client"]);
        environment.release();
        environment.until_lost(&["server"]);
    });
}
