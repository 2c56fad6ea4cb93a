//! The chat, with several clients at once.

use crate::support::{Client, listening, turn_until};
use ropewalk::{Address, Reactor};
use ropewalk_chat::Chat;
use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

/// A chat and a way to come in.
struct House {
    reactor: Reactor,
    address: Address,
}

impl House {
    fn new(chat: Chat) -> Self {
        let (reactor, address) = listening(chat.factory());
        Self { reactor, address }
    }

    /// Someone at the door, who was asked for a name.
    fn stranger(&mut self) -> Client {
        let mut client = Client::connect(&self.address);
        self.until(&mut client, "* what is your name?\n");
        client
    }

    /// Someone with a name, who has read the welcome.
    fn guest(&mut self, name: &str) -> Client {
        let mut client = self.stranger();
        self.says(&mut client, name);
        self.until(&mut client, &format!("* welcome, {name}; /help lists the commands\n"));
        self.until(&mut client, "* you are ");
        self.caught_up(&mut client);
        client
    }

    fn says(&mut self, client: &mut Client, line: &str) {
        client.send(&mut self.reactor, format!("{line}\n"));
    }

    /// Turns until `text` stands in what the client has received.
    #[track_caller]
    fn until(&mut self, client: &mut Client, text: &str) {
        turn_until(&mut self.reactor, || client.text().contains(text));
    }

    /// Has the client read all that was sent to it by now, and forgets it. What was read is returned.
    #[track_caller]
    fn caught_up(&mut self, client: &mut Client) -> String {
        self.says(client, "/caught-up");
        let mark = "* there is no /caught-up; see /help\n";
        self.until(client, mark);
        let text = String::from_utf8(std::mem::take(&mut client.received)).unwrap();
        text.replace(mark, "")
    }

    #[track_caller]
    fn until_ended(&mut self, client: &mut Client) {
        turn_until(&mut self.reactor, || client.has_ended());
    }
}

#[test]
fn what_one_says_reaches_everyone_else_in_the_room() {
    let mut house = House::new(Chat::new());
    let mut alice = house.guest("alice");
    let mut bob = house.guest("bob");
    let mut carol = house.guest("carol");
    assert_eq!(house.caught_up(&mut alice), "* bob joined lobby\n* carol joined lobby\n");
    assert_eq!(house.caught_up(&mut bob), "* carol joined lobby\n");

    house.says(&mut alice, "hello, all");
    house.says(&mut alice, "  <b> 日本  ");
    assert_eq!(house.caught_up(&mut alice), "");
    let heard = "<alice> hello, all\n<alice>   <b> 日本  \n";
    assert_eq!(house.caught_up(&mut bob), heard);
    assert_eq!(house.caught_up(&mut carol), heard);
}

#[test]
fn the_first_line_is_the_name_and_the_welcome_says_who_is_there() {
    let mut house = House::new(Chat::new());
    let mut alice = house.stranger();
    house.says(&mut alice, "alice\r");
    house.until(&mut alice, "* you are alone in lobby\n");
    let mut bob = house.stranger();
    house.says(&mut bob, " bob ");
    house.until(&mut bob, "* you are in lobby with alice\n");
    let mut carol = house.stranger();
    house.says(&mut carol, "carol");
    house.until(&mut carol, "lobby with alice, bob\n");
    assert_eq!(
        carol.text(),
        "* what is your name?\n* welcome, carol; /help lists the commands\n\
         * you are in lobby with alice, bob\n"
    );
}

#[test]
fn a_name_that_is_taken_or_no_name_is_refused_and_asked_for_again() {
    let mut house = House::new(Chat::new());
    let mut alice = house.guest("Zoë");
    let mut other = house.stranger();
    for (name, why) in [
        ("zoË", "* zoË is taken\n"),
        ("a b", "* that cannot be a name: a name has 1 to 20 letters, digits, _ or -\n"),
        ("123456789012345678901", "* that cannot be a name"),
        ("\x1b[2J", "* that cannot be a name"),
        ("/who", "* that cannot be a name"),
    ] {
        other.received.clear();
        house.says(&mut other, name);
        house.until(&mut other, "* what is your name?\n");
        assert!(other.text().starts_with(why), "{}", other.text());
    }
    house.says(&mut other, "");
    house.says(&mut other, "zoe");
    house.until(&mut other, "* welcome, zoe;");
    assert_eq!(house.caught_up(&mut alice), "* zoe joined lobby\n");
}

