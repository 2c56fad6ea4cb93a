//! Who connects to whom, from where, and what becomes of it.

use crate::actors::{Heard, quiet};
use crate::ground::{Client, Ground, Server, apart, everywhere, together};
use ropewalk::{ConnectOptions, KeepAlive, ListenOptions, SocketOption, Transport};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

#[test]
fn both_ends_know_both_addresses() {
    let expected = &[
        "client: made, lost: closed by us, connected to the listener's address",
        "server: made, eof, lost: closed by the peer, both say the same, from a port of the system's",
    ];
    everywhere(expected, |ground| {
        let log = ground.log();
        let address = ground.listen("server", quiet);
        ground.connect("client", address, quiet);
        ground.until("both there", |log| log.made("client") && log.made("server"));
        ground.with("client", |context, id| context.close(id));
        ground.until_lost(&["client", "server"]);
        let ((ours, peer), (local, client)) = (log.addresses("client"), log.addresses("server"));
        assert_eq!(ours.ip(), ground.ip(Client));
        if peer == address {
            ground.note("client", "connected to the listener's address");
        }
        if (ours, peer) == (client, local) {
            ground.note("server", "both say the same");
        }
        if ours.port() >= 1024 {
            ground.note("server", "from a port of the system's");
        }
    });
}

#[test]
fn a_closed_port_refuses() {
    let expected = &["client: failed: ConnectionRefused, connection refused \
                      (nothing listens there; is the server running?)"];
    everywhere(expected, |ground| {
        let address = ground.closed_port();
        ground.connect("client", address, quiet);
        ground.until("refused", |log| log.has("client", "failed"));
    });
}

#[test]
fn the_next_address_is_tried_when_one_refuses() {
    let expected =
        &["client: made, lost: closed by us", "server: made, eof, lost: closed by the peer"];
    everywhere(expected, |ground| {
        let address = ground.listen("server", quiet);
        let addresses = [ground.closed_port(), address];
        ground.connect("client", &addresses[..], |transport, heard| {
            if let Heard::Made = heard {
                transport.close();
            }
        });
        ground.until_lost(&["client", "server"]);
    });
}

/// On the loopback a port of those that are given out may be given to one who connects to it, and who
/// has met itself then.
#[test]
fn nobody_connects_to_itself() {
    let expected = &["client: failed: ConnectionRefused"];
    together(expected, |ground| {
        // Bound to where it connects.
        let free = ground.listen("server", quiet);
        let listener = ground.listener();
        ground.at(Server).close(listener);
        ground.settle();
        let options = ConnectOptions::new().local_address(free);
        let actors = ground.actors("client itself", quiet);
        options.connect_tcp(ground.at(Client), free, actors).unwrap();
        ground.until("an outcome", |log| log.has("client itself", ""));
        let refused = ground.log().take("client itself");
        assert!(
            refused.iter().all(|line| line.starts_with("failed: ConnectionRefused")),
            "{refused:?}"
        );
        ground.note("client", "failed: ConnectionRefused");
    });
}

#[test]
fn one_connects_from_where_it_says() {
    let expected = &["client: made, from there", "server: made"];
    everywhere(expected, |ground| {
        let log = ground.log();
        let address = ground.listen("server", quiet);
        let ip = ground.ip(Client);
        let options = ConnectOptions::new().local_address((ip, 0).into());
        let actors = ground.actors("client", quiet);
        options.connect_tcp(ground.at(Client), address, actors).unwrap();
        ground.until("both there", |log| log.made("client") && log.made("server"));
        let (_, from) = log.addresses("server");
        if from.ip() == ip && from.port() != 0 {
            ground.note("client", "from there");
        }
    });
}

#[test]
fn one_cannot_connect_from_an_address_that_is_not_ours() {
    let expected = &["client: failed: AddrNotAvailable, from the local address 192.0.2.77:0: \
                      Cannot assign requested address"];
    everywhere(expected, |ground| {
        let address = ground.listen("server", quiet);
        let options = ConnectOptions::new().local_address("192.0.2.77:0".parse().unwrap());
        let actors = ground.actors("client", quiet);
        options.connect_tcp(ground.at(Client), address, actors).unwrap();
        ground.until("refused", |log| log.has("client", "failed"));
    });
}

#[test]
fn two_cannot_connect_from_one_port_to_the_same() {
    let expected = &[
        "client: made",
        "client other: failed: AddrInUse, from the local address",
        "server: made",
    ];
    everywhere(expected, |ground| {
        let log = ground.log();
        let address = ground.listen("server", quiet);
        ground.connect("client", address, quiet);
        ground.until("both there", |log| log.made("client") && log.made("server"));
        let options = ConnectOptions::new().local_address(log.addresses("server").1);
        let actors = ground.actors("client other", quiet);
        options.connect_tcp(ground.at(Client), address, actors).unwrap();
        ground.until("refused", |log| log.has("client other", "failed"));
        let why = ground.log().take("client other");
        ground.note("client other", why[0].split(" 1").next().unwrap());
    });
}

