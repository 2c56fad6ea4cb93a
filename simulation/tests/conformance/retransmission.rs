//! Lost segments and silent peers: retransmission, and which side gives up.

use crate::actors::{Event, idle, quiet};
use crate::environment::{Client, Environment, Server, run_everywhere, run_with_two_reactors};
use crate::log::pattern;
use ropewalk::{Context, Id, KeepAlive, SocketOption, Transport};
use std::time::Duration;

/// More than the buffers of a connection hold, if they are small.
const MUCH: usize = 1_000_000;

fn patient_for(span: Duration) -> impl FnMut(&mut Transport<'_>, Event<'_>) + Clone {
    move |transport, event| match event {
        Event::Made => {
            transport.set_option(SocketOption::UserTimeout(Some(span))).expect("an option");
        }
        event => quiet(transport, event),
    }
}

/// The server has reset the connection, and the reset was lost.
fn reset_unheard(environment: &mut Environment) {
    environment.meet(Client, idle, quiet);
    environment.part(Client);
    environment.with("server", |context, id| context.abort(id));
    environment.until_lost(&["server"]);
    environment.settle();
    environment.heal();
    environment.settle();
}

/// The client receives the lost reset again as soon as it sends something.
fn is_repeated(sends: fn(&mut Context, Id)) {
    let expected = &["client: made, lost: reset by the peer", "server: made, lost: aborted by us"];
    run_with_two_reactors(expected, |environment| {
        reset_unheard(environment);
        environment.with("client", sends);
        environment.until_lost(&["client"]);
    });
}

#[test]
fn a_lost_reset_is_repeated_for_a_write() {
    is_repeated(|context, id| context.transport(id).write(b"anybody there?"));
}

#[test]
fn a_lost_reset_is_repeated_for_an_end() {
    is_repeated(|context, id| context.transport(id).write_eof());
}

#[test]
fn a_user_timeout_ends_unacknowledged_connections() {
    let expected = &["client: made, lost: timed out", "server: made, lost: reset by the peer"];
    run_with_two_reactors(expected, |environment| {
        environment.meet(Server, quiet, patient_for(Duration::from_millis(300)));
        environment.part(Server);
        environment.with("client", |context, id| context.transport(id).write(b"unheard"));
        environment.until_lost(&["client"]);
        environment.heal();
        environment.settle();
        environment.with("server", |context, id| context.transport(id).write(b"anybody there?"));
        environment.until_lost(&["server"]);
    });
}

#[test]
fn lost_data_is_retransmitted_within_the_user_timeout() {
    let expected = &["client: made", "server: made, \"late\""];
    run_with_two_reactors(expected, |environment| {
        environment.meet(Server, quiet, patient_for(Duration::from_secs(20)));
        environment.part(Server);
        environment.with("client", |context, id| context.transport(id).write(b"late"));
        environment.settle();
        environment.heal();
        environment.until("repeated", |log| log.bytes("server") == 4);
    });
}

#[test]
fn a_user_timeout_applies_to_a_closed_window() {
    let expected = &["client: made, lost: reset by the peer", "server: made, lost: timed out"];
    run_everywhere(expected, |environment| {
        let address =
            environment.listen("server", |transport: &mut Transport<'_>, event: Event<'_>| {
                if let Event::Made = event {
                    let timeout = SocketOption::UserTimeout(Some(Duration::from_millis(300)));
                    transport.set_option(timeout).expect("an option");
                    transport.set_write_buffer_limits(100_000_000, 0);
                    transport.set_option(SocketOption::SendBuffer(50_000)).expect("an option");
                    transport.write(&pattern(MUCH));
                }
            });
        environment.connect("client", address, |transport, event| match event {
            Event::Made => transport.pause(),
            event => quiet(transport, event),
        });
        environment.until_lost(&["server"]);
        // When it reads, its system sends a window update, and is answered with a reset.
        environment.with("client", |context, id| context.transport(id).resume());
        environment.until_lost(&["client"]);
        // How much had arrived depends on the buffers.
        let event = environment.log().take("client");
        environment.note("client", "made");
        environment.note("client", event.last().expect("a loss"));
    });
}

#[test]
fn a_failed_keep_alive_resets_the_connection() {
    let expected = &["client: made, lost: timed out", "server: made, lost: reset by the peer"];
    let second = Duration::from_secs(1);
    let keep_alive = KeepAlive { idle: second, interval: second, count: 1 };
    run_with_two_reactors(expected, |environment| {
        environment.meet(Client, quiet, move |transport: &mut Transport<'_>, event: Event<'_>| {
            match event {
                Event::Made => {
                    let keep_alive = SocketOption::KeepAlive(Some(keep_alive));
                    transport.set_option(keep_alive).expect("an option");
                }
                event => quiet(transport, event),
            }
        });
        environment.part(Client);
        environment.until_lost(&["client", "server"]);
    });
}