#[test]
fn a_name_is_free_again_when_its_connection_is_lost() {
    let mut house = House::new(Chat::new());
    let mut alice = house.guest("alice");
    let mut bob = house.guest("bob");
    bob.hang_up();
    house.until(&mut alice, "* bob left\n");
    let mut second = house.guest("BOB");
    house.says(&mut second, "/who");
    assert_eq!(house.caught_up(&mut second), "* in lobby: alice, BOB\n");
}

#[test]
fn departures_are_told_with_the_reason_where_there_is_one() {
    let mut house = House::new(Chat::new());
    let mut alice = house.guest("alice");
    let mut bob = house.guest("bob");
    house.says(&mut bob, "/quit");
    house.until_ended(&mut bob);
    assert_eq!(bob.text(), "* goodbye\n");

    let mut carol = house.guest("carol");
    carol.stream().shutdown(Shutdown::Write).unwrap();
    house.until_ended(&mut carol);

    // To hang up with something unread makes the system send a reset.
    let mut dave = house.guest("dave");
    house.says(&mut alice, "unread");
    assert_eq!(
        house.caught_up(&mut alice),
        "* bob joined lobby\n* bob left\n* carol joined lobby\n* carol left\n\
         * dave joined lobby\n"
    );
    dave.stream().peek(&mut [0]).unwrap();
    dave.hang_up();
    house.until(&mut alice, "* dave left (connection reset)\n");

    let heard = house.caught_up(&mut alice);
    assert_eq!(heard, "* dave left (connection reset)\n");
}

#[test]
fn who_leaves_before_he_has_a_name_is_not_told_of() {
    let mut house = House::new(Chat::new());
    let mut alice = house.guest("alice");
    let mut stranger = house.stranger();
    house.says(&mut stranger, "/quit");
    house.until_ended(&mut stranger);
    let mut other = house.stranger();
    other.stream().shutdown(Shutdown::Write).unwrap();
    house.until_ended(&mut other);
    assert_eq!(house.caught_up(&mut alice), "");
}

#[test]
fn an_unfinished_line_is_not_said() {
    let mut house = House::new(Chat::new());
    let mut alice = house.guest("alice");
    let mut bob = house.guest("bob");
    house.caught_up(&mut alice);
    bob.send(&mut house.reactor, "whole\nI hate you, I don't think");
    bob.stream().shutdown(Shutdown::Write).unwrap();
    house.until_ended(&mut bob);
    assert_eq!(house.caught_up(&mut alice), "<bob> whole\n* bob left\n");
}

#[test]
fn rooms_are_apart() {
    let mut house = House::new(Chat::new());
    let mut alice = house.guest("alice");
    let mut bob = house.guest("bob");
    let mut carol = house.guest("carol");
    for client in [&mut alice, &mut bob] {
        house.caught_up(client);
    }
    house.says(&mut carol, "/join Den");
    assert_eq!(house.caught_up(&mut carol), "* you are alone in den\n");
    house.says(&mut bob, "/join den");
    assert_eq!(house.caught_up(&mut bob), "* carol left for den\n* you are in den with carol\n");
    assert_eq!(house.caught_up(&mut alice), "* carol left for den\n* bob left for den\n");
    assert_eq!(house.caught_up(&mut carol), "* bob joined den\n");

    house.says(&mut alice, "anyone?");
    house.says(&mut bob, "here we are");
    house.caught_up(&mut alice);
    assert_eq!(house.caught_up(&mut bob), "");
    assert_eq!(house.caught_up(&mut carol), "<bob> here we are\n");

    for (line, answer) in [
        ("/join DEN", "* you are in den already\n"),
        ("/join a b", "* that cannot be a room: a name has 1 to 20 letters, digits, _ or -\n"),
        ("/who", "* in den: carol, bob\n"),
    ] {
        house.says(&mut bob, line);
        assert_eq!(house.caught_up(&mut bob), answer);
    }
    bob.hang_up();
    house.until(&mut carol, "* bob left\n");
    assert_eq!(house.caught_up(&mut alice), "");
}

