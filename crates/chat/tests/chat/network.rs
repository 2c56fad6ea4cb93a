//! The chat on several reactors: one chat, wherever one is connected.

use crate::street::Street;
use crate::support::Client;
use ropewalk::ReactorGroup;
use ropewalk_chat::{Chat, Network};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

#[test]
fn what_one_says_reaches_everyone_else_in_the_room_once_wherever_they_are() {
    let mut street = Street::new(3);
    let mut alice = street.guest(0, "alice");
    let mut bob = street.guest(1, "bob");
    let mut carol = street.guest(2, "carol");
    let mut dave = street.guest(0, "dave");
    let joined = "* carol joined lobby\n* dave joined lobby\n";
    assert_eq!(street.heard(&mut alice), format!("* bob joined lobby\n{joined}"));
    assert_eq!(street.heard(&mut bob), joined);
    assert_eq!(street.heard(&mut carol), "* dave joined lobby\n");

    street.says(&mut alice, "hello, all");
    street.says(&mut alice, "/me waves");
    street.says(&mut carol, "hello, alice");
    for client in [&mut bob, &mut dave] {
        street.until(client, "<carol> hello, alice\n");
        let heard = street.caught_up(client);
        assert!(heard.contains("<alice> hello, all\n* alice waves\n"), "{heard}");
        assert_eq!(heard.lines().count(), 3, "{heard}");
    }
    assert_eq!(street.heard(&mut alice), "<carol> hello, alice\n");
    assert_eq!(street.heard(&mut carol), "<alice> hello, all\n* alice waves\n");
}

#[test]
fn the_list_of_a_room_has_everybody_in_it() {
    let mut street = Street::new(2);
    let mut alice = street.guest(0, "alice");
    let mut bob = street.stranger(1);
    street.says(&mut bob, "bob");
    street.until(&mut bob, "* you are in lobby with alice\n");
    street.settle();
    street.caught_up(&mut bob);
    for client in [&mut alice, &mut bob] {
        street.caught_up(client);
        street.says(client, "/who");
        assert_eq!(street.caught_up(client), "* in lobby: alice, bob\n");
    }
}

#[test]
fn a_name_is_taken_everywhere_at_once_and_free_everywhere_again() {
    let mut street = Street::new(2);
    let mut alice = street.guest(0, "Alice");
    let mut other = street.stranger(1);
    // The other house has had no turn since, in which it could have heard of anything.
    street.says(&mut other, "aLICE");
    street.until(&mut other, "* aLICE is taken\n");
    street.says(&mut other, "bob");
    street.until(&mut other, "* welcome, bob;");
    street.says(&mut alice, "/nick BOB");
    street.until(&mut alice, "* BOB is taken\n");
    street.says(&mut alice, "/nick carol");
    street.until(&mut alice, "* Alice is now known as carol\n");
    street.until(&mut other, "* Alice is now known as carol\n");
    street.caught_up(&mut other);
    street.says(&mut other, "/who");
    assert_eq!(street.caught_up(&mut other), "* in lobby: carol, bob\n");
    street.guest(1, "alice");

    alice.hang_up();
    street.until(&mut other, "* carol left");
    let mut carol = street.guest(1, "Carol");
    street.says(&mut carol, "/who");
    assert_eq!(street.caught_up(&mut carol), "* in lobby: bob, Carol\n");
}

#[test]
fn two_who_want_one_name_in_the_same_moment_on_two_reactors_do_not_both_get_it() {
    let mut street = Street::new(2);
    for round in 0..20 {
        let mut both = [street.stranger(0), street.stranger(1)];
        for client in &mut both {
            assert_ne!(client.send_some(format!("guest{round}\n").as_bytes()), 0);
        }
        let answered = |client: &mut Client| {
            let text = client.text();
            text.contains("* welcome") as i32 - text.contains("is taken") as i32
        };
        let mut answers = [0; 2];
        street.turn_until(|| {
            answers = both.each_mut().map(answered);
            !answers.contains(&0)
        });
        assert_eq!(answers[0] + answers[1], 0, "one is welcome, one is not");
    }
}

#[test]
fn rooms_are_apart_and_one_wherever_one_is_connected() {
    let mut street = Street::new(2);
    let mut alice = street.guest(0, "alice");
    let mut bob = street.guest(1, "bob");
    let mut carol = street.guest(1, "carol");
    for client in [&mut alice, &mut bob] {
        street.heard(client);
    }
    street.says(&mut carol, "/join den");
    street.until(&mut carol, "* you are alone in den\n");
    assert_eq!(street.heard(&mut alice), "* carol left for den\n");
    street.says(&mut alice, "/join den");
    street.until(&mut alice, "* you are in den with carol\n");
    street.caught_up(&mut alice);
    street.caught_up(&mut carol);

    street.says(&mut bob, "anyone?");
    street.says(&mut alice, "here we are");
    street.until(&mut carol, "<alice> here we are\n");
    assert_eq!(street.heard(&mut alice), "");
    let left = "* carol left for den\n* alice left for den\n";
    assert_eq!(street.heard(&mut bob), left);
    street.says(&mut bob, "/who");
    assert_eq!(street.caught_up(&mut bob), "* in lobby: bob\n");
    // The last one leaves, and the room is gone everywhere.
    street.says(&mut carol, "/quit");
    street.says(&mut alice, "/join lobby");
    street.settle();
    street.says(&mut bob, "/join den");
    street.until(&mut bob, "* you are alone in den\n");
}

