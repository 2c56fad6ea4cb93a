//! Lines, names, commands and rooms.

use crate::support::Client;
use crate::test_chat::{TestChat, alice_and_bob};
use ropewalk_chat::Chat;
use std::io::Write;
use std::net::Shutdown;

#[test]
fn a_line_reaches_all_others_in_the_room() {
    let mut chat = TestChat::new(Chat::new());
    let mut alice = chat.join("alice");
    let mut bob = chat.join("bob");
    let mut carol = chat.join("carol");
    assert_eq!(chat.drain(&mut alice), "* bob joined lobby\n* carol joined lobby\n");
    assert_eq!(chat.drain(&mut bob), "* carol joined lobby\n");

    chat.send_line(&mut alice, "hello, all");
    chat.send_line(&mut alice, "  <b> 日本  ");
    assert_eq!(chat.drain(&mut alice), "");
    let received = "<alice> hello, all\n<alice>   <b> 日本  \n";
    assert_eq!(chat.drain(&mut bob), received);
    assert_eq!(chat.drain(&mut carol), received);
}

#[test]
fn the_first_line_is_the_name() {
    let mut chat = TestChat::new(Chat::new());
    let mut alice = chat.connect();
    chat.send_line(&mut alice, "alice\r");
    chat.until(&mut alice, "* you are alone in lobby\n");
    let mut bob = chat.connect();
    chat.send_line(&mut bob, " bob ");
    chat.until(&mut bob, "* you are in lobby with alice\n");
    let mut carol = chat.connect();
    chat.send_line(&mut carol, "carol");
    chat.until(&mut carol, "lobby with alice, bob\n");
    assert_eq!(
        carol.text(),
        "* what is your name?\n* welcome, carol; /help lists the commands\n\
         * you are in lobby with alice, bob\n"
    );
}

#[test]
fn taken_and_invalid_names_are_refused() {
    let mut chat = TestChat::new(Chat::new());
    let mut alice = chat.join("Zoë");
    let mut other = chat.connect();
    for (name, why) in [
        ("zoË", "* zoË is taken\n"),
        ("a b", "* that cannot be a name: a name has 1 to 20 letters, digits, _ or -\n"),
        ("123456789012345678901", "* that cannot be a name"),
        ("\x1b[2J", "* that cannot be a name"),
        ("/who", "* that cannot be a name"),
    ] {
        other.received.clear();
        chat.send_line(&mut other, name);
        chat.until(&mut other, "* what is your name?\n");
        assert!(other.text().starts_with(why), "{}", other.text());
    }
    chat.send_line(&mut other, "");
    chat.send_line(&mut other, "zoe");
    chat.until(&mut other, "* welcome, zoe;");
    assert_eq!(chat.drain(&mut alice), "* zoe joined lobby\n");
}

#[test]
fn a_lost_connection_releases_its_name() {
    let mut chat = TestChat::new(Chat::new());
    let mut alice = chat.join("alice");
    let mut bob = chat.join("bob");
    bob.hang_up();
    chat.until(&mut alice, "* bob left\n");
    let mut second = chat.join("BOB");
    chat.send_line(&mut second, "/who");
    assert_eq!(chat.drain(&mut second), "* in lobby: alice, BOB\n");
}

#[test]
fn an_unfinished_line_is_not_sent() {
    let (mut chat, mut alice, mut bob) = alice_and_bob(Chat::new());
    bob.send(&mut chat.reactor, "whole\nI hate you, I don't think");
    bob.stream().shutdown(Shutdown::Write).unwrap();
    chat.until_closed(&mut bob);
    assert_eq!(chat.drain(&mut alice), "<bob> whole\n* bob left\n");
}

