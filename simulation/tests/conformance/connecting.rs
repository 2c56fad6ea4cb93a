//! Connection attempts: addresses, options and results.

use crate::actors::{Event, quiet};
use crate::environment::{
    Client, Environment, Server, run_everywhere, run_with_one_reactor, run_with_two_reactors,
};
use ropewalk::{ConnectOptions, KeepAlive, ListenOptions, SocketOption, Transport};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

#[test]
fn both_ends_know_both_addresses() {
    let expected = &[
        "client: made, lost: closed by us, connected to the listener's address",
        "server: made, eof, lost: closed by the peer, both say the same, from a port of the system's",
    ];
    run_everywhere(expected, |environment| {
        let log = environment.log();
        let address = environment.listen("server", quiet);
        environment.connect("client", address, quiet);
        environment.until("both there", |log| log.made("client") && log.made("server"));
        environment.with("client", |context, id| context.close(id));
        environment.until_lost(&["client", "server"]);
        let ((ours, peer), (local, client)) = (log.addresses("client"), log.addresses("server"));
        assert_eq!(ours.ip(), environment.ip(Client));
        if peer == address {
            environment.note("client", "connected to the listener's address");
        }
        if (ours, peer) == (client, local) {
            environment.note("server", "both say the same");
        }
        if ours.port() >= 1024 {
            environment.note("server", "from a port of the system's");
        }
    });
}

#[test]
fn a_closed_port_refuses_connections() {
    let expected = &["client: failed: ConnectionRefused, connection refused \
                      (nothing listens there; is the server running?)"];
    run_everywhere(expected, |environment| {
        let address = environment.closed_port();
        environment.connect("client", address, quiet);
        environment.until("refused", |log| log.has("client", "failed"));
    });
}

#[test]
fn the_next_address_is_tried_when_one_refuses() {
    let expected =
        &["client: made, lost: closed by us", "server: made, eof, lost: closed by the peer"];
    run_everywhere(expected, |environment| {
        let address = environment.listen("server", quiet);
        let addresses = [environment.closed_port(), address];
        environment.connect("client", &addresses[..], |transport, event| {
            if let Event::Made = event {
                transport.close();
            }
        });
        environment.until_lost(&["client", "server"]);
    });
}

/// On loopback, an ephemeral port may be assigned to a client that connects to the same port, which then connects
/// to itself.
#[test]
fn a_client_does_not_connect_to_itself() {
    let expected = &["client: failed: ConnectionRefused"];
    run_with_one_reactor(expected, |environment| {
        // Bound to the port to which it connects.
        let free = environment.listen("server", quiet);
        let listener = environment.listener();
        environment.at(Server).close(listener);
        environment.settle();
        let options = ConnectOptions::new().local_address(free);
        let actors = environment.actors("client itself", quiet);
        options.connect_tcp(environment.at(Client), free, actors).unwrap();
        environment.until("an outcome", |log| log.has("client itself", ""));
        let refused = environment.log().take("client itself");
        assert!(
            refused.iter().all(|line| line.starts_with("failed: ConnectionRefused")),
            "{refused:?}"
        );
        environment.note("client", "failed: ConnectionRefused");
    });
}

#[test]
fn a_client_connects_from_its_local_address() {
    let expected = &["client: made, from there", "server: made"];
    run_everywhere(expected, |environment| {
        let log = environment.log();
        let address = environment.listen("server", quiet);
        let ip = environment.ip(Client);
        let options = ConnectOptions::new().local_address((ip, 0).into());
        let actors = environment.actors("client", quiet);
        options.connect_tcp(environment.at(Client), address, actors).unwrap();
        environment.until("both there", |log| log.made("client") && log.made("server"));
        let (_, from) = log.addresses("server");
        if from.ip() == ip && from.port() != 0 {
            environment.note("client", "from there");
        }
    });
}

#[test]
fn a_foreign_local_address_is_refused() {
    let expected = &["client: failed: AddrNotAvailable, from the local address 192.0.2.77:0: \
                      Cannot assign requested address"];
    run_everywhere(expected, |environment| {
        let address = environment.listen("server", quiet);
        let options = ConnectOptions::new().local_address("192.0.2.77:0".parse().unwrap());
        let actors = environment.actors("client", quiet);
        options.connect_tcp(environment.at(Client), address, actors).unwrap();
        environment.until("refused", |log| log.has("client", "failed"));
    });
}

#[test]
fn a_connections_addresses_are_unique() {
    let expected = &[
        "client: made",
        "client other: failed: AddrInUse, from the local address",
        "server: made",
    ];
    run_everywhere(expected, |environment| {
        let log = environment.log();
        let address = environment.listen("server", quiet);
        environment.connect("client", address, quiet);
        environment.until("both there", |log| log.made("client") && log.made("server"));
        let options = ConnectOptions::new().local_address(log.addresses("server").1);
        let actors = environment.actors("client other", quiet);
        options.connect_tcp(environment.at(Client), address, actors).unwrap();
        environment.until("refused", |log| log.has("client other", "failed"));
        let why = environment.log().take("client other");
        environment.note("client other", why[0].split(" 1").next().unwrap());
    });
}