#[test]
fn a_change_of_name_is_told_to_the_room_and_holds_everywhere() {
    let mut house = House::new(Chat::new());
    let mut alice = house.guest("alice");
    let mut bob = house.guest("bob");
    house.caught_up(&mut alice);
    house.says(&mut bob, "/nick Robert");
    assert_eq!(house.caught_up(&mut bob), "* bob is now known as Robert\n");
    house.says(&mut bob, "/nick ROBERT");
    assert_eq!(house.caught_up(&mut bob), "* Robert is now known as ROBERT\n");
    house.says(&mut bob, "hello");
    house.says(&mut bob, "/nick alice");
    house.says(&mut bob, "/nick a/b");
    let answers = house.caught_up(&mut bob);
    assert!(answers.starts_with("* alice is taken\n* that cannot be a name"), "{answers}");
    let heard = house.caught_up(&mut alice);
    let renamed = "* bob is now known as Robert\n* Robert is now known as ROBERT\n";
    assert_eq!(heard, format!("{renamed}<ROBERT> hello\n"));

    house.says(&mut alice, "/who");
    assert_eq!(house.caught_up(&mut alice), "* in lobby: alice, ROBERT\n");
    house.says(&mut alice, "/msg bob there?");
    assert_eq!(house.caught_up(&mut alice), "* nobody is called bob\n");
    // The old name is free, the new one is not.
    house.guest("bob");
    let mut other = house.stranger();
    house.says(&mut other, "robert");
    house.until(&mut other, "* robert is taken\n");
}

#[test]
fn a_private_message_reaches_one_in_whatever_room() {
    let mut house = House::new(Chat::new());
    let mut alice = house.guest("alice");
    let mut bob = house.guest("bob");
    let mut carol = house.guest("carol");
    house.says(&mut carol, "/join den");
    house.caught_up(&mut carol);
    house.caught_up(&mut alice);
    house.caught_up(&mut bob);
    house.says(&mut alice, "/msg CAROL  come  back\x07");
    assert_eq!(house.caught_up(&mut alice), "* CAROL was told\n");
    assert_eq!(house.caught_up(&mut carol), "[alice] come  back\u{FFFD}\n");
    assert_eq!(house.caught_up(&mut bob), "");
    house.says(&mut alice, "/msg dave\x1b hello");
    assert_eq!(house.caught_up(&mut alice), "* nobody is called dave\u{FFFD}\n");
}

#[test]
fn commands_that_are_unknown_or_incomplete_are_answered_to_the_sender_only() {
    let mut house = House::new(Chat::new());
    let mut alice = house.guest("alice");
    let mut bob = house.guest("bob");
    house.caught_up(&mut alice);
    for (line, answer) in [
        ("/dance\x1b now", "* there is no /dance\u{FFFD}; see /help\n"),
        ("/join", "* usage: /join ROOM - go to another room\n"),
        ("/msg bob", "* usage: /msg NAME TEXT - say something to one person only\n"),
        ("", ""),
        (" \t ", ""),
    ] {
        house.says(&mut alice, line);
        assert_eq!(house.caught_up(&mut alice), answer, "{line}");
    }
    house.says(&mut alice, "/help");
    let help = house.caught_up(&mut alice);
    for command in ["/join", "/who", "/nick", "/me", "/msg", "/help", "/quit"] {
        assert!(help.contains(&format!("\n* {command} ")), "{command} in {help}");
    }
    assert_eq!(house.caught_up(&mut bob), "");
}

