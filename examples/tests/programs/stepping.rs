//! The program `step`, driven by scripts.

use crate::scene::*;
use std::fs;

/// Returns what the program prints for a script.
fn play(name: &str, arguments: &[&str], script: &str) -> String {
    let path = std::env::temp_dir().join(format!("ropewalk-{name}-{}", std::process::id()));
    fs::write(&path, script).unwrap();
    let arguments = [arguments, &["127.0.0.1:0", "--script", path.to_str().unwrap()]].concat();
    let end = run("step", &arguments);
    fs::remove_file(&path).unwrap();
    assert_eq!((end.code, &*end.errors), (Some(0), ""), "{}", end.output);
    end.output
}

/// Checks that the texts occur in this order.
fn assert_order(output: &str, texts: &[&str]) {
    let mut rest = output;
    for text in texts {
        rest = rest.split_once(text).unwrap_or_else(|| panic!("no `{text}` in {rest}")).1;
    }
}

#[test]
fn step_shows_an_echo_event_by_event() {
    let script = "connect\n\n\nsend 1 hello\nuntil data_received\nread 1\nend 1\n\
                  until connection_lost\nread 1\nquit\n";
    let output = play("step-echo", &[], script);
    assert_order(
        &output,
        &[
            "client 1 is connected",
            "the poll returned 1 event",
            "accept done",
            "connection   #1.1",
            "client 1 has sent 6 bytes",
            "recv 6 bytes",
            "data_received 6 bytes",
            "send 6 bytes",
            "received 6, sent 6, queued 0",
            "client 1 has received \"hello\\n\"",
            "eof_received",
            "lost: ClosedByPeer",
            "connections  none",
            "and the end of the stream",
        ],
    );
}

#[test]
fn step_fires_a_timer_of_the_chat_early() {
    let output = play(
        "step-chat",
        &["--chat"],
        "connect\nuntil connection_made\nturn\nfire 9999\nnonsense\n",
    );
    assert_order(
        &output,
        &["connection_made", "due in", "there is no timer 9999", "`nonsense` is no command"],
    );
    let (_, timer) = output.split_once("\ntimer ").expect("the time to give a name is limited");
    let number = timer.split_whitespace().next().unwrap();
    let script =
        format!("connect\nuntil connection_made\nturn\nfire {number}\nuntil timer_fired\n");
    assert_order(&play("step-timer", &["--chat"], &script), &["is due now", "timer_fired"]);
}
