//! The reactor's own: timers, calls from elsewhere, and stopping.

use crate::actors::{Heard, quiet, silent};
use crate::ground::{Server, apart, everywhere};
use crate::log::pattern;
use std::thread;
use std::time::Duration;

const MUCH: usize = 2_000_000;

#[test]
fn timers_fire_in_the_order_of_their_times_and_equal_ones_as_they_were_set() {
    let expected = &["timers: 1, 2, 3, 3 again, 4 at last"];
    everywhere(expected, |ground| {
        for (delay, name) in [(3, "3"), (1, "1"), (2, "2"), (3, "3 again")] {
            let log = ground.log();
            let delay = Duration::from_millis(delay);
            ground.at(Server).call_later(delay, move |_| log.note("timers", name));
        }
        let (log, late) = (ground.log(), Duration::from_millis(2));
        let cancelled =
            ground.at(Server).call_later(late, move |_| log.note("timers", "cancelled"));
        assert!(ground.at(Server).cancel(cancelled));
        let log = ground.log();
        let again = ground.at(Server).call_later(late, move |_| log.note("timers", "4 at last"));
        assert!(ground.at(Server).reset(again, Duration::from_millis(4)));
        ground.until("all", |log| log.has("timers", "4"));
    });
}

#[test]
fn a_timer_without_delay_waits_for_the_next_turn_and_lets_others_in() {
    let expected = &["timers: first, second, from the first"];
    everywhere(expected, |ground| {
        let log = ground.log();
        ground.at(Server).call_later(Duration::ZERO, move |context| {
            log.note("timers", "first");
            context.call_later(Duration::ZERO, move |_| log.note("timers", "from the first"));
        });
        let log = ground.log();
        ground.at(Server).call_later(Duration::ZERO, move |_| log.note("timers", "second"));
        ground.until("all", |log| log.has("timers", "from"));
    });
}

#[test]
fn calls_from_another_thread_are_made_in_order() {
    let expected = &["server: 0, 1, 2, 3, 4"];
    everywhere(expected, |ground| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let handle = ground.reactor(Server).handle();
        let calls = move || {
            for number in 0..5 {
                let sender = sender.clone();
                handle.call(move |_| sender.send(number).expect("somebody listens")).unwrap();
            }
        };
        thread::spawn(calls).join().unwrap();
        let mut count = 0;
        ground.until("all", |log| {
            for number in receiver.try_iter() {
                log.note("server", format!("{number}"));
                count += 1;
            }
            count == 5
        });
    });
}

#[test]
fn a_stop_waits_until_what_was_written_is_sent() {
    let expected = &[
        "client: made, 2000000 bytes, eof, lost: closed by the peer",
        "server: made, lost: the reactor stopped, it has ended",
    ];
    apart(expected, |ground| {
        let address = ground.listen("server", |transport, heard| {
            if let Heard::Made = heard {
                transport.set_write_buffer_limits(100_000_000, 0);
                transport.write(&pattern(MUCH));
                transport.context().stop();
            }
        });
        ground.connect("client", address, quiet);
        ground.until_lost(&["client", "server"]);
        while !ground.has_stopped(Server) {
            ground.settle();
        }
        ground.note("server", "it has ended");
    });
}

#[test]
fn a_stop_ends_everything_and_everybody_is_told() {
    let expected = &[
        "client: made, eof, lost: closed by the peer",
        "server: made, lost: the reactor stopped",
        "server receiving: started, stopped",
    ];
    apart(expected, |ground| {
        let address = ground.listen("server", quiet);
        ground.bind(Server, "server receiving", silent);
        ground.connect("client", address, quiet);
        ground.until("both there", |log| log.made("client") && log.made("server"));
        ground.settle();
        ground.at(Server).stop();
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_stopped_reactor_takes_nothing_new() {
    let expected = &[
        "client: made, eof, lost: closed by the peer",
        "server: made, Other, lost: the reactor stopped",
    ];
    apart(expected, |ground| {
        let log = ground.log();
        let address = ground.listen("server", move |transport, heard| {
            if let Heard::Made = heard {
                let context = transport.context();
                context.stop();
                let refused = context.listen_tcp("127.0.0.1:0", || ropewalk_protocols::Echo);
                log.note("server", format!("{:?}", refused.unwrap_err().kind()));
            }
        });
        ground.connect("client", address, quiet);
        ground.until_lost(&["client", "server"]);
    });
}
