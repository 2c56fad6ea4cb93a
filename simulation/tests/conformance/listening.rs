//! Listening, and connections that were not accepted.

use crate::actors::{Event, quiet};
use crate::environment::{Client, Server, run_everywhere, run_with_two_reactors};
use ropewalk::{ListenOptions, Transport};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

const IN_USE: &str = "AddrInUse, address already in use (a socket of this or another program uses this \
                      port; choose another port, or port 0 to let the system choose one)";

#[test]
fn port_0_is_assigned_by_the_system() {
    let expected = &["server: another each time"];
    run_everywhere(expected, |environment| {
        let ports: Vec<u16> = (0..5).map(|_| environment.listen("server", quiet).port()).collect();
        if ports.iter().all(|port| *port > 1023) && ports.windows(2).all(|two| two[0] != two[1]) {
            environment.note("server", "another each time");
        }
    });
}

#[test]
fn an_address_can_have_one_listener() {
    let expected = format!("server: {IN_USE}, {IN_USE}");
    run_everywhere(&[&expected], |environment| {
        let address = environment.listen("server", quiet);
        for ip in [address.ip(), ANY] {
            let actors = environment.actors("server", quiet);
            let address = SocketAddr::new(ip, address.port());
            let outcome = environment.at(Server).listen_tcp(address, actors);
            environment.note_outcome("server", outcome);
        }
    });
}

#[test]
fn a_wildcard_listener_excludes_specific_ones() {
    let expected = format!("server: {IN_USE}");
    run_everywhere(&[&expected], |environment| {
        let actors = environment.actors("server", quiet);
        let port = environment.at(Server).listen_tcp((ANY, 0), actors).unwrap();
        let (actors, ip) = (environment.actors("server", quiet), environment.ip(Server));
        let outcome =
            environment.at(Server).listen_tcp((ip, port.address().port().unwrap()), actors);
        environment.note_outcome("server", outcome);
    });
}

#[test]
fn the_ipv6_wildcard_includes_ipv4_by_default() {
    let expected = format!("server: {IN_USE}, {IN_USE}, done");
    run_everywhere(&[&expected], |environment| {
        for only_ipv6 in [false, true] {
            let actors = environment.actors("server", quiet);
            let (any, options) =
                ((Ipv6Addr::UNSPECIFIED, 0), ListenOptions::new().only_ipv6(only_ipv6));
            let port = options.listen_tcp(environment.at(Server), any, actors).unwrap();
            let port = port.address().port().unwrap();
            for ip in [environment.ip(Server), ANY].iter().take(2 - usize::from(only_ipv6)) {
                let actors = environment.actors("server", quiet);
                let outcome = environment.at(Server).listen_tcp((*ip, port), actors);
                environment.note_outcome("server", outcome);
            }
        }
    });
}

#[test]
fn a_port_of_a_connection_is_in_use() {
    let expected = format!("client: made, {IN_USE}");
    run_everywhere(&[&expected, "server: made"], |environment| {
        let address = environment.listen("server", quiet);
        environment.connect("client", address, quiet);
        environment.until("both there", |log| log.made("client") && log.made("server"));
        let (from, _) = environment.log().addresses("client");
        let actors = environment.actors("client", quiet);
        let outcome = environment.at(Client).listen_tcp(from, actors);
        environment.note_outcome("client", outcome);
    });
}

#[test]
fn closing_a_listener_frees_its_port() {
    let expected = &["client: made", "server: made, done, made, eof, lost: closed by the peer"];
    run_everywhere(expected, |environment| {
        let address = environment.listen("server", quiet);
        // The connection stays, and does not keep the port in use.
        environment.connect("client", address, |_, _| {});
        environment.until("both there", |log| log.made("client") && log.made("server"));
        let listener = environment.listener();
        environment.at(Server).close(listener);
        environment.settle();
        let actors = environment.actors("server", quiet);
        let outcome = environment.at(Server).listen_tcp(address, actors);
        environment.note_outcome("server", outcome);
        let id = environment.connect("client new", address, quiet);
        environment.until("made", |log| log.made("client new"));
        environment.settle();
        environment.at(Client).close(id);
        environment.until_lost(&["client new"]);
        environment.settle();
        _ = environment.log().take("client new");
    });
}

#[test]
fn a_foreign_address_cannot_be_listened_on() {
    let expected = &[
        "server: AddrNotAvailable, cannot assign requested address (this machine does not have this \
         address; use 127.0.0.1 or [::1], or 0.0.0.0 or [::] for all addresses)",
    ];
    run_everywhere(expected, |environment| {
        let actors = environment.actors("server", quiet);
        let outcome = environment.at(Server).listen_tcp("192.0.2.77:0", actors);
        environment.note_outcome("server", outcome);
    });
}

#[test]
fn closing_a_listener_resets_unaccepted_connections() {
    let expected = &["client: made, lost: reset by the peer"];
    run_with_two_reactors(expected, |environment| {
        let address = environment.listen("server", quiet);
        let listener = environment.listener();
        environment.hold(Server);
        environment.connect("client", address, quiet);
        environment.until("made", |log| log.made("client"));
        environment.settle();
        environment.at(Server).close(listener);
        environment.release();
        environment.until_lost(&["client"]);
    });
}

#[test]
fn data_sent_before_accept_is_received() {
    let expected = &[
        "client: made, lost: closed by us",
        "server: made, \"hello\", eof, lost: closed by the peer",
    ];
    run_with_two_reactors(expected, |environment| {
        let address = environment.listen("server", quiet);
        environment.hold(Server);
        environment.connect("client", address, |transport, event| {
            if let Event::Made = event {
                transport.write(b"hello");
                transport.close();
            }
        });
        environment.until_lost(&["client"]);
        environment.release();
        environment.until_lost(&["server"]);
    });
}

/// Linux accepts it like others; the reset is noticed by the next read.
#[test]
fn a_connection_reset_before_accept_is_seen() {
    let expected = &["client: made, lost: aborted by us", "server: made, lost: reset by the peer"];
    run_with_two_reactors(expected, |environment| {
        let address = environment.listen("server", quiet);
        environment.hold(Server);
        environment.connect("client", address, |transport, event| {
            if let Event::Made = event {
                transport.abort();
            }
        });
        environment.until_lost(&["client"]);
        environment.release();
        environment.until_lost(&["server"]);
    });
}

#[test]
fn a_hundred_simultaneous_connections_are_accepted() {
    let expected = &["server: all received"];
    run_everywhere(expected, |environment| {
        let log = environment.log();
        let hook = move |transport: &mut Transport<'_>, event: Event<'_>| {
            if let Event::Data(data) = event {
                let number = String::from_utf8_lossy(data).into_owned();
                log.note("number", number);
                transport.close();
            }
        };
        let address = environment.listen("many", hook);
        for number in 0..100 {
            environment.connect("clients", address, move |transport, event| match event {
                Event::Made => write!(transport, "{number}"),
                event => quiet(transport, event),
            });
        }
        environment.until("all", |log| log.count("number", "") == 100);
        environment.until("all gone", |log| log.count("clients", "lost") == 100);
        environment.settle();
        let log = environment.log();
        let mut numbers = log.take("number");
        numbers.sort_by_key(|number| number.parse::<u32>().unwrap());
        assert_eq!(numbers, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
        log.forget("many");
        log.forget("clients");
        environment.note("server", "all received");
    });
}
