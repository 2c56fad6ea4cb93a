//! How connections end in order: by either side, by both, with bytes on their way.

use crate::actors::{Heard, echo, quiet};
use crate::ground::{Client, Ground, Server, apart, everywhere};
use crate::log::pattern;
use ropewalk::{SocketOption, Transport};
use std::time::Duration;

const MUCH: usize = 1_000_000;

/// Says something, and ends its side.
fn ask(transport: &mut Transport<'_>, heard: Heard<'_>) {
    match heard {
        Heard::Made => {
            transport.write(b"a question");
            transport.write_eof();
        }
        heard => quiet(transport, heard),
    }
}

fn close_when_made(transport: &mut Transport<'_>, heard: Heard<'_>) {
    if let Heard::Made = heard {
        transport.close();
    }
}

#[test]
fn an_echo_comes_back() {
    let expected = &[
        "client: made, \"hello\", lost: closed by us",
        "server: made, \"hello\", eof, lost: closed by the peer",
    ];
    everywhere(expected, |ground| {
        let address = ground.listen("server", echo);
        ground.connect("client", address, |transport, heard| match heard {
            Heard::Made => transport.write(b"hello"),
            Heard::Data(_) => transport.close(),
            _ => {}
        });
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_question_with_an_end_behind_it_has_its_whole_answer() {
    let expected = &[
        "client: made, 1000000 bytes, eof, lost: closed by us",
        "server: made, \"a question\", eof, lost: closed by the peer",
    ];
    everywhere(expected, |ground| {
        let address = ground.listen("server", |transport, heard| {
            if let Heard::Eof = heard {
                transport.write(&pattern(MUCH));
                transport.close();
            }
        });
        ground.connect("client", address, ask);
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn the_server_ends_its_side_and_hears_on() {
    let expected = &[
        "client: made, \"welcome\", eof, lost: closed by the peer",
        "server: made, 1000000 bytes, eof, lost: closed by us",
    ];
    everywhere(expected, |ground| {
        let address = ground.listen("server", |transport, heard| match heard {
            Heard::Made => {
                transport.write(b"welcome");
                transport.write_eof();
            }
            Heard::Eof => transport.close(),
            _ => {}
        });
        ground.connect("client", address, |transport, heard| {
            if let Heard::Eof = heard {
                transport.set_write_buffer_limits(100_000_000, 0);
                transport.write(&pattern(MUCH));
                transport.close();
            }
        });
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn both_end_their_sides_at_once() {
    let expected = &[
        "client: made, \"goodbye\", eof, lost: closed by us",
        "server: made, \"goodbye\", eof, lost: closed by us",
    ];
    everywhere(expected, |ground| {
        let farewell = |transport: &mut Transport<'_>, heard: Heard<'_>| {
            if let Heard::Made = heard {
                transport.write(b"goodbye");
                transport.write_eof();
            }
        };
        let address = ground.listen("server", farewell);
        ground.connect("client", address, farewell);
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn both_close_at_once() {
    let expected = &["client: made, lost: closed by us", "server: made, lost: closed by us"];
    everywhere(expected, |ground| {
        let address = ground.listen("server", close_when_made);
        ground.connect("client", address, close_when_made);
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_close_flushes_megabytes_to_a_slow_reader() {
    let expected = &[
        "client: made, reading resumed, 1000000 bytes, eof, lost: closed by the peer",
        "server: made, lost: closed by us",
    ];
    everywhere(expected, |ground| {
        let address = ground.listen("server", |transport, heard| {
            if let Heard::Made = heard {
                transport.set_write_buffer_limits(100_000_000, 0);
                transport.write(&pattern(MUCH));
                transport.close();
            }
        });
        ground.connect("client", address, |transport, heard| match heard {
            // Pauses end at 700,000 bytes: a paused connection notices the end as soon as it is in the system's buffer,
            // which therefore must not hold the remaining 300,000.
            Heard::Made | Heard::Data(_) if transport.counts().received < 700_000 => {
                if let Heard::Made = heard {
                    transport.set_option(SocketOption::ReceiveBuffer(50_000)).unwrap();
                }
                transport.pause();
                let id = transport.id();
                let later = Duration::from_micros(300);
                transport
                    .context()
                    .call_later(later, move |context| context.transport(id).resume());
            }
            heard => quiet(transport, heard),
        });
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_reply_arrives_though_the_question_is_not_read_to_its_end() {
    let expected = &[
        "client: made, pause writing, \"enough\", eof, lost: closed by the peer",
        "server: made, lost: closed by us",
    ];
    everywhere(expected, |ground| {
        let address = ground.listen("server", |transport, heard| {
            if let Heard::Made = heard {
                transport.pause();
            }
        });
        ground.connect("client", address, |transport, heard| match heard {
            // More than the system's buffers hold while nobody reads (tcp(7), `tcp_wmem`).
            Heard::Made => transport.write(&pattern(5_000_000)),
            heard => quiet(transport, heard),
        });
        ground.until("full", |log| log.made("server") && log.has("client", "pause"));
        ground.with("server", |context, id| {
            context.transport(id).write(b"enough");
            context.close(id);
        });
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn the_end_of_one_whose_peer_has_paused_is_noticed_and_then_heard() {
    let expected = &[
        "client: made, eof, lost: closed by us",
        "server: made, eof noticed, reading resumed, \"goodbye\", eof, lost: closed by the peer",
    ];
    everywhere(expected, |ground| {
        let address = ground.listen("server", |transport, heard| match heard {
            Heard::Made => transport.pause(),
            heard => quiet(transport, heard),
        });
        ground.connect("client", address, |transport, heard| {
            if let Heard::Made = heard {
                transport.write(b"goodbye");
                transport.write_eof();
            }
        });
        ground.until("noticed", |log| log.has("server", "eof noticed"));
        ground.settle();
        ground.with("server", |context, id| context.transport(id).resume());
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn data_and_the_end_that_come_together_are_both_heard() {
    let expected = &[
        "client: made, lost: closed by us",
        "server: made, \"all of it\", eof, lost: closed by the peer",
    ];
    apart(expected, |ground| {
        let address = ground.listen("server", quiet);
        ground.connect("client", address, quiet);
        ground.until("both there", |log| log.made("client") && log.made("server"));
        ground.settle();
        ground.hold(Server);
        ground.with("client", |context, id| {
            context.transport(id).write(b"all of it");
            context.close(id);
        });
        ground.until_lost(&["client"]);
        ground.release();
        ground.until_lost(&["server"]);
    });
}

#[test]
fn who_connects_and_closes_at_once_is_heard_to_come_and_go() {
    let expected = &[
        "client: failed: ConnectionAborted, the attempt was given up",
        "server: made, eof, lost: closed by the peer",
    ];
    apart(expected, |ground| {
        let address = ground.listen("server", quiet);
        ground.hold(Client);
        let client = ground.connect("client", address, quiet);
        // On the loopback it is connected by now; it has not been told.
        ground.settle();
        ground.at(Client).close(client);
        ground.release();
        ground.until("both told", |log| log.has("client", "failed") && log.lost("server"));
    });
}

/// Loopback is too fast for this: the server's system has answered before anybody can give up. It forgets
/// one who resets before he has heard the answer (RFC 9293, section 3.10.7.4, SYN-RECEIVED).
#[test]
fn who_gives_up_before_there_is_an_answer_is_not_heard_of() {
    let mut ground = Ground::simulated(2);
    let address = ground.listen("server", quiet);
    let client = ground.connect("client", address, quiet);
    ground.at(Client).close(client);
    ground.settle();
    let expected = ["client: failed: ConnectionAborted, the attempt was given up"];
    assert_eq!(ground.log().lines(), expected);
}

#[test]
fn what_is_written_after_our_own_end_goes_nowhere() {
    let expected = &[
        "client: made, eof, lost: closed by us",
        "server: made, \"before\", eof, lost: closed by the peer",
    ];
    everywhere(expected, |ground| {
        let address = ground.listen("server", quiet);
        ground.connect("client", address, |transport, heard| {
            if let Heard::Made = heard {
                transport.write(b"before");
                transport.write_eof();
                transport.write(b"after");
            }
        });
        ground.until_lost(&["client", "server"]);
    });
}