#[test]
fn a_private_message_reaches_one_on_another_reactor_and_nobody_else() {
    let mut street = Street::new(2);
    let mut alice = street.guest(0, "alice");
    let mut bob = street.guest(1, "bob");
    // Very likely with the id that alice has in the other house.
    let mut carol = street.guest(1, "carol");
    for client in [&mut alice, &mut bob] {
        street.heard(client);
    }
    street.says(&mut bob, "/msg ALICE psst");
    street.says(&mut alice, "/msg bob what?");
    street.says(&mut alice, "/msg nobody there?");
    street.until(&mut alice, "[bob] psst\n");
    street.until(&mut alice, "* bob was told\n* nobody is called nobody\n");
    street.until(&mut bob, "* ALICE was told\n");
    street.until(&mut bob, "[alice] what?\n");
    assert_eq!(street.heard(&mut carol), "");
}

#[test]
fn all_that_one_says_comes_in_order_and_between_his_coming_and_going() {
    const LINES: usize = 5_000;
    let mut street = Street::with(2, Chat::without_flood_limit);
    let mut bob = street.guest(1, "bob");
    let mut alice = street.stranger(0);
    let mut said = String::from("alice\n");
    let mut expected = String::from("* alice joined lobby\n");
    for number in 0..LINES {
        said += &format!("line {number}\n");
        expected += &format!("<alice> line {number}\n");
    }
    said += "/nick Alicia\nand\n/quit";
    expected += "* alice is now known as Alicia\n<Alicia> and\n* Alicia left\n";
    street.says(&mut alice, &said);
    street.until(&mut bob, "* Alicia left\n");
    assert_eq!(bob.text(), expected);
}

#[test]
fn a_reactor_that_is_slow_has_talkers_elsewhere_read_more_slowly_and_nothing_is_lost() {
    const LINES: usize = 100_000;
    let mut street = Street::with(2, Chat::without_flood_limit);
    let mut bob = street.guest(1, "bob");
    let mut alice = street.guest(0, "alice");
    street.heard(&mut bob);
    let said = "x".repeat(99) + "\n";
    let said = said.repeat(LINES);
    let mut rest = said.as_bytes();
    // For a while only the first house has its turns, twice as many as it needs for reading all of it.
    for _ in 0..4_000 {
        rest = &rest[alice.send_some(rest)..];
        street.houses[0].0.turn(Some(Duration::ZERO)).unwrap();
    }
    assert!(!rest.is_empty(), "all of it was read for one who is not there");
    let expected = LINES * "<alice> \n".len() + LINES * 99;
    street.turn_until(|| {
        rest = &rest[alice.send_some(rest)..];
        bob.read();
        bob.received.len() == expected
    });
}

#[test]
fn a_chat_that_is_linked_later_learns_who_is_there() {
    let mut street = Street::new(1);
    let mut alice = street.guest(0, "alice");
    street.guest(0, "bob").hang_up();
    street.until(&mut alice, "* bob left\n");
    street.build(|chat| chat);
    street.settle();
    street.build(|chat| chat);
    street.settle();
    let mut carol = street.stranger(2);
    street.says(&mut carol, "carol");
    street.until(&mut carol, "* you are in lobby with alice\n");
    street.settle(); // So that all have heard of carol before there is a dave.
    let mut dave = street.guest(1, "dave");
    street.says(&mut dave, "/who");
    assert_eq!(street.caught_up(&mut dave), "* in lobby: alice, carol, dave\n");
}

#[test]
fn people_of_a_reactor_that_is_gone_are_gone_and_their_names_free() {
    let mut street = Street::new(2);
    let mut alice = street.guest(0, "alice");
    let _bob = street.guest(1, "bob");
    street.heard(&mut alice);
    drop(street.houses.pop());
    street.settle();
    street.says(&mut alice, "hello?");
    street.says(&mut alice, "/who");
    assert_eq!(street.caught_up(&mut alice), "* bob left\n* in lobby: alice\n");
    street.guest(0, "bob");
}

#[test]
fn a_group_chats_on_one_port_until_it_is_stopped() {
    let mut group = ReactorGroup::new(3).unwrap();
    let network = Network::new();
    let port = group.listen_tcp("127.0.0.1:0", move |member| {
        Chat::linked(&network, member.context()).factory()
    });
    let (address, handle) = (port.unwrap().address().clone(), group.handle());
    let run = thread::spawn(move || group.run());

    let read = |client: &mut BufReader<TcpStream>| {
        let mut line = String::new();
        client.read_line(&mut line).unwrap();
        line
    };
    // One may hear late of another's coming, of which others have heard already.
    let until = |client: &mut BufReader<TcpStream>, expected: &str| loop {
        let line = read(client);
        if line == expected {
            return;
        }
        assert!(line.ends_with(" joined lobby\n"), "{line:?} before {expected:?}");
    };
    // Enough of them that they are with all of the reactors, whatever the system chooses.
    let mut clients: Vec<BufReader<TcpStream>> = Vec::new();
    for number in 0..40 {
        let stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut client = BufReader::new(stream);
        writeln!(client.get_mut(), "guest{number}").unwrap();
        while !read(&mut client).starts_with("* you are ") {}
        for other in &mut clients {
            until(other, &format!("* guest{number} joined lobby\n"));
        }
        clients.push(client);
    }
    for speaker in [0, 17, 39] {
        writeln!(clients[speaker].get_mut(), "hello").unwrap();
        for (_, client) in clients.iter_mut().enumerate().filter(|(number, _)| *number != speaker) {
            until(client, &format!("<guest{speaker}> hello\n"));
        }
    }
    handle.stop().unwrap();
    for client in &mut clients {
        assert_eq!(read(client), "", "an end in order");
    }
    drop(clients);
    run.join().unwrap().unwrap();
}
