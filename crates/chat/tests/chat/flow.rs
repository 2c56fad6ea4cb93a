//! Long lines, floods, and clients that do not read.

use crate::support::turn_until;
use crate::test_chat::{TestChat, alice_and_bob};
use ropewalk_chat::Chat;
use std::net::Shutdown;
use std::time::{Duration, Instant};

#[test]
fn a_too_long_line_is_dropped() {
    let (mut chat, mut alice, mut bob) = alice_and_bob(Chat::new());
    let longest = "x".repeat(1024);
    chat.send_line(&mut bob, &longest);
    chat.send_line(&mut bob, &format!("{longest}y"));
    chat.send_line(&mut bob, &"z".repeat(100_000));
    chat.send_line(&mut bob, "short");
    let notices = "* that was dropped: a line has at most 1024 bytes\n";
    assert_eq!(chat.drain(&mut bob), notices.repeat(2));
    assert_eq!(chat.drain(&mut alice), format!("<bob> {longest}\n<bob> short\n"));

    let mut chat = TestChat::new(Chat::new().max_length(5));
    let mut short = chat.connect();
    chat.send_line(&mut short, "123456");
    chat.until(&mut short, "at most 5 bytes\n");
    chat.send_line(&mut short, "12345");
    chat.until(&mut short, "* welcome, 12345;");
}

#[test]
fn a_flood_is_slowed_without_loss() {
    const BURST: usize = 2_000;
    const LINES: usize = BURST + 60;
    let (mut chat, mut alice, mut bob) = alice_and_bob(Chat::new().flood_limit(BURST as u32, 200));
    let start = Instant::now();
    let lines: Vec<String> = (0..LINES).map(|number| format!("line {number}")).collect();
    // All lines at once, followed by the end of stream.
    chat.send_line(&mut bob, &lines.join("\n"));
    bob.stream().shutdown(Shutdown::Write).unwrap();
    // Other clients are not delayed meanwhile.
    chat.send_line(&mut alice, "/who");
    chat.until(&mut alice, "* in lobby: alice, bob\n");
    chat.until(&mut alice, "* bob left\n");

    let earned = Duration::from_millis(5) * (LINES - BURST - 1) as u32;
    assert!(start.elapsed() >= earned, "{:?}", start.elapsed());
    let received = alice.text();
    let received: Vec<&str> =
        received.lines().filter_map(|line| line.strip_prefix("<bob> ")).collect();
    assert_eq!(received, lines);
    let notices =
        bob.text().matches("* you send too fast; your lines are read more slowly\n").count();
    assert_eq!(notices, 1);
}

#[test]
fn without_limit_a_flood_is_not_slowed() {
    let (mut chat, mut alice, mut bob) = alice_and_bob(Chat::new().without_flood_limit());
    bob.send(&mut chat.reactor, "x\n".repeat(20_000));
    turn_until(&mut chat.reactor, || alice.text().len() == 20_000 * "<bob> x\n".len());
    assert_eq!(chat.drain(&mut bob), "");
}

#[test]
fn a_client_that_does_not_read_is_disconnected() {
    let mut chat = TestChat::new(Chat::new().write_limit(100_000).without_flood_limit());
    let mut alice = chat.join("alice");
    let mut bob = chat.join("bob");
    let mut carol = chat.join("carol");
    chat.drain(&mut alice);
    let line = "x".repeat(1000);
    let mut sent = 0;
    // Bob does not read any more: the system buffers some megabytes, then the chat some.
    while !carol.text().contains("* bob left (too slow)\n") {
        assert!(sent < 50_000, "bob was not disconnected");
        for _ in 0..50 {
            chat.send_line(&mut alice, &line);
        }
        sent += 50;
        let context = chat.reactor.context();
        let waiting =
            context.connections().map(|id| context.transport(id).write_buffer_size()).max();
        assert!(waiting <= Some(200_000), "{waiting:?} bytes are queued");
        chat.reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    let received = format!("<alice> {line}\n");
    turn_until(&mut chat.reactor, || carol.text().matches(&received).count() == sent);
    assert_eq!(chat.drain(&mut alice), "* bob left (too slow)\n");
    turn_until(&mut chat.reactor, || bob.has_ended());
    assert_eq!(bob.ended, Some(std::io::ErrorKind::ConnectionReset));
}

/// Returns how many bytes are sent until a client that has stopped reading is disconnected, and the maximum that
/// the chat has queued.
fn sent_until_disconnected(limit: usize) -> (usize, usize) {
    let mut chat = TestChat::new(Chat::new().without_flood_limit().write_limit(limit));
    let mut alice = chat.join("alice");
    let mut bob = chat.join("bob");
    bob.take_little();
    chat.drain(&mut alice);
    let line = "x".repeat(1_000);
    let (mut sent, mut kept) = (0, 0);
    while !chat.drain(&mut alice).contains("* bob left (too slow)\n") {
        kept = kept.max(chat.reactor.context().statistics().queued);
        chat.send_line(&mut alice, &line);
        sent += "<alice> ".len() + line.len() + 1;
        assert!(sent < 16 << 20, "bob was not disconnected");
    }
    (sent, kept)
}

#[test]
fn the_write_limit_includes_the_systems_buffer() {
    // The system has 64 KiB, or half of the limit.
    for (limit, system) in
        [(64 * 1024, 32 * 1024), (256 * 1024, 64 * 1024), (1024 * 1024, 64 * 1024)]
    {
        let (sent, kept) = sent_until_disconnected(limit);
        // The client's system has received a few segments before its window closed.
        let expected = limit / 2..limit + 64 * 1024;
        assert!(expected.contains(&sent), "{sent} bytes with a limit of {limit}");
        // The first line above the limit disconnects the client.
        let expected = limit - system - 2_000..limit - system + 2_000;
        assert!(expected.contains(&kept), "{kept} bytes queued with a limit of {limit}");
    }
}

#[test]
fn a_pasted_page_is_sent_over_several_turns() {
    let (mut chat, mut alice, mut bob) = alice_and_bob(Chat::new());
    assert_eq!(alice.send_some("page\n".repeat(500).as_bytes()), 2_500);
    let mut received = 0;
    while received < 500 {
        chat.reactor.turn(Some(Duration::from_millis(20))).unwrap();
        let before = received;
        received = bob.text().matches("<alice> page\n").count();
        assert!(received - before <= 50, "{} lines in one turn", received - before);
    }
}
