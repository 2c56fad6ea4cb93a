//! Segments that are lost, and peers that are silent: what is repeated, and which side gives up.

use crate::actors::{Heard, idle, quiet};
use crate::ground::{Client, Ground, Server, apart, everywhere};
use crate::log::pattern;
use ropewalk::{Context, Id, KeepAlive, SocketOption, Transport};
use std::time::Duration;

/// More than the buffers of a connection hold, when they are small.
const MUCH: usize = 1_000_000;

fn patient_for(span: Duration) -> impl FnMut(&mut Transport<'_>, Heard<'_>) + Clone {
    move |transport, heard| match heard {
        Heard::Made => {
            transport.set_option(SocketOption::UserTimeout(Some(span))).expect("an option");
        }
        heard => quiet(transport, heard),
    }
}

/// The server has reset the connection, and the client has not heard of it.
fn reset_unheard(ground: &mut Ground) {
    ground.meet(Client, idle, quiet);
    ground.part(Client);
    ground.with("server", |context, id| context.abort(id));
    ground.until_lost(&["server"]);
    ground.settle();
    ground.heal();
    ground.settle();
}

/// The client learns of a reset that was lost as soon as it sends something.
fn is_repeated(sends: fn(&mut Context, Id)) {
    let expected = &["client: made, lost: reset by the peer", "server: made, lost: aborted by us"];
    apart(expected, |ground| {
        reset_unheard(ground);
        ground.with("client", sends);
        ground.until_lost(&["client"]);
    });
}

#[test]
fn a_reset_that_was_lost_is_repeated_to_a_client_that_writes() {
    is_repeated(|context, id| context.transport(id).write(b"anybody there?"));
}

#[test]
fn a_reset_that_was_lost_is_repeated_to_a_client_that_ends_its_side() {
    is_repeated(|context, id| context.transport(id).write_eof());
}

#[test]
fn a_user_timeout_ends_a_connection_whose_bytes_get_no_answer() {
    let expected = &["client: made, lost: timed out", "server: made, lost: reset by the peer"];
    apart(expected, |ground| {
        ground.meet(Server, quiet, patient_for(Duration::from_millis(300)));
        ground.part(Server);
        ground.with("client", |context, id| context.transport(id).write(b"unheard"));
        ground.until_lost(&["client"]);
        ground.heal();
        ground.settle();
        ground.with("server", |context, id| context.transport(id).write(b"anybody there?"));
        ground.until_lost(&["server"]);
    });
}

#[test]
fn what_was_lost_for_a_while_is_repeated_within_the_user_timeout() {
    let expected = &["client: made", "server: made, \"late\""];
    apart(expected, |ground| {
        ground.meet(Server, quiet, patient_for(Duration::from_secs(20)));
        ground.part(Server);
        ground.with("client", |context, id| context.transport(id).write(b"late"));
        ground.settle();
        ground.heal();
        ground.until("repeated", |log| log.bytes("server") == 4);
    });
}

#[test]
fn a_user_timeout_holds_where_the_peer_answers_and_has_no_room() {
    let expected = &["client: made, lost: reset by the peer", "server: made, lost: timed out"];
    everywhere(expected, |ground| {
        let address = ground.listen("server", |transport: &mut Transport<'_>, heard: Heard<'_>| {
            if let Heard::Made = heard {
                let timeout = SocketOption::UserTimeout(Some(Duration::from_millis(300)));
                transport.set_option(timeout).expect("an option");
                transport.set_write_buffer_limits(100_000_000, 0);
                transport.set_option(SocketOption::SendBuffer(50_000)).expect("an option");
                transport.write(&pattern(MUCH));
            }
        });
        ground.connect("client", address, |transport, heard| match heard {
            Heard::Made => transport.pause(),
            heard => quiet(transport, heard),
        });
        ground.until_lost(&["server"]);
        // When it reads, its system says that there is room, and is answered with a reset.
        ground.with("client", |context, id| context.transport(id).resume());
        ground.until_lost(&["client"]);
        // How much had arrived is left to the buffers.
        let heard = ground.log().take("client");
        ground.note("client", "made");
        ground.note("client", heard.last().expect("a loss"));
    });
}

#[test]
fn a_keep_alive_that_gives_up_resets_the_connection() {
    let expected = &["client: made, lost: timed out", "server: made, lost: reset by the peer"];
    let second = Duration::from_secs(1);
    let keep_alive = KeepAlive { idle: second, interval: second, count: 1 };
    apart(expected, |ground| {
        ground.meet(Client, quiet, move |transport: &mut Transport<'_>, heard: Heard<'_>| {
            match heard {
                Heard::Made => {
                    let keep_alive = SocketOption::KeepAlive(Some(keep_alive));
                    transport.set_option(keep_alive).expect("an option");
                }
                heard => quiet(transport, heard),
            }
        });
        ground.part(Client);
        ground.until_lost(&["client", "server"]);
    });
}
