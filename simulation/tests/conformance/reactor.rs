//! The reactor's timers, calls from other threads, and stops.

use crate::actors::{Event, quiet, silent};
use crate::environment::{Server, run_everywhere, run_with_two_reactors};
use crate::log::pattern;
use ropewalk::RunPhase;
use std::thread;
use std::time::Duration;

const MUCH: usize = 2_000_000;

#[test]
fn timers_fire_in_order() {
    let expected = &["timers: 1, 2, 3, 3 again, 4 at last"];
    run_everywhere(expected, |environment| {
        for (delay, name) in [(3, "3"), (1, "1"), (2, "2"), (3, "3 again")] {
            let log = environment.log();
            let delay = Duration::from_millis(delay);
            environment.at(Server).call_later(delay, move |_| log.note("timers", name));
        }
        let (log, late) = (environment.log(), Duration::from_millis(2));
        let cancelled =
            environment.at(Server).call_later(late, move |_| log.note("timers", "cancelled"));
        assert!(environment.at(Server).cancel(cancelled));
        let log = environment.log();
        let again =
            environment.at(Server).call_later(late, move |_| log.note("timers", "4 at last"));
        assert!(environment.at(Server).reset(again, Duration::from_millis(4)));
        environment.until("all", |log| log.has("timers", "4"));
    });
}

#[test]
fn a_zero_timer_fires_in_the_next_turn() {
    let expected = &["timers: first, second, from the first"];
    run_everywhere(expected, |environment| {
        let log = environment.log();
        environment.at(Server).call_later(Duration::ZERO, move |context| {
            log.note("timers", "first");
            context.call_later(Duration::ZERO, move |_| log.note("timers", "from the first"));
        });
        let log = environment.log();
        environment.at(Server).call_later(Duration::ZERO, move |_| log.note("timers", "second"));
        environment.until("all", |log| log.has("timers", "from"));
    });
}

#[test]
fn calls_from_another_thread_are_made_in_order() {
    let expected = &["server: 0, 1, 2, 3, 4"];
    run_everywhere(expected, |environment| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let handle = environment.reactor(Server).handle();
        let calls = move || {
            for number in 0..5 {
                let sender = sender.clone();
                handle.call(move |_| sender.send(number).expect("somebody listens")).unwrap();
            }
        };
        thread::spawn(calls).join().unwrap();
        let mut count = 0;
        environment.until("all", |log| {
            for number in receiver.try_iter() {
                log.note("server", format!("{number}"));
                count += 1;
            }
            count == 5
        });
    });
}

#[test]
fn a_stop_sends_queued_data() {
    let expected = &[
        "client: made, 2000000 bytes, eof, lost: closed by the peer",
        "server: made, lost: the reactor stopped, it has ended",
    ];
    run_with_two_reactors(expected, |environment| {
        let address = environment.listen("server", |transport, event| {
            if let Event::Made = event {
                transport.set_write_buffer_limits(100_000_000, 0);
                transport.write(&pattern(MUCH));
                transport.context().stop();
            }
        });
        environment.connect("client", address, quiet);
        environment.until_lost(&["client", "server"]);
        while !environment.has_stopped(Server) {
            environment.settle();
        }
        environment.note("server", "it has ended");
    });
}

#[test]
fn a_stop_ends_all_connections() {
    let expected = &[
        "client: made, eof, lost: closed by the peer",
        "server: made, lost: the reactor stopped",
        "server receiving: started, stopped",
    ];
    run_with_two_reactors(expected, |environment| {
        let address = environment.listen("server", quiet);
        environment.bind(Server, "server receiving", silent);
        environment.connect("client", address, quiet);
        environment.until("both there", |log| log.made("client") && log.made("server"));
        environment.settle();
        environment.at(Server).stop();
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_shutdown_refuses_requests() {
    let expected = &[
        "client: made, eof, lost: closed by the peer",
        "server: made, Other, lost: the reactor stopped",
    ];
    run_with_two_reactors(expected, |environment| {
        let log = environment.log();
        RunPhase::DuringShutdown.call(environment.at(Server), move |context| {
            let refused = context.listen_tcp("127.0.0.1:0", || ropewalk_protocols::Echo);
            log.note("server", format!("{:?}", refused.unwrap_err().kind()));
        });
        let address = environment.listen("server", |transport, event| {
            if let Event::Made = event {
                transport.context().stop();
            }
        });
        environment.connect("client", address, quiet);
        environment.until_lost(&["client", "server"]);
    });
}