#[test]
fn lines_stay_in_their_room() {
    let mut chat = TestChat::new(Chat::new());
    let mut alice = chat.join("alice");
    let mut bob = chat.join("bob");
    let mut carol = chat.join("carol");
    for client in [&mut alice, &mut bob] {
        chat.drain(client);
    }
    chat.send_line(&mut carol, "/join Den");
    assert_eq!(chat.drain(&mut carol), "* you are alone in den\n");
    chat.send_line(&mut bob, "/join den");
    assert_eq!(chat.drain(&mut bob), "* carol left for den\n* you are in den with carol\n");
    assert_eq!(chat.drain(&mut alice), "* carol left for den\n* bob left for den\n");
    assert_eq!(chat.drain(&mut carol), "* bob joined den\n");

    chat.send_line(&mut alice, "anyone?");
    chat.send_line(&mut bob, "here we are");
    chat.drain(&mut alice);
    assert_eq!(chat.drain(&mut bob), "");
    assert_eq!(chat.drain(&mut carol), "<bob> here we are\n");

    for (line, answer) in [
        ("/join DEN", "* you are in den already\n"),
        ("/join a b", "* that cannot be a room: a name has 1 to 20 letters, digits, _ or -\n"),
        ("/who", "* in den: carol, bob\n"),
    ] {
        chat.send_line(&mut bob, line);
        assert_eq!(chat.drain(&mut bob), answer);
    }
    bob.hang_up();
    chat.until(&mut carol, "* bob left\n");
    assert_eq!(chat.drain(&mut alice), "");
}

#[test]
fn a_change_of_name_is_announced_and_applied() {
    let (mut chat, mut alice, mut bob) = alice_and_bob(Chat::new());
    chat.send_line(&mut bob, "/nick Robert");
    assert_eq!(chat.drain(&mut bob), "* bob is now known as Robert\n");
    chat.send_line(&mut bob, "/nick ROBERT");
    assert_eq!(chat.drain(&mut bob), "* Robert is now known as ROBERT\n");
    chat.send_line(&mut bob, "hello");
    chat.send_line(&mut bob, "/nick alice");
    chat.send_line(&mut bob, "/nick a/b");
    let answers = chat.drain(&mut bob);
    assert!(answers.starts_with("* alice is taken\n* that cannot be a name"), "{answers}");
    let received = chat.drain(&mut alice);
    let renamed = "* bob is now known as Robert\n* Robert is now known as ROBERT\n";
    assert_eq!(received, format!("{renamed}<ROBERT> hello\n"));

    chat.send_line(&mut alice, "/who");
    assert_eq!(chat.drain(&mut alice), "* in lobby: alice, ROBERT\n");
    chat.send_line(&mut alice, "/msg bob there?");
    assert_eq!(chat.drain(&mut alice), "* there is no user bob\n");
    // The old name is free; the new name is taken.
    chat.join("bob");
    let mut other = chat.connect();
    chat.send_line(&mut other, "robert");
    chat.until(&mut other, "* robert is taken\n");
}

#[test]
fn a_private_message_reaches_any_room() {
    let mut chat = TestChat::new(Chat::new());
    let mut alice = chat.join("alice");
    let mut bob = chat.join("bob");
    let mut carol = chat.join("carol");
    chat.send_line(&mut carol, "/join den");
    chat.drain(&mut carol);
    chat.drain(&mut alice);
    chat.drain(&mut bob);
    chat.send_line(&mut alice, "/msg CAROL  come  back\x07");
    assert_eq!(chat.drain(&mut alice), "* CAROL was told\n");
    assert_eq!(chat.drain(&mut carol), "[alice] come  back\u{FFFD}\n");
    assert_eq!(chat.drain(&mut bob), "");
    chat.send_line(&mut alice, "/msg dave\x1b hello");
    assert_eq!(chat.drain(&mut alice), "* there is no user dave\u{FFFD}\n");
}