#[test]
fn ipv6_connections_are_made() {
    let expected = &[
        "client: made, \"hello\", lost: closed by us",
        "server: made, eof, lost: closed by the peer",
    ];
    run_with_one_reactor(expected, |environment| {
        let actors =
            environment.actors("server", |transport: &mut Transport<'_>, event: Event<'_>| {
                if let Event::Made = event {
                    transport.write(b"hello");
                }
                quiet(transport, event);
            });
        let port = environment.at(Server).listen_tcp((Ipv6Addr::LOCALHOST, 0), actors).unwrap();
        environment.connect("client", port.address(), |transport, event| {
            if let Event::Data(_) = event {
                transport.close();
            }
        });
        environment.until_lost(&["client", "server"]);
    });
}

/// A server on all IPv6 addresses, and a client of each family.
fn dual(environment: &mut Environment, only_ipv6: bool) {
    let options = ListenOptions::new().only_ipv6(only_ipv6);
    let (log, actors) = (environment.log(), environment.actors("server", quiet));
    let any = (Ipv6Addr::UNSPECIFIED, 0);
    let port = options.listen_tcp(environment.at(Server), any, actors).unwrap();
    let port = port.address().port().unwrap();
    for (name, ip) in [
        ("client of IPv4", IpAddr::from(Ipv4Addr::LOCALHOST)),
        ("client of IPv6", Ipv6Addr::LOCALHOST.into()),
    ] {
        environment.connect(name, SocketAddr::new(ip, port), quiet);
        environment.until("an outcome", |log| log.has(name, ""));
        environment.settle();
        if log.made("server") && log.made(name) {
            let server = log.last("server");
            environment.note("server", format!("from {}", log.addresses(&server).1.ip()));
        }
    }
}

#[test]
fn the_ipv6_wildcard_accepts_ipv4() {
    let expected = &[
        "client of IPv4: made",
        "client of IPv6: made",
        "server: made, from ::ffff:127.0.0.1, from ::1",
        "server 2: made",
    ];
    run_with_one_reactor(expected, |environment| dual(environment, false));
}

#[test]
fn an_ipv6_only_listener_refuses_ipv4() {
    let expected = &[
        "client of IPv4: failed: ConnectionRefused, connection refused \
         (nothing listens there; is the server running?)",
        "client of IPv6: made",
        "server: made, from ::1",
    ];
    run_with_one_reactor(expected, |environment| dual(environment, true));
}

#[test]
fn localhost_is_resolved() {
    let expected = &["client: made", "server: made"];
    run_with_one_reactor(expected, |environment| {
        let address = environment.listen("server", quiet);
        environment.connect("client", format!("localhost:{}", address.port()), quiet);
        environment.until("both there", |log| log.made("client") && log.made("server"));
    });
}

#[test]
fn an_unknown_name_is_not_found() {
    let expected = &["client: NotFound", "server: NotFound"];
    run_everywhere(expected, |environment| {
        environment.connect("client", "no such name..:7000", quiet);
        environment.until("failed", |log| log.has("client", "failed"));
        let failed = environment.log().take("client").concat();
        let starts = "failed: NotFound";
        environment.note("client", if failed.starts_with(starts) { "NotFound" } else { "?" });
        let actors = environment.actors("server", quiet);
        let error = environment.at(Server).listen_tcp("no such name..:7000", actors).unwrap_err();
        environment.note("server", format!("{:?}", error.kind()));
    });
}

#[test]
fn options_of_connections_are_set() {
    let expected = &["client: made, done, done, done, done, done, done, done", "server: made"];
    run_everywhere(expected, |environment| {
        let address = environment.listen("server", quiet);
        environment.connect("client", address, quiet);
        environment.until("both there", |log| log.made("client") && log.made("server"));
        for option in [
            SocketOption::KeepAlive(Some(KeepAlive::default())),
            SocketOption::KeepAlive(None),
            SocketOption::UserTimeout(Some(Duration::from_secs(5))),
            SocketOption::Nodelay(false),
            SocketOption::Ttl(3),
            SocketOption::SendBuffer(10_000),
            SocketOption::ReceiveBuffer(10_000),
        ] {
            let outcome = environment.with("client", |context, id| context.set_option(id, option));
            environment.note_outcome("client", outcome);
        }
    });
}

#[test]
fn invalid_options_are_refused() {
    let expected = &["client: made, InvalidInput, InvalidInput, InvalidInput", "server: made"];
    run_everywhere(expected, |environment| {
        let address = environment.listen("server", quiet);
        environment.connect("client", address, quiet);
        environment.until("both there", |log| log.made("client") && log.made("server"));
        for option in [
            SocketOption::KeepAlive(Some(KeepAlive { count: 0, ..KeepAlive::default() })),
            SocketOption::Linger(Some(Duration::from_secs(1))),
            SocketOption::Ttl(0),
        ] {
            let outcome = environment.with("client", |context, id| context.set_option(id, option));
            environment.note("client", format!("{:?}", outcome.unwrap_err().kind()));
        }
    });
}

/// The server's system answers, even if the server runs no turns.
#[test]
fn a_client_waits_for_a_full_queue() {
    let expected = &[
        "client: made",
        "client 2: made",
        "client 3: before the release, made",
        "server: made",
        "server 2: made",
        "server 3: made",
    ];
    run_with_two_reactors(expected, |environment| {
        let options = ListenOptions::new().backlog(1);
        let (address, actors) = ((environment.ip(Server), 0), environment.actors("server", quiet));
        let port = options.listen_tcp(environment.at(Server), address, actors).unwrap();
        environment.hold(Server);
        for name in ["client", "client 2", "client 3"] {
            environment.connect(name, port.address(), quiet);
            environment.settle();
        }
        environment.note("client 3", "before the release");
        environment.release();
        environment.until("all in", |log| log.made("server 3") && log.made("client 3"));
    });
}