#[test]
fn nobody_can_play_with_the_terminal_of_another() {
    let mut house = House::new(Chat::new());
    let mut alice = house.guest("alice");
    let mut bob = house.guest("bob");
    house.caught_up(&mut alice);
    house.says(&mut bob, "\x1b[2Jboo\r<alice> I am a fool");
    house.says(&mut bob, "/me rings\x07 \u{202e}backwards");
    bob.send(&mut house.reactor, b"\x9b not UTF-8\n");
    house.caught_up(&mut bob);
    assert_eq!(
        house.caught_up(&mut alice),
        "<bob> \u{FFFD}[2Jboo\u{FFFD}<alice> I am a fool\n\
         * bob rings\u{FFFD} \u{FFFD}backwards\n\
         <bob> \u{FFFD} not UTF-8\n"
    );
}

#[test]
fn a_line_that_is_too_long_is_dropped_and_its_sender_stays() {
    let mut house = House::new(Chat::new());
    let mut alice = house.guest("alice");
    let mut bob = house.guest("bob");
    house.caught_up(&mut alice);
    let longest = "x".repeat(1024);
    house.says(&mut bob, &longest);
    house.says(&mut bob, &format!("{longest}y"));
    house.says(&mut bob, &"z".repeat(100_000));
    house.says(&mut bob, "short");
    let told = "* that was dropped: a line has at most 1024 bytes\n";
    assert_eq!(house.caught_up(&mut bob), told.repeat(2));
    assert_eq!(house.caught_up(&mut alice), format!("<bob> {longest}\n<bob> short\n"));

    let mut house = House::new(Chat::new().max_length(5));
    let mut short = house.stranger();
    house.says(&mut short, "123456");
    house.until(&mut short, "at most 5 bytes\n");
    house.says(&mut short, "12345");
    house.until(&mut short, "* welcome, 12345;");
}

#[test]
fn a_flood_is_slowed_and_nothing_of_it_is_lost() {
    const BURST: usize = 2_000;
    const LINES: usize = BURST + 60;
    let mut house = House::new(Chat::new().flood_limit(BURST as u32, 200));
    let mut alice = house.guest("alice");
    let mut bob = house.guest("bob");
    house.caught_up(&mut alice);
    let start = Instant::now();
    let lines: Vec<String> = (0..LINES).map(|number| format!("line {number}")).collect();
    // All at once, and the end behind it.
    house.says(&mut bob, &lines.join("\n"));
    bob.stream().shutdown(Shutdown::Write).unwrap();
    // Others are not held up meanwhile.
    house.says(&mut alice, "/who");
    house.until(&mut alice, "* in lobby: alice, bob\n");
    house.until(&mut alice, "* bob left\n");

    let earned = Duration::from_millis(5) * (LINES - BURST - 1) as u32;
    assert!(start.elapsed() >= earned, "{:?}", start.elapsed());
    let heard = alice.text();
    let heard: Vec<&str> = heard.lines().filter_map(|line| line.strip_prefix("<bob> ")).collect();
    assert_eq!(heard, lines);
    let told = bob.text().matches("* you talk too fast, and are read more slowly\n").count();
    assert_eq!(told, 1);
}

#[test]
fn without_a_limit_a_flood_passes_at_once() {
    let mut house = House::new(Chat::new().without_flood_limit());
    let mut alice = house.guest("alice");
    let mut bob = house.guest("bob");
    house.caught_up(&mut alice);
    bob.send(&mut house.reactor, "x\n".repeat(20_000));
    turn_until(&mut house.reactor, || alice.text().len() == 20_000 * "<bob> x\n".len());
    assert_eq!(house.caught_up(&mut bob), "");
}

