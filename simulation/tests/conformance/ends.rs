//! Graceful ends of connections: by either side or both, with data in flight.

use crate::actors::{Event, echo, quiet};
use crate::environment::{Client, Environment, Server, run_everywhere, run_with_two_reactors};
use crate::log::pattern;
use ropewalk::{SocketOption, Transport};
use std::time::Duration;

const MUCH: usize = 1_000_000;

/// Sends data, and ends its side.
fn ask(transport: &mut Transport<'_>, event: Event<'_>) {
    match event {
        Event::Made => {
            transport.write(b"a question");
            transport.write_eof();
        }
        event => quiet(transport, event),
    }
}

fn close_when_made(transport: &mut Transport<'_>, event: Event<'_>) {
    if let Event::Made = event {
        transport.close();
    }
}

#[test]
fn an_echo_is_received() {
    let expected = &[
        "client: made, \"hello\", lost: closed by us",
        "server: made, \"hello\", eof, lost: closed by the peer",
    ];
    run_everywhere(expected, |environment| {
        let address = environment.listen("server", echo);
        environment.connect("client", address, |transport, event| match event {
            Event::Made => transport.write(b"hello"),
            Event::Data(_) => transport.close(),
            _ => {}
        });
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_half_closed_request_receives_the_answer() {
    let expected = &[
        "client: made, 1000000 bytes, eof, lost: closed by us",
        "server: made, \"a question\", eof, lost: closed by the peer",
    ];
    run_everywhere(expected, |environment| {
        let address = environment.listen("server", |transport, event| {
            if let Event::Eof = event {
                transport.write(&pattern(MUCH));
                transport.close();
            }
        });
        environment.connect("client", address, ask);
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_half_closed_server_still_receives() {
    let expected = &[
        "client: made, \"welcome\", eof, lost: closed by the peer",
        "server: made, 1000000 bytes, eof, lost: closed by us",
    ];
    run_everywhere(expected, |environment| {
        let address = environment.listen("server", |transport, event| match event {
            Event::Made => {
                transport.write(b"welcome");
                transport.write_eof();
            }
            Event::Eof => transport.close(),
            _ => {}
        });
        environment.connect("client", address, |transport, event| {
            if let Event::Eof = event {
                transport.set_write_buffer_limits(100_000_000, 0);
                transport.write(&pattern(MUCH));
                transport.close();
            }
        });
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn both_sides_can_half_close_simultaneously() {
    let expected = &[
        "client: made, \"goodbye\", eof, lost: closed by us",
        "server: made, \"goodbye\", eof, lost: closed by us",
    ];
    run_everywhere(expected, |environment| {
        let farewell = |transport: &mut Transport<'_>, event: Event<'_>| {
            if let Event::Made = event {
                transport.write(b"goodbye");
                transport.write_eof();
            }
        };
        let address = environment.listen("server", farewell);
        environment.connect("client", address, farewell);
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn both_sides_can_close_simultaneously() {
    let expected = &["client: made, lost: closed by us", "server: made, lost: closed by us"];
    run_everywhere(expected, |environment| {
        let address = environment.listen("server", close_when_made);
        environment.connect("client", address, close_when_made);
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_close_sends_megabytes_to_slow_readers() {
    let expected = &[
        "client: made, reading resumed, 1000000 bytes, eof, lost: closed by the peer",
        "server: made, lost: closed by us",
    ];
    run_everywhere(expected, |environment| {
        let address = environment.listen("server", |transport, event| {
            if let Event::Made = event {
                transport.set_write_buffer_limits(100_000_000, 0);
                transport.write(&pattern(MUCH));
                transport.close();
            }
        });
        environment.connect("client", address, |transport, event| match event {
            // The pauses end at 700,000 bytes. A paused connection notices the end as soon as it is in the
            // system's buffer, which must not hold the remaining 300,000 bytes.
            Event::Made | Event::Data(_) if transport.counts().received < 700_000 => {
                if let Event::Made = event {
                    transport.set_option(SocketOption::ReceiveBuffer(50_000)).unwrap();
                }
                transport.pause();
                let id = transport.id();
                let later = Duration::from_micros(300);
                transport
                    .context()
                    .call_later(later, move |context| context.transport(id).resume());
            }
            event => quiet(transport, event),
        });
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_reply_arrives_before_the_whole_request() {
    let expected = &[
        "client: made, pause writing, \"enough\", eof, lost: closed by the peer",
        "server: made, lost: closed by us",
    ];
    run_everywhere(expected, |environment| {
        let address = environment.listen("server", |transport, event| {
            if let Event::Made = event {
                transport.pause();
            }
        });
        environment.connect("client", address, |transport, event| match event {
            // More than the system's buffers hold (tcp(7), `tcp_wmem`).
            Event::Made => transport.write(&pattern(5_000_000)),
            event => quiet(transport, event),
        });
        environment.until("full", |log| log.made("server") && log.has("client", "pause"));
        environment.with("server", |context, id| {
            context.transport(id).write(b"enough");
            context.close(id);
        });
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn an_end_is_noticed_while_paused() {
    let expected = &[
        "client: made, eof, lost: closed by us",
        "server: made, eof noticed, reading resumed, \"goodbye\", eof, lost: closed by the peer",
    ];
    run_everywhere(expected, |environment| {
        let address = environment.listen("server", |transport, event| match event {
            Event::Made => transport.pause(),
            event => quiet(transport, event),
        });
        environment.connect("client", address, |transport, event| {
            if let Event::Made = event {
                transport.write(b"goodbye");
                transport.write_eof();
            }
        });
        environment.until("noticed", |log| log.has("server", "eof noticed"));
        environment.settle();
        environment.with("server", |context, id| context.transport(id).resume());
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn data_and_end_received_together_are_delivered() {
    let expected = &[
        "client: made, lost: closed by us",
        "server: made, \"all of it\", eof, lost: closed by the peer",
    ];
    run_with_two_reactors(expected, |environment| {
        let address = environment.listen("server", quiet);
        environment.connect("client", address, quiet);
        environment.until("both there", |log| log.made("client") && log.made("server"));
        environment.settle();
        environment.hold(Server);
        environment.with("client", |context, id| {
            context.transport(id).write(b"all of it");
            context.close(id);
        });
        environment.until_lost(&["client"]);
        environment.release();
        environment.until_lost(&["server"]);
    });
}

#[test]
fn an_immediate_close_is_seen_by_the_server() {
    let expected = &[
        "client: failed: ConnectionAborted, the attempt was cancelled",
        "server: made, eof, lost: closed by the peer",
    ];
    run_with_two_reactors(expected, |environment| {
        let address = environment.listen("server", quiet);
        environment.hold(Client);
        let client = environment.connect("client", address, quiet);
        // On loopback it is connected by now, but has received no callback.
        environment.settle();
        environment.at(Client).close(client);
        environment.release();
        environment.until("both notified", |log| log.has("client", "failed") && log.lost("server"));
    });
}

/// On loopback this cannot happen, since the server's system answers first. It discards an attempt that is reset
/// before the answer (RFC 9293, section 3.10.7.4, SYN-RECEIVED).
#[test]
fn an_early_cancelled_attempt_is_not_seen() {
    let mut environment = Environment::simulated(2);
    let address = environment.listen("server", quiet);
    let client = environment.connect("client", address, quiet);
    environment.at(Client).close(client);
    environment.settle();
    let expected = ["client: failed: ConnectionAborted, the attempt was cancelled"];
    assert_eq!(environment.log().lines(), expected);
}

#[test]
fn writes_after_a_half_close_are_dropped() {
    let expected = &[
        "client: made, eof, lost: closed by us",
        "server: made, \"before\", eof, lost: closed by the peer",
    ];
    run_everywhere(expected, |environment| {
        let address = environment.listen("server", quiet);
        environment.connect("client", address, |transport, event| {
            if let Event::Made = event {
                transport.write(b"before");
                transport.write_eof();
                transport.write(b"after");
            }
        });
        environment.until_lost(&["client", "server"]);
    });
}
