//! Linked chats on several reactors, which are one chat.

use crate::linked_chats::LinkedChats;
use crate::support::Client;
use ropewalk::ReactorGroup;
use ropewalk_chat::{Chat, Network};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

#[test]
fn a_line_reaches_all_reactors_once() {
    let mut linked = LinkedChats::new(3);
    let mut alice = linked.join(0, "alice");
    let mut bob = linked.join(1, "bob");
    let mut carol = linked.join(2, "carol");
    let mut dave = linked.join(0, "dave");
    let joined = "* carol joined lobby\n* dave joined lobby\n";
    assert_eq!(linked.received(&mut alice), format!("* bob joined lobby\n{joined}"));
    assert_eq!(linked.received(&mut bob), joined);
    assert_eq!(linked.received(&mut carol), "* dave joined lobby\n");

    linked.send_line(&mut alice, "hello, all");
    linked.send_line(&mut alice, "/me waves");
    linked.send_line(&mut carol, "hello, alice");
    for client in [&mut bob, &mut dave] {
        linked.until(client, "<carol> hello, alice\n");
        let received = linked.drain(client);
        assert!(received.contains("<alice> hello, all\n* alice waves\n"), "{received}");
        assert_eq!(received.lines().count(), 3, "{received}");
    }
    assert_eq!(linked.received(&mut alice), "<carol> hello, alice\n");
    assert_eq!(linked.received(&mut carol), "<alice> hello, all\n* alice waves\n");
}

#[test]
fn a_list_includes_members_on_all_reactors() {
    let mut linked = LinkedChats::new(2);
    let mut alice = linked.join(0, "alice");
    let mut bob = linked.connect(1);
    linked.send_line(&mut bob, "bob");
    linked.until(&mut bob, "* you are in lobby with alice\n");
    linked.exchange();
    linked.drain(&mut bob);
    for client in [&mut alice, &mut bob] {
        linked.drain(client);
        linked.send_line(client, "/who");
        assert_eq!(linked.drain(client), "* in lobby: alice, bob\n");
    }
}

#[test]
fn names_are_unique_on_all_reactors() {
    let mut linked = LinkedChats::new(2);
    let mut alice = linked.join(0, "Alice");
    let mut other = linked.connect(1);
    // The other reactor has had no turn since then, in which it could have received an update.
    linked.send_line(&mut other, "aLICE");
    linked.until(&mut other, "* aLICE is taken\n");
    linked.send_line(&mut other, "bob");
    linked.until(&mut other, "* welcome, bob;");
    linked.send_line(&mut alice, "/nick BOB");
    linked.until(&mut alice, "* BOB is taken\n");
    linked.send_line(&mut alice, "/nick carol");
    linked.until(&mut alice, "* Alice is now known as carol\n");
    linked.until(&mut other, "* Alice is now known as carol\n");
    linked.drain(&mut other);
    linked.send_line(&mut other, "/who");
    assert_eq!(linked.drain(&mut other), "* in lobby: carol, bob\n");
    linked.join(1, "alice");

    alice.hang_up();
    linked.until(&mut other, "* carol left");
    let mut carol = linked.join(1, "Carol");
    linked.send_line(&mut carol, "/who");
    assert_eq!(linked.drain(&mut carol), "* in lobby: bob, Carol\n");
}

#[test]
fn simultaneous_claims_of_a_name_have_one_winner() {
    let mut linked = LinkedChats::new(2);
    for round in 0..20 {
        let mut both = [linked.connect(0), linked.connect(1)];
        for client in &mut both {
            assert_ne!(client.send_some(format!("guest{round}\n").as_bytes()), 0);
        }
        let answered = |client: &mut Client| {
            let text = client.text();
            text.contains("* welcome") as i32 - text.contains("is taken") as i32
        };
        let mut answers = [0; 2];
        linked.turn_until(|| {
            answers = both.each_mut().map(answered);
            !answers.contains(&0)
        });
        assert_eq!(answers[0] + answers[1], 0, "one is welcome, one is not");
    }
}

/// Returns chats on two reactors: alice is on the first, bob and carol are on the second. Alice and bob have read the
/// later arrivals.
fn alice_bob_and_carol() -> (LinkedChats, [Client; 3]) {
    let mut linked = LinkedChats::new(2);
    let mut alice = linked.join(0, "alice");
    let mut bob = linked.join(1, "bob");
    let carol = linked.join(1, "carol");
    for client in [&mut alice, &mut bob] {
        linked.received(client);
    }
    (linked, [alice, bob, carol])
}

#[test]
fn rooms_span_reactors() {
    let (mut linked, [mut alice, mut bob, mut carol]) = alice_bob_and_carol();
    linked.send_line(&mut carol, "/join den");
    linked.until(&mut carol, "* you are alone in den\n");
    assert_eq!(linked.received(&mut alice), "* carol left for den\n");
    linked.send_line(&mut alice, "/join den");
    linked.until(&mut alice, "* you are in den with carol\n");
    linked.drain(&mut alice);
    linked.drain(&mut carol);

    linked.send_line(&mut bob, "anyone?");
    linked.send_line(&mut alice, "here we are");
    linked.until(&mut carol, "<alice> here we are\n");
    assert_eq!(linked.received(&mut alice), "");
    let left = "* carol left for den\n* alice left for den\n";
    assert_eq!(linked.received(&mut bob), left);
    linked.send_line(&mut bob, "/who");
    assert_eq!(linked.drain(&mut bob), "* in lobby: bob\n");
    // The last member leaves, and the room is removed on all reactors.
    linked.send_line(&mut carol, "/quit");
    linked.send_line(&mut alice, "/join lobby");
    linked.exchange();
    linked.send_line(&mut bob, "/join den");
    linked.until(&mut bob, "* you are alone in den\n");
}

