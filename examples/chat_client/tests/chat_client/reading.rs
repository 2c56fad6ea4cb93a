//! What the program makes of the names in received lines, of their time, and of pasted lines.

use crate::scene::*;
use std::io::{BufRead, BufReader, ErrorKind};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The lines of a server to anna.
const WELCOME: [&str; 3] =
    ["* welcome, anna; /help lists the commands", "* you are alone in lobby", "* ben joined lobby"];

#[test]
fn tab_completes_names_that_were_seen() {
    let (mut server, mut terminal) = start(80);
    WELCOME.into_iter().for_each(|line| server.say(line));
    server.say("<Benedikt> hello");
    server.say("* carl left");
    terminal.read_until("carl left");
    terminal.press("c\t");
    terminal.read_until(&row("carl: ", ""));
    terminal.press("\x15ask CA\t");
    terminal.read_until(&row("ask carl ", ""));
    terminal.press("\x15\x0cben\t");
    terminal.wait_for_screen("Benedikt:  ben:\n> ben");
    terminal.press("e\t");
    terminal.wait_for_screen("Benedikt:  ben:\n> Benedikt:");
}

#[test]
fn own_name_in_a_message_is_marked() {
    let (mut server, mut terminal) = start(80);
    WELCOME.into_iter().for_each(|line| server.say(line));
    terminal.read_until("ben joined lobby");
    terminal.press("\x0c");
    terminal.wait_for_screen(">");
    server.say("<ben> Anna, hello");
    server.say("<ben> annabel?");
    server.say("* anna was told");
    terminal.wait_for_screen("! <ben> Anna, hello\n<ben> annabel?\n* anna was told\n>");
    assert_eq!([0, 1, 2, 3].map(|row| terminal.is_bold(row)), [true, false, false, false]);
}

#[test]
fn timestamps_are_the_local_time() {
    // Three hours ahead of UTC.
    let time = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 60 + 180;
        format!("{:02}:{:02}", now / 60 % 24, now % 60)
    };
    let before = time();
    let (_server, mut terminal) = start_with(80, &["--timestamps"], &[("TZ", "XYZ-3")]);
    let after = time();
    terminal.press("x");
    terminal.read_until(&row("x", ""));
    let expected = |time| format!("{time} * what is your name?\n> x");
    let screen = terminal.screen();
    assert!(screen == expected(before) || screen == expected(after), "{screen}");
}

#[test]
fn paste_of_many_lines_is_sent_after_a_yes() {
    let (server, mut terminal) = start(80);
    server.client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let lines: Vec<String> = (1..=21).map(|number| format!("line {number}")).collect();
    let mut received = BufReader::new(&server.client).lines();
    for answer in ["n", "\r", "y"] {
        terminal.press("draft \x0c");
        terminal.read_until(&row("draft ", ""));
        terminal.paste(&lines.join("\r"));
        terminal.wait_for_screen(
            "(21 lines were pasted: y enters them all, any other key none)\nenter them all? y/n",
        );
        let nothing = received.next().unwrap().unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        terminal.press(answer);
        if answer != "y" {
            terminal.read_until("(the answer was no: nothing was entered)");
            terminal.read_until(&row("draft ", ""));
            terminal.press("\x15");
        }
    }
    assert_eq!(received.next().unwrap().unwrap(), "draft line 1");
    for line in &lines[1..20] {
        assert_eq!(received.next().unwrap().unwrap(), *line);
    }
    // The last line has no end.
    terminal.read_until(&row("line 21", ""));
}
