//! Every exhibit: the broken form has the fault that it announces, and the cured form does not.
//!
//! One test runs them all, one after the other: one of them lowers the limit of open files of the process.

use ropewalk_gallery::{EXHIBITS, Exhibit, Form, Shown};

/// Name, words of the broken form's verdict, and words of a decisive line of either form.
const EXPECTED: &[(&str, &str, &str, &str)] = &[
    ("edge_not_drained", "4096 of 40000 bytes", "recv 4096 bytes", "recv 40000 bytes"),
    ("eperm_on_file", "0 of", "epoll_ctl failed", "recv end of stream"),
    ("id_reused", "closed by the event of another", "closes what is in slot 1", "ended"),
    ("accept_not_looped", "1 of 3 clients", "accept done", "accept would block"),
    ("emfile_spin", "1000 attempts", "accept failed", "a backoff ends"),
    ("partial_write", "of 16000000 bytes arrived", "closed", "closing"),
    ("unbounded_send_buffer", "were queued", "recv", "pause_writing"),
    ("hang_up_with_data", "0 of 10000 bytes", "closed", "recv 10000 bytes"),
    ("half_close_is_close", "0 of 9 bytes", "lost: ClosedByPeer", "send 9 bytes"),
    ("rst_eats_reply", "then an error", "closed with unread input", "shutdown done"),
    ("cancelled_timers_leak", "10000 cancelled", "until the next timer", "until a given limit"),
    ("cancelled_sibling_fires", "fired: true", "timer 1 fired", "timer 0 fired"),
    ("zero_delay_timer", "after 10000 timers", "recv", "recv"),
    ("rounded_wait", "turns for 5 timers", "waits up to 0ns", "until the next timer"),
    ("clock_jumps", "has 35", "waits up to 3", "timer 0 fired"),
    ("lost_wake_up", "during the whole wait", "sees no sleeper", "woken by a thread"),
    ("channel_starves_sockets", "after 10000 messages", "recv", "recv"),
    ("blocking_callback", "after the slow work", "ms", "job_done"),
    ("borrowed_twice", "0 of 2 members", "PANIC in data_received", "send 6 bytes"),
];

#[test]
fn each_fault_does_harm_until_it_is_cured() {
    for (exhibit, expected) in EXHIBITS.iter().zip(EXPECTED) {
        let (name, verdict, broken_line, cured_line) = *expected;
        assert_eq!(exhibit.name, name, "a row for each exhibit, in the same order");
        let broken = run(exhibit, Form::Broken);
        assert!(broken.is_faulty, "{name} has no fault:\n{broken}");
        assert!(broken.verdict.contains(verdict), "{name}: {}", broken.verdict);
        assert_decisive(name, &broken, broken_line);
        let cured = run(exhibit, Form::Cured);
        assert!(!cured.is_faulty, "{name} is not cured:\n{cured}");
        assert_decisive(name, &cured, cured_line);
    }
    assert_eq!(EXHIBITS.len(), EXPECTED.len());
}

fn run(exhibit: &Exhibit, form: Form) -> Shown {
    exhibit.run(form).unwrap_or_else(|error| panic!("{} {}: {error}", exhibit.name, form.name()))
}

#[track_caller]
fn assert_decisive(name: &str, shown: &Shown, words: &str) {
    let is_marked = shown.lines.iter().any(|line| line.is_decisive && line.text.contains(words));
    assert!(is_marked, "{name} marks no line with '{words}':\n{shown}");
}