#[test]
fn only_the_sender_receives_answers_to_commands() {
    let (mut chat, mut alice, mut bob) = alice_and_bob(Chat::new());
    for (line, answer) in [
        ("/dance\x1b now", "* there is no /dance\u{FFFD}; see /help\n"),
        ("/join", "* usage: /join ROOM - go to another room\n"),
        ("/msg bob", "* usage: /msg NAME TEXT - say something to one person only\n"),
        ("", ""),
        (" \t ", ""),
    ] {
        chat.send_line(&mut alice, line);
        assert_eq!(chat.drain(&mut alice), answer, "{line}");
    }
    chat.send_line(&mut alice, "/help");
    let help = chat.drain(&mut alice);
    for command in ["/join", "/who", "/nick", "/me", "/msg", "/help", "/quit"] {
        assert!(help.contains(&format!("\n* {command} ")), "{command} in {help}");
    }
    assert_eq!(chat.drain(&mut bob), "");
}

#[test]
fn terminal_control_characters_are_replaced() {
    let (mut chat, mut alice, mut bob) = alice_and_bob(Chat::new());
    chat.send_line(&mut bob, "\x1b[2Jboo\r<alice> I am a fool");
    chat.send_line(&mut bob, "/me rings\x07 \u{202e}backwards");
    bob.send(&mut chat.reactor, b"\x9b not UTF-8\n");
    chat.drain(&mut bob);
    assert_eq!(
        chat.drain(&mut alice),
        "<bob> \u{FFFD}[2Jboo\u{FFFD}<alice> I am a fool\n\
         * bob rings\u{FFFD} \u{FFFD}backwards\n\
         <bob> \u{FFFD} not UTF-8\n"
    );
}

#[test]
fn a_list_has_at_most_fifty_names() {
    let mut chat = TestChat::new(Chat::new());
    let mut crowd: Vec<Client> = (0..52).map(|number| chat.join(&format!("g{number}"))).collect();
    let last = crowd.last_mut().unwrap();
    chat.send_line(last, "/who");
    chat.until(last, "* in lobby: g0, g1, g2");
    chat.until(last, ", g49 and 2 more\n");
}

#[test]
fn announcements_of_one_turn_are_bounded() {
    let mut chat = TestChat::new(Chat::new());
    let mut alice = chat.join("alice");
    let alices = chat.reactor.context().connections().next().unwrap();
    let _crowd: Vec<Client> = (0..60).map(|number| chat.join(&format!("g{number}"))).collect();
    chat.drain(&mut alice);
    let context = chat.reactor.context();
    let ids: Vec<_> = context.connections().filter(|id| *id != alices).collect();
    ids.into_iter().for_each(|id| context.abort(id));
    chat.until(&mut alice, "* 10 more left\n");
    let text = chat.drain(&mut alice);
    assert_eq!(text.matches(" left\n").count(), 51, "{text}");
    assert_eq!(text.matches("* g").count(), 50, "{text}");
}

#[test]
fn announcements_precede_later_lines() {
    let mut chat = TestChat::new(Chat::new());
    let mut alice = chat.join("alice");
    let _bob = chat.join("bob");
    let bobs = chat.reactor.context().connections().last().unwrap();
    chat.drain(&mut alice);
    let mut carol = chat.connect();
    // Bob leaves, and carol sends lines, before anything is announced.
    chat.reactor.context().abort(bobs);
    carol.stream().write_all(b"carol\n/msg alice hello\n/who\nhi\n").unwrap();
    chat.until(&mut alice, "<carol> hi\n");
    chat.until(&mut carol, "* in lobby: ");
    let received = chat.drain(&mut alice);
    let place =
        |text: &str| received.find(text).unwrap_or_else(|| panic!("{text:?} in {received:?}"));
    assert!(place("* carol joined lobby\n") < place("[carol] hello\n"), "{received}");
    assert!(place("* bob left\n") < place("<carol> hi\n"), "{received}");
    assert!(!chat.drain(&mut carol).contains("carol joined"));
}

#[test]
fn a_chat_can_have_several_listeners() {
    let second = Chat::new();
    let mut chat = TestChat::new(second.clone());
    let mut alice = chat.join("alice");
    let port = chat.reactor.listen_tcp("127.0.0.1:0", move || second.protocol()).unwrap();
    chat.address = port.address().clone();
    chat.join("bob");
    chat.until(&mut alice, "* bob joined lobby\n");
}