#[test]
fn a_private_message_reaches_another_reactor() {
    // Carol probably has the id that alice has on the other reactor.
    let (mut linked, [mut alice, mut bob, mut carol]) = alice_bob_and_carol();
    linked.send_line(&mut bob, "/msg ALICE psst");
    linked.send_line(&mut alice, "/msg bob what?");
    linked.send_line(&mut alice, "/msg nobody there?");
    linked.until(&mut alice, "[bob] psst\n");
    linked.until(&mut alice, "* bob was told\n* there is no user nobody\n");
    linked.until(&mut bob, "* ALICE was told\n");
    linked.until(&mut bob, "[alice] what?\n");
    assert_eq!(linked.received(&mut carol), "");
}

#[test]
fn lines_and_announcements_of_a_member_are_ordered() {
    const LINES: usize = 5_000;
    let mut linked = LinkedChats::with(2, Chat::without_flood_limit);
    let mut bob = linked.join(1, "bob");
    let mut alice = linked.connect(0);
    let mut sent = String::from("alice\n");
    let mut expected = String::from("* alice joined lobby\n");
    for number in 0..LINES {
        sent += &format!("line {number}\n");
        expected += &format!("<alice> line {number}\n");
    }
    sent += "/nick Alicia\nand\n/quit";
    expected += "* alice is now known as Alicia\n<Alicia> and\n* Alicia left\n";
    linked.send_line(&mut alice, &sent);
    linked.until(&mut bob, "* Alicia left\n");
    assert_eq!(bob.text(), expected);
}

#[test]
fn a_slow_reactor_slows_clients_elsewhere() {
    const LINES: usize = 100_000;
    let mut linked = LinkedChats::with(2, Chat::without_flood_limit);
    let mut bob = linked.join(1, "bob");
    let mut alice = linked.join(0, "alice");
    linked.received(&mut bob);
    let sent = "x".repeat(99) + "\n";
    let sent = sent.repeat(LINES);
    let mut rest = sent.as_bytes();
    // For a while, only the first reactor runs turns, twice as many as needed for reading all lines.
    for _ in 0..4_000 {
        rest = &rest[alice.send_some(rest)..];
        linked.reactors[0].0.turn(Some(Duration::ZERO)).unwrap();
    }
    assert!(!rest.is_empty(), "all lines were read for a reactor that does not run");
    let expected = LINES * "<alice> \n".len() + LINES * 99;
    linked.turn_until(|| {
        rest = &rest[alice.send_some(rest)..];
        bob.read();
        bob.received.len() == expected
    });
}

#[test]
fn a_chat_linked_later_receives_the_members() {
    let mut linked = LinkedChats::new(1);
    let mut alice = linked.join(0, "alice");
    linked.join(0, "bob").hang_up();
    linked.until(&mut alice, "* bob left\n");
    linked.add(|chat| chat);
    linked.exchange();
    linked.add(|chat| chat);
    linked.exchange();
    let mut carol = linked.connect(2);
    linked.send_line(&mut carol, "carol");
    linked.until(&mut carol, "* you are in lobby with alice\n");
    linked.exchange(); // All reactors know carol before dave joins.
    let mut dave = linked.join(1, "dave");
    linked.send_line(&mut dave, "/who");
    assert_eq!(linked.drain(&mut dave), "* in lobby: alice, carol, dave\n");
}

#[test]
fn a_dropped_reactor_releases_its_names() {
    let mut linked = LinkedChats::new(2);
    let mut alice = linked.join(0, "alice");
    let _bob = linked.join(1, "bob");
    linked.received(&mut alice);
    drop(linked.reactors.pop());
    linked.exchange();
    linked.send_line(&mut alice, "hello?");
    linked.send_line(&mut alice, "/who");
    assert_eq!(linked.drain(&mut alice), "* bob left\n* in lobby: alice\n");
    linked.join(0, "bob");
}

fn read_line(client: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    client.read_line(&mut line).unwrap();
    line
}

/// Reads until `expected`. An arrival may be received late on some reactors.
fn read_until(client: &mut BufReader<TcpStream>, expected: &str) {
    loop {
        let line = read_line(client);
        if line == expected {
            return;
        }
        assert!(line.ends_with(" joined lobby\n"), "{line:?} before {expected:?}");
    }
}

#[test]
fn a_group_chats_on_one_port() {
    let mut group = ReactorGroup::new(3).unwrap();
    let network = Network::new();
    let port = group.listen_tcp("127.0.0.1:0", move |member| {
        Chat::linked(&network, member.context()).factory()
    });
    let (address, handle) = (port.unwrap().address().clone(), group.handle());
    let run = thread::spawn(move || group.run());

    // Enough clients that each reactor has some, whatever the system chooses.
    let mut clients: Vec<BufReader<TcpStream>> = Vec::new();
    for number in 0..40 {
        let stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut client = BufReader::new(stream);
        writeln!(client.get_mut(), "guest{number}").unwrap();
        while !read_line(&mut client).starts_with("* you are ") {}
        for other in &mut clients {
            read_until(other, &format!("* guest{number} joined lobby\n"));
        }
        clients.push(client);
    }
    for speaker in [0, 17, 39] {
        writeln!(clients[speaker].get_mut(), "hello").unwrap();
        for (_, client) in clients.iter_mut().enumerate().filter(|(number, _)| *number != speaker) {
            read_until(client, &format!("<guest{speaker}> hello\n"));
        }
    }
    handle.stop().unwrap();
    for client in &mut clients {
        assert_eq!(read_line(client), "", "a graceful end");
    }
    drop(clients);
    run.join().unwrap().unwrap();
}
