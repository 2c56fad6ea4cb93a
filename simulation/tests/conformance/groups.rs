//! Multicast.

use crate::actors::silent;
use crate::ground::{Ground, Server, together};
use ropewalk::{DatagramOptions, Error, Id};
use std::net::Ipv4Addr;

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 11);
const LO: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// One that hears a port with others; port 0 is the first's.
fn hearer(ground: &mut Ground, name: &str, port: u16) -> Result<(Id, u16), Error> {
    let options = DatagramOptions::new().reuse_address(true);
    let any = (Ipv4Addr::UNSPECIFIED, port);
    let port = ground.bind_with(Server, name, any, &options, silent)?;
    Ok((port.id(), port.address().port().expect("a port")))
}

#[test]
fn those_of_a_group_hear_it_until_they_leave() {
    let expected = &[
        "server: started, done, \"one\", \"two\"",
        "server 2: started, done, \"one\", done",
        "server 3: started",
        "speaker: started",
    ];
    together(expected, |ground| {
        let (first, port) = hearer(ground, "server", 0).unwrap();
        let (second, _) = hearer(ground, "server 2", port).unwrap();
        hearer(ground, "server 3", port).unwrap();
        ground.settle();
        for (name, id) in [("server", first), ("server 2", second)] {
            let outcome = ground.at(Server).datagram(id).join_group(GROUP, LO);
            ground.note_outcome(name, outcome);
        }
        let speaker = ground.bind(Server, "speaker", silent);
        ground.at(Server).datagram(speaker.id()).set_multicast_interface(LO).unwrap();
        ground.at(Server).datagram(speaker.id()).send_to(b"one", (GROUP, port));
        ground.until("one", |log| log.has("server", "\"one") && log.has("server 2", "\"one"));
        ground.settle();
        let outcome = ground.at(Server).datagram(second).leave_group(GROUP, LO);
        ground.note_outcome("server 2", outcome);
        ground.at(Server).datagram(speaker.id()).send_to(b"two", (GROUP, port));
        ground.until("two", |log| log.has("server", "\"two"));
    });
}

#[test]
fn what_leaves_by_the_loopback_comes_in_there_even_if_looping_is_off() {
    let expected = &["server: started, done, \"one\", \"two\"", "speaker: started"];
    together(expected, |ground| {
        let (id, port) = hearer(ground, "server", 0).unwrap();
        ground.settle();
        let outcome = ground.at(Server).datagram(id).join_group(GROUP, LO);
        ground.note_outcome("server", outcome);
        let speaker = ground.bind(Server, "speaker", silent);
        ground.at(Server).datagram(speaker.id()).set_multicast_interface(LO).unwrap();
        for (says, loops) in [(b"one", false), (b"two", true)] {
            ground.at(Server).datagram(speaker.id()).set_multicast_loopback(loops).unwrap();
            ground.at(Server).datagram(speaker.id()).send_to(says, (GROUP, port));
            ground.settle();
        }
        ground.until("two", |log| log.has("server", "\"two"));
    });
}

#[test]
fn a_group_is_joined_once_and_left_once() {
    let expected = &[
        "server: started, done, AddrInUse, address already in use (it was joined before), done, \
         AddrNotAvailable, cannot assign requested address (it was not joined there)",
    ];
    together(expected, |ground| {
        let (id, _) = hearer(ground, "server", 0).unwrap();
        ground.settle();
        for _ in 0..2 {
            let outcome = ground.at(Server).datagram(id).join_group(GROUP, LO);
            ground.note_outcome("server", outcome);
        }
        for _ in 0..2 {
            let outcome = ground.at(Server).datagram(id).leave_group(GROUP, LO);
            ground.note_outcome("server", outcome);
        }
    });
}

#[test]
fn what_is_no_group_cannot_be_joined() {
    let expected = &["server: started, InvalidInput"];
    together(expected, |ground| {
        let (id, _) = hearer(ground, "server", 0).unwrap();
        ground.settle();
        let outcome = ground.at(Server).datagram(id).join_group(Ipv4Addr::new(10, 0, 0, 9), LO);
        ground.note("server", format!("{:?}", outcome.unwrap_err().kind()));
    });
}
