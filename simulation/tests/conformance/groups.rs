//! Multicast.

use crate::actors::silent;
use crate::environment::{Environment, Server, run_with_one_reactor};
use ropewalk::{DatagramOptions, Error, Id};
use std::net::Ipv4Addr;

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 11);
const LO: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Opens a socket that shares a port with others; port 0 is that of the first.
fn hearer(environment: &mut Environment, name: &str, port: u16) -> Result<(Id, u16), Error> {
    let options = DatagramOptions::new().reuse_address(true);
    let any = (Ipv4Addr::UNSPECIFIED, port);
    let port = environment.bind_with(Server, name, any, &options, silent)?;
    Ok((port.id(), port.address().port().expect("a port")))
}

#[test]
fn members_of_a_group_receive_until_leaving() {
    let expected = &[
        "server: started, done, \"one\", \"two\"",
        "server 2: started, done, \"one\", done",
        "server 3: started",
        "speaker: started",
    ];
    run_with_one_reactor(expected, |environment| {
        let (first, port) = hearer(environment, "server", 0).unwrap();
        let (second, _) = hearer(environment, "server 2", port).unwrap();
        hearer(environment, "server 3", port).unwrap();
        environment.settle();
        for (name, id) in [("server", first), ("server 2", second)] {
            let outcome = environment.at(Server).datagram(id).join_group(GROUP, LO);
            environment.note_outcome(name, outcome);
        }
        let speaker = environment.bind(Server, "speaker", silent);
        environment.at(Server).datagram(speaker.id()).set_multicast_interface(LO).unwrap();
        environment.at(Server).datagram(speaker.id()).send_to(b"one", (GROUP, port));
        environment.until("one", |log| log.has("server", "\"one") && log.has("server 2", "\"one"));
        environment.settle();
        let outcome = environment.at(Server).datagram(second).leave_group(GROUP, LO);
        environment.note_outcome("server 2", outcome);
        environment.at(Server).datagram(speaker.id()).send_to(b"two", (GROUP, port));
        environment.until("two", |log| log.has("server", "\"two"));
    });
}

#[test]
fn loopback_ignores_the_multicast_loop_option() {
    let expected = &["server: started, done, \"one\", \"two\"", "speaker: started"];
    run_with_one_reactor(expected, |environment| {
        let (id, port) = hearer(environment, "server", 0).unwrap();
        environment.settle();
        let outcome = environment.at(Server).datagram(id).join_group(GROUP, LO);
        environment.note_outcome("server", outcome);
        let speaker = environment.bind(Server, "speaker", silent);
        environment.at(Server).datagram(speaker.id()).set_multicast_interface(LO).unwrap();
        for (says, loops) in [(b"one", false), (b"two", true)] {
            environment.at(Server).datagram(speaker.id()).set_multicast_loopback(loops).unwrap();
            environment.at(Server).datagram(speaker.id()).send_to(says, (GROUP, port));
            environment.settle();
        }
        environment.until("two", |log| log.has("server", "\"two"));
    });
}

#[test]
fn a_group_can_be_joined_once() {
    let expected =
        &["server: started, done, AddrInUse, address already in use (already joined), done, \
         AddrNotAvailable, cannot assign requested address (not joined on this interface)"];
    run_with_one_reactor(expected, |environment| {
        let (id, _) = hearer(environment, "server", 0).unwrap();
        environment.settle();
        for _ in 0..2 {
            let outcome = environment.at(Server).datagram(id).join_group(GROUP, LO);
            environment.note_outcome("server", outcome);
        }
        for _ in 0..2 {
            let outcome = environment.at(Server).datagram(id).leave_group(GROUP, LO);
            environment.note_outcome("server", outcome);
        }
    });
}

#[test]
fn only_groups_can_be_joined() {
    let expected = &["server: started, InvalidInput"];
    run_with_one_reactor(expected, |environment| {
        let (id, _) = hearer(environment, "server", 0).unwrap();
        environment.settle();
        let outcome =
            environment.at(Server).datagram(id).join_group(Ipv4Addr::new(10, 0, 0, 9), LO);
        environment.note("server", format!("{:?}", outcome.unwrap_err().kind()));
    });
}