#[test]
fn who_does_not_read_is_dropped_and_the_others_hear_everything() {
    let mut house = House::new(Chat::new().write_limit(100_000).without_flood_limit());
    let mut alice = house.guest("alice");
    let mut bob = house.guest("bob");
    let mut carol = house.guest("carol");
    house.caught_up(&mut alice);
    let line = "x".repeat(1000);
    let mut said = 0;
    // Bob does not read from here on: the system takes some megabytes for him, then the chat some.
    while !carol.text().contains("* bob left (too slow)\n") {
        assert!(said < 50_000, "nobody was dropped");
        for _ in 0..50 {
            house.says(&mut alice, &line);
        }
        said += 50;
        let context = house.reactor.context();
        let waiting = context.connections().map(|id| context.write_buffer_size(id)).max();
        assert!(waiting <= Some(200_000), "{waiting:?} bytes wait");
        house.reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    let heard = format!("<alice> {line}\n");
    turn_until(&mut house.reactor, || carol.text().matches(&heard).count() == said);
    assert_eq!(house.caught_up(&mut alice), "* bob left (too slow)\n");
    turn_until(&mut house.reactor, || bob.has_ended());
    assert_eq!(bob.ended, Some(std::io::ErrorKind::ConnectionReset));
}

/// How many bytes are said until a guest that has stopped reading is dropped, and how many of them the chat keeps
/// at most.
fn said_until_dropped(limit: usize) -> (usize, usize) {
    let mut house = House::new(Chat::new().without_flood_limit().write_limit(limit));
    let mut alice = house.guest("alice");
    let mut bob = house.guest("bob");
    bob.take_little();
    house.caught_up(&mut alice);
    let line = "x".repeat(1_000);
    let (mut said, mut kept) = (0, 0);
    while !house.caught_up(&mut alice).contains("* bob left (too slow)\n") {
        kept = kept.max(house.reactor.context().statistics().waiting);
        house.says(&mut alice, &line);
        said += "<alice> ".len() + line.len() + 1;
        assert!(said < 16 << 20, "bob was never dropped");
    }
    (said, kept)
}

#[test]
fn the_write_limit_bounds_what_the_system_holds_as_well() {
    // The system's part is 64 KiB, or half of the limit.
    for (limit, system) in
        [(64 * 1024, 32 * 1024), (256 * 1024, 64 * 1024), (1024 * 1024, 64 * 1024)]
    {
        let (said, kept) = said_until_dropped(limit);
        // His own system has taken a few segments before its window closed.
        let expected = limit / 2..limit + 64 * 1024;
        assert!(expected.contains(&said), "{said} bytes with a limit of {limit}");
        // He is dropped by the first line that finds more than the limit.
        let expected = limit - system - 2_000..limit - system + 2_000;
        assert!(expected.contains(&kept), "{kept} bytes kept with a limit of {limit}");
    }
}

#[test]
fn a_crowd_is_listed_up_to_fifty_and_counted() {
    let mut house = House::new(Chat::new());
    let mut crowd: Vec<Client> = (0..52).map(|number| house.guest(&format!("g{number}"))).collect();
    let last = crowd.last_mut().unwrap();
    house.says(last, "/who");
    house.until(last, "* in lobby: g0, g1, g2");
    house.until(last, ", g49 and 2 more\n");
}

#[test]
fn departures_of_one_turn_are_announced_in_bounded_space() {
    let mut house = House::new(Chat::new());
    let mut alice = house.guest("alice");
    let alices = house.reactor.context().connections().next().unwrap();
    let _crowd: Vec<Client> = (0..60).map(|number| house.guest(&format!("g{number}"))).collect();
    house.caught_up(&mut alice);
    let context = house.reactor.context();
    let ids: Vec<_> = context.connections().filter(|id| *id != alices).collect();
    ids.into_iter().for_each(|id| context.abort(id));
    house.until(&mut alice, "* 10 more left\n");
    let text = house.caught_up(&mut alice);
    assert_eq!(text.matches(" left\n").count(), 51, "{text}");
    assert_eq!(text.matches("* g").count(), 50, "{text}");
}

#[test]
fn an_announcement_precedes_what_comes_after_it_and_misses_who_came_later() {
    let mut house = House::new(Chat::new());
    let mut alice = house.guest("alice");
    let _bob = house.guest("bob");
    let bobs = house.reactor.context().connections().last().unwrap();
    house.caught_up(&mut alice);
    let mut carol = house.stranger();
    // Bob leaves, and then carol is heard, before anything is announced.
    house.reactor.context().abort(bobs);
    carol.stream().write_all(b"carol\n/msg alice hello\n/who\nhi\n").unwrap();
    house.until(&mut alice, "<carol> hi\n");
    house.until(&mut carol, "* in lobby: ");
    let heard = house.caught_up(&mut alice);
    let place = |text: &str| heard.find(text).unwrap_or_else(|| panic!("{text:?} in {heard:?}"));
    assert!(place("* carol joined lobby\n") < place("[carol] hello\n"), "{heard}");
    assert!(place("* bob left\n") < place("<carol> hi\n"), "{heard}");
    assert!(!house.caught_up(&mut carol).contains("carol joined"));
}

#[test]
fn a_chat_can_listen_in_several_places() {
    let chat = Chat::new();
    let mut house = House::new(chat.clone());
    let mut alice = house.guest("alice");
    let port = house.reactor.listen_tcp("127.0.0.1:0", move || chat.protocol()).unwrap();
    house.address = port.address().clone();
    house.guest("bob");
    house.until(&mut alice, "* bob joined lobby\n");
}

#[test]
fn a_stop_ends_everybody_in_order() {
    let mut house = House::new(Chat::new());
    let mut alice = house.guest("alice");
    let mut bob = house.guest("bob");
    house.caught_up(&mut alice);
    house.reactor.set_grace(Duration::ZERO);
    house.reactor.context().stop();
    house.reactor.run().unwrap();
    for client in [&mut alice, &mut bob] {
        assert!(client.has_ended());
        assert_eq!(client.text(), "");
    }
}

#[test]
fn who_leaves_without_reading_what_waits_is_gone_for_the_others_at_once() {
    for leave in ["/quit", "the end of his side"] {
        let mut house = House::new(Chat::new().without_flood_limit());
        let mut alice = house.guest("alice");
        let mut bob = house.guest("bob");
        bob.take_little();
        house.caught_up(&mut alice);
        let line = "x".repeat(1000);
        let waiting = |house: &mut House| {
            let context = house.reactor.context();
            context.connections().map(|id| context.write_buffer_size(id)).max().unwrap_or_default()
        };
        // Bob does not read from here on.
        while waiting(&mut house) < 50_000 {
            for _ in 0..50 {
                house.says(&mut alice, &line);
            }
        }
        match leave {
            "/quit" => house.says(&mut bob, "/quit"),
            _ => bob.stream().shutdown(Shutdown::Write).unwrap(),
        }
        house.until(&mut alice, "* bob left\n");
        assert!(waiting(&mut house) > 0, "he has not read it");
        assert_eq!(house.reactor.context().connections().count(), 2);
        let mut new_bob = house.guest("bob");
        house.says(&mut new_bob, "hello");
        house.until(&mut alice, "<bob> hello\n");
    }
}

#[test]
fn who_has_left_leaves_no_timer_behind() {
    for leave in ["/quit", "the end of his side"] {
        let mut house = House::new(Chat::new());
        let mut alice = house.guest("alice");
        match leave {
            "/quit" => house.says(&mut alice, "/quit"),
            _ => alice.stream().shutdown(Shutdown::Write).unwrap(),
        }
        turn_until(&mut house.reactor, || alice.has_ended());
        alice.hang_up();
        let begin = Instant::now();
        while house.reactor.timeout().is_some() {
            assert!(begin.elapsed() < Duration::from_secs(5), "a timer waits after {leave}");
            house.reactor.turn(Some(Duration::from_millis(1))).unwrap();
        }
    }
}

#[test]
fn a_pasted_page_is_said_in_parts_with_a_turn_for_the_others_between() {
    let mut house = House::new(Chat::new());
    let mut alice = house.guest("alice");
    let mut bob = house.guest("bob");
    house.caught_up(&mut alice);
    assert_eq!(alice.send_some("page\n".repeat(500).as_bytes()), 2_500);
    let mut heard = 0;
    while heard < 500 {
        house.reactor.turn(Some(Duration::from_millis(20))).unwrap();
        let before = heard;
        heard = bob.text().matches("<alice> page\n").count();
        assert!(heard - before <= 50, "{} lines in one turn", heard - before);
    }
}
