//! Where one can listen, and what becomes of those who knock.

use crate::actors::{Heard, quiet};
use crate::ground::{Client, Server, apart, everywhere};
use ropewalk::{ListenOptions, Transport};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

const IN_USE: &str = "AddrInUse, address already in use (a socket has it already, of this program or of \
                      another; choose another port, or port 0 to let the system choose one)";

#[test]
fn port_0_is_one_of_the_systems_choice() {
    let expected = &["server: another each time"];
    everywhere(expected, |ground| {
        let ports: Vec<u16> = (0..5).map(|_| ground.listen("server", quiet).port()).collect();
        if ports.iter().all(|port| *port > 1023) && ports.windows(2).all(|two| two[0] != two[1]) {
            ground.note("server", "another each time");
        }
    });
}

#[test]
fn an_address_can_be_listened_on_once() {
    let expected = format!("server: {IN_USE}, {IN_USE}");
    everywhere(&[&expected], |ground| {
        let address = ground.listen("server", quiet);
        for ip in [address.ip(), ANY] {
            let actors = ground.actors("server", quiet);
            let address = SocketAddr::new(ip, address.port());
            let outcome = ground.at(Server).listen_tcp(address, actors);
            ground.note_outcome("server", outcome);
        }
    });
}

#[test]
fn who_has_a_port_of_all_addresses_leaves_none_to_others() {
    let expected = format!("server: {IN_USE}");
    everywhere(&[&expected], |ground| {
        let actors = ground.actors("server", quiet);
        let port = ground.at(Server).listen_tcp((ANY, 0), actors).unwrap();
        let (actors, ip) = (ground.actors("server", quiet), ground.ip(Server));
        let outcome = ground.at(Server).listen_tcp((ip, port.address().port().unwrap()), actors);
        ground.note_outcome("server", outcome);
    });
}

#[test]
fn who_has_a_port_of_all_ipv6_addresses_has_it_of_ipv4_too_unless_it_says_no() {
    let expected = format!("server: {IN_USE}, {IN_USE}, done");
    everywhere(&[&expected], |ground| {
        for only_ipv6 in [false, true] {
            let actors = ground.actors("server", quiet);
            let (any, options) =
                ((Ipv6Addr::UNSPECIFIED, 0), ListenOptions::new().only_ipv6(only_ipv6));
            let port = options.listen_tcp(ground.at(Server), any, actors).unwrap();
            let port = port.address().port().unwrap();
            for ip in [ground.ip(Server), ANY].iter().take(2 - usize::from(only_ipv6)) {
                let actors = ground.actors("server", quiet);
                let outcome = ground.at(Server).listen_tcp((*ip, port), actors);
                ground.note_outcome("server", outcome);
            }
        }
    });
}

#[test]
fn a_port_from_which_somebody_has_connected_cannot_be_listened_on() {
    let expected = format!("client: made, {IN_USE}");
    everywhere(&[&expected, "server: made"], |ground| {
        let address = ground.listen("server", quiet);
        ground.connect("client", address, quiet);
        ground.until("both there", |log| log.made("client") && log.made("server"));
        let (from, _) = ground.log().addresses("client");
        let actors = ground.actors("client", quiet);
        let outcome = ground.at(Client).listen_tcp(from, actors);
        ground.note_outcome("client", outcome);
    });
}

#[test]
fn a_port_is_free_again_when_its_listener_has_been_closed() {
    let expected = &["client: made", "server: made, done, made, eof, lost: closed by the peer"];
    everywhere(expected, |ground| {
        let address = ground.listen("server", quiet);
        // The connection stays, and does not stand in the way.
        ground.connect("client", address, |_, _| {});
        ground.until("both there", |log| log.made("client") && log.made("server"));
        let listener = ground.listener();
        ground.at(Server).close(listener);
        ground.settle();
        let actors = ground.actors("server", quiet);
        let outcome = ground.at(Server).listen_tcp(address, actors);
        ground.note_outcome("server", outcome);
        let id = ground.connect("client new", address, quiet);
        ground.until("made", |log| log.made("client new"));
        ground.settle();
        ground.at(Client).close(id);
        ground.until_lost(&["client new"]);
        ground.settle();
        _ = ground.log().take("client new");
    });
}

#[test]
fn an_address_that_is_not_ours_cannot_be_listened_on() {
    let expected =
        &["server: AddrNotAvailable, cannot assign requested address (this machine has no \
                      such address; try 127.0.0.1 or [::1], or for all of them 0.0.0.0 or [::])"];
    everywhere(expected, |ground| {
        let actors = ground.actors("server", quiet);
        let outcome = ground.at(Server).listen_tcp("192.0.2.77:0", actors);
        ground.note_outcome("server", outcome);
    });
}

#[test]
fn who_was_not_accepted_hears_of_the_end_of_the_listener() {
    let expected = &["client: made, lost: reset by the peer"];
    apart(expected, |ground| {
        let address = ground.listen("server", quiet);
        let listener = ground.listener();
        ground.hold(Server);
        ground.connect("client", address, quiet);
        ground.until("made", |log| log.made("client"));
        ground.settle();
        ground.at(Server).close(listener);
        ground.release();
        ground.until_lost(&["client"]);
    });
}

#[test]
fn what_was_said_before_being_accepted_is_heard() {
    let expected = &[
        "client: made, lost: closed by us",
        "server: made, \"hello\", eof, lost: closed by the peer",
    ];
    apart(expected, |ground| {
        let address = ground.listen("server", quiet);
        ground.hold(Server);
        ground.connect("client", address, |transport, heard| {
            if let Heard::Made = heard {
                transport.write(b"hello");
                transport.close();
            }
        });
        ground.until_lost(&["client"]);
        ground.release();
        ground.until_lost(&["server"]);
    });
}

/// Linux has it accepted as others; then it is read, and the reset is met.
#[test]
fn who_has_reset_before_being_accepted_is_heard_to_come_and_go() {
    let expected = &["client: made, lost: aborted by us", "server: made, lost: reset by the peer"];
    apart(expected, |ground| {
        let address = ground.listen("server", quiet);
        ground.hold(Server);
        ground.connect("client", address, |transport, heard| {
            if let Heard::Made = heard {
                transport.abort();
            }
        });
        ground.until_lost(&["client"]);
        ground.release();
        ground.until_lost(&["server"]);
    });
}

#[test]
fn a_hundred_who_come_at_once_are_all_accepted() {
    let expected = &["server: all heard"];
    everywhere(expected, |ground| {
        let log = ground.log();
        let hook = move |transport: &mut Transport<'_>, heard: Heard<'_>| {
            if let Heard::Data(data) = heard {
                let number = String::from_utf8_lossy(data).into_owned();
                log.note("number", number);
                transport.close();
            }
        };
        let address = ground.listen("many", hook);
        for number in 0..100 {
            ground.connect("clients", address, move |transport, heard| match heard {
                Heard::Made => write!(transport, "{number}"),
                heard => quiet(transport, heard),
            });
        }
        ground.until("all", |log| log.count("number", "") == 100);
        ground.until("all gone", |log| log.count("clients", "lost") == 100);
        ground.settle();
        let log = ground.log();
        let mut numbers = log.take("number");
        numbers.sort_by_key(|number| number.parse::<u32>().unwrap());
        assert_eq!(numbers, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
        log.forget("many");
        log.forget("clients");
        ground.note("server", "all heard");
    });
}