#[test]
fn ipv6_is_spoken() {
    let expected = &[
        "client: made, \"hello\", lost: closed by us",
        "server: made, eof, lost: closed by the peer",
    ];
    together(expected, |ground| {
        let actors = ground.actors("server", |transport: &mut Transport<'_>, heard: Heard<'_>| {
            if let Heard::Made = heard {
                transport.write(b"hello");
            }
            quiet(transport, heard);
        });
        let port = ground.at(Server).listen_tcp((Ipv6Addr::LOCALHOST, 0), actors).unwrap();
        ground.connect("client", port.address(), |transport, heard| {
            if let Heard::Data(_) = heard {
                transport.close();
            }
        });
        ground.until_lost(&["client", "server"]);
    });
}

/// The server of all IPv6 addresses; a client of each family.
fn dual(ground: &mut Ground, only_ipv6: bool) {
    let options = ListenOptions::new().only_ipv6(only_ipv6);
    let (log, actors) = (ground.log(), ground.actors("server", quiet));
    let any = (Ipv6Addr::UNSPECIFIED, 0);
    let port = options.listen_tcp(ground.at(Server), any, actors).unwrap();
    let port = port.address().port().unwrap();
    for (name, ip) in [
        ("client of IPv4", IpAddr::from(Ipv4Addr::LOCALHOST)),
        ("client of IPv6", Ipv6Addr::LOCALHOST.into()),
    ] {
        ground.connect(name, SocketAddr::new(ip, port), quiet);
        ground.until("an outcome", |log| log.has(name, ""));
        ground.settle();
        if log.made("server") && log.made(name) {
            let server = log.last("server");
            ground.note("server", format!("from {}", log.addresses(&server).1.ip()));
        }
    }
}

#[test]
fn who_listens_on_all_ipv6_addresses_is_reached_by_ipv4_too() {
    let expected = &[
        "client of IPv4: made",
        "client of IPv6: made",
        "server: made, from ::ffff:127.0.0.1, from ::1",
        "server 2: made",
    ];
    together(expected, |ground| dual(ground, false));
}

#[test]
fn who_listens_on_ipv6_only_is_not_reached_by_ipv4() {
    let expected = &[
        "client of IPv4: failed: ConnectionRefused, connection refused \
         (nothing listens there; is the server running?)",
        "client of IPv6: made",
        "server: made, from ::1",
    ];
    together(expected, |ground| dual(ground, true));
}

#[test]
fn localhost_is_this_machine() {
    let expected = &["client: made", "server: made"];
    together(expected, |ground| {
        let address = ground.listen("server", quiet);
        ground.connect("client", format!("localhost:{}", address.port()), quiet);
        ground.until("both there", |log| log.made("client") && log.made("server"));
    });
}

#[test]
fn a_name_that_does_not_exist_is_not_found() {
    let expected = &["client: NotFound", "server: NotFound"];
    everywhere(expected, |ground| {
        let actors = ground.actors("client", quiet);
        let error = ground.at(Client).connect_tcp("no such name..:7000", actors).unwrap_err();
        ground.note("client", format!("{:?}", error.kind()));
        let actors = ground.actors("server", quiet);
        let error = ground.at(Server).listen_tcp("no such name..:7000", actors).unwrap_err();
        ground.note("server", format!("{:?}", error.kind()));
    });
}

#[test]
fn options_of_connections_are_taken() {
    let expected = &["client: made, done, done, done, done, done, done, done", "server: made"];
    everywhere(expected, |ground| {
        let address = ground.listen("server", quiet);
        ground.connect("client", address, quiet);
        ground.until("both there", |log| log.made("client") && log.made("server"));
        for option in [
            SocketOption::KeepAlive(Some(KeepAlive::default())),
            SocketOption::KeepAlive(None),
            SocketOption::UserTimeout(Some(Duration::from_secs(5))),
            SocketOption::Nodelay(false),
            SocketOption::Ttl(3),
            SocketOption::SendBuffer(10_000),
            SocketOption::ReceiveBuffer(10_000),
        ] {
            let outcome = ground.with("client", |context, id| context.set_option(id, option));
            ground.note_outcome("client", outcome);
        }
    });
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let expected = &["client: made, InvalidInput, InvalidInput, InvalidInput", "server: made"];
    everywhere(expected, |ground| {
        let address = ground.listen("server", quiet);
        ground.connect("client", address, quiet);
        ground.until("both there", |log| log.made("client") && log.made("server"));
        for option in [
            SocketOption::KeepAlive(Some(KeepAlive { count: 0, ..KeepAlive::default() })),
            SocketOption::Linger(Some(Duration::from_secs(1))),
            SocketOption::Ttl(0),
        ] {
            let outcome = ground.with("client", |context, id| context.set_option(id, option));
            ground.note("client", format!("{:?}", outcome.unwrap_err().kind()));
        }
    });
}

/// The system of the server answers, whether it takes turns or not.
#[test]
fn who_knocks_at_a_full_queue_gets_in_later() {
    let expected = &[
        "client: made",
        "client 2: made",
        "client 3: before the release, made",
        "server: made",
        "server 2: made",
        "server 3: made",
    ];
    apart(expected, |ground| {
        let options = ListenOptions::new().backlog(1);
        let (address, actors) = ((ground.ip(Server), 0), ground.actors("server", quiet));
        let port = options.listen_tcp(ground.at(Server), address, actors).unwrap();
        ground.hold(Server);
        for name in ["client", "client 2", "client 3"] {
            ground.connect(name, port.address(), quiet);
            ground.settle();
        }
        ground.note("client 3", "before the release");
        ground.release();
        ground.until("all in", |log| log.made("server 3") && log.made("client 3"));
    });
}
