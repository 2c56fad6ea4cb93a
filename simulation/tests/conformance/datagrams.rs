//! Datagrams over UDP.

use crate::actors::{DatagramEvent, silent};
use crate::environment::{
    Client, Environment, Server, run_everywhere, run_with_one_reactor, run_with_two_reactors,
};
use ropewalk::{DatagramOptions, DatagramTransport, Port};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

fn echo(transport: &mut DatagramTransport<'_>, event: DatagramEvent<'_>) {
    if let DatagramEvent::Data(data, sender) = event {
        transport.send_to(data, sender);
    }
}

fn address(port: &Port) -> SocketAddr {
    port.address().socket_addr().expect("an IP address")
}

/// A server port without a receiver: its socket was closed.
fn unused_address(environment: &mut Environment) -> SocketAddr {
    let port = environment.bind(Server, "server gone", silent);
    environment.settle();
    environment.at(Server).close(port.id());
    environment.settle();
    environment.log().forget("server gone");
    address(&port)
}

#[test]
fn a_datagram_is_echoed_to_its_sender() {
    let expected = &["client: started, \"hello\"", "server: started, \"hello\""];
    run_everywhere(expected, |environment| {
        let server = environment.bind(Server, "server", echo);
        let client = environment.bind(Client, "client", silent);
        environment.at(Client).datagram(client.id()).send_to(b"hello", server.address());
        environment.until("echoed", |log| log.has("client", "\"hello"));
    });
}

#[test]
fn the_senders_address_is_reported() {
    let expected = &["client: started, stopped", "server: started, \"hello\", by its address"];
    run_everywhere(expected, |environment| {
        let log = environment.log();
        let client = environment.bind(Client, "client", silent);
        let from = client.address().clone();
        let server = environment.bind(Server, "server", move |_, event| {
            if let DatagramEvent::Data(_, sender) = event
                && *sender == from
            {
                log.note("server", "by its address");
            }
        });
        environment.at(Client).datagram(client.id()).send_to(b"hello", server.address());
        // Datagrams sent before the end are still sent.
        environment.at(Client).close(client.id());
        environment.until("received", |log| log.has("server", "by"));
    });
}

#[test]
fn an_empty_datagram_is_received() {
    let expected = &["client: started", "server: started, \"\", \"x\""];
    run_everywhere(expected, |environment| {
        let server = environment.bind(Server, "server", silent);
        let client = environment.bind(Client, "client", silent);
        environment.at(Client).datagram(client.id()).send_to(b"", server.address());
        environment.at(Client).datagram(client.id()).send_to(b"x", server.address());
        environment.until("both", |log| log.has("server", "\"x"));
    });
}

#[test]
fn a_longer_datagram_is_truncated() {
    let expected =
        &["client: started", "server: started, truncated \"01234567\", \"01234567\", \"0123456\""];
    run_everywhere(expected, |environment| {
        let options = DatagramOptions::new().max_datagram_size(8);
        let any = (environment.ip(Server), 0);
        let server = environment.bind_with(Server, "server", any, &options, silent).unwrap();
        let client = environment.bind(Client, "client", silent);
        for length in [10, 8, 7] {
            let data = &b"0123456789"[..length];
            environment.at(Client).datagram(client.id()).send_to(data, server.address());
        }
        environment.until("all", |log| log.has("server", "\"0123456\""));
    });
}

#[test]
fn the_longest_datagram_is_sent() {
    let expected = &[
        "client: started, error: Uncategorized, message too long (a UDP datagram holds at most 65,507 \
         bytes on IPv4, and 65,527 on IPv6)",
        "server: started, 65507 bytes",
    ];
    run_everywhere(expected, |environment| {
        let server = environment.bind(Server, "server", silent);
        let client = environment.bind(Client, "client", silent);
        for length in [65_508, 65_507] {
            environment
                .at(Client)
                .datagram(client.id())
                .send_to(&vec![7; length], server.address());
        }
        environment.until("the longest", |log| log.has("server", "65507"));
    });
}

#[test]
fn a_connected_socket_receives_a_refusal() {
    let expected = &["client: started, refused"];
    run_everywhere(expected, |environment| {
        let unused = unused_address(environment);
        let client = environment.bind_to("client", unused, silent);
        environment.at(Client).datagram(client.id()).send(b"anybody?");
        environment.until("refused", |log| log.has("client", "refused"));
    });
}

#[test]
fn each_refused_datagram_is_reported() {
    let expected =
        &["client: started, refused, refused, \"back again\"", "server: started, \"hello\""];
    run_everywhere(expected, |environment| {
        let unused = unused_address(environment);
        let client = environment.bind_to("client", unused, silent);
        for count in 1..=2 {
            environment.at(Client).datagram(client.id()).send(b"anybody?");
            environment.until("refused", |log| log.count("client", "refused") == count);
        }
        let options = DatagramOptions::new();
        let server =
            environment.bind_with(Server, "server", unused, &options, |transport, event| {
                if let DatagramEvent::Data(_, sender) = event {
                    transport.send_to(b"back again", sender);
                }
            });
        server.expect("its port");
        environment.at(Client).datagram(client.id()).send(b"hello");
        environment.until("an answer", |log| log.has("client", "\"back"));
    });
}

/// Only refused datagrams to its peer are reported to a connected socket.
#[test]
fn a_refusal_by_another_socket_is_ignored() {
    let expected = &["client: started, \"echo\"", "server: started, \"echo\""];
    run_everywhere(expected, |environment| {
        let unused = unused_address(environment);
        let server = environment.bind(Server, "server", echo);
        let client = environment.bind_to("client", server.address(), silent);
        environment.at(Client).datagram(client.id()).send_to(b"anybody?", unused);
        environment.settle();
        environment.at(Client).datagram(client.id()).send(b"echo");
        environment.until("echoed", |log| log.has("client", "\"echo"));
    });
}

#[test]
fn datagrams_to_port_0_are_errors() {
    let expected =
        &["client: started, error: InvalidInput, invalid argument (port 0 is not a destination)"];
    run_everywhere(expected, |environment| {
        let client = environment.bind(Client, "client", silent);
        let address = (environment.ip(Server), 0);
        environment.at(Client).datagram(client.id()).send_to(b"nobody", address);
        environment.until("refused", |log| log.has("client", "error"));
    });
}

#[test]
fn an_unconnected_socket_receives_no_refusal() {
    let expected = &["client: started, \"echo\"", "server: started, \"echo\""];
    run_with_two_reactors(expected, |environment| {
        let unused = unused_address(environment);
        let server = environment.bind(Server, "server", echo);
        let client = environment.bind(Client, "client", silent);
        environment.settle();
        environment.hold(Client);
        environment.at(Client).datagram(client.id()).send_to(b"anybody?", unused);
        environment.settle();
        // No earlier refusal is reported.
        environment.at(Client).datagram(client.id()).send_to(b"echo", server.address());
        environment.release();
        environment.until("echoed", |log| log.has("client", "\"echo"));
    });
}

/// connect(2) discards nothing; the reactor does.
#[test]
fn datagrams_received_before_connecting_are_discarded() {
    let expected =
        &["client: started, done, \"from the peer\"", "server: started", "server other: started"];
    run_with_two_reactors(expected, |environment| {
        let server = environment.bind(Server, "server", silent);
        let other = environment.bind(Server, "server other", silent);
        let client = environment.bind(Client, "client", silent);
        environment.settle();
        environment.hold(Client);
        environment.at(Server).datagram(other.id()).send_to(b"early", client.address());
        environment.settle();
        let outcome = environment.at(Client).datagram(client.id()).connect(server.address());
        environment.note_outcome("client", outcome);
        environment.at(Server).datagram(other.id()).send_to(b"late", client.address());
        environment.at(Server).datagram(server.id()).send_to(b"from the peer", client.address());
        environment.settle();
        environment.release();
        environment.until("received", |log| log.has("client", "\"from the peer"));
    });
}

#[test]
fn a_broadcast_needs_the_option() {
    let expected = &[
        "client: started, error: PermissionDenied, permission denied (a broadcast requires the option \
         `broadcast`; for other addresses a route forbids it (`ip route get` shows it))",
    ];
    run_everywhere(expected, |environment| {
        let any = (Ipv4Addr::UNSPECIFIED, 0);
        let client = environment.bind_with(Client, "client", any, &DatagramOptions::new(), silent);
        let id = client.unwrap().id();
        environment.at(Client).datagram(id).send_to(b"everybody!", (Ipv4Addr::BROADCAST, 7000));
        environment.until("refused", |log| log.has("client", "error"));
    });
}

#[test]
fn an_unconnected_socket_needs_a_destination() {
    let expected = &[
        "client: started, error: NotConnected, the socket has no peer (use `send_to`, or `connect` the \
         socket first)",
    ];
    run_everywhere(expected, |environment| {
        let client = environment.bind(Client, "client", silent);
        environment.at(Client).datagram(client.id()).send(b"to nobody");
        environment.until("refused", |log| log.has("client", "error"));
    });
}

#[test]
fn a_connected_socket_receives_only_its_peer() {
    let expected =
        &["client: started, \"from the peer\"", "server: started", "server other: started"];
    run_everywhere(expected, |environment| {
        let server = environment.bind(Server, "server", silent);
        let other = environment.bind(Server, "server other", silent);
        let client = environment.bind_to("client", server.address(), silent);
        environment.at(Server).datagram(other.id()).send_to(b"from another", client.address());
        environment.at(Server).datagram(server.id()).send_to(b"from the peer", client.address());
        environment.until("received", |log| log.has("client", "\"from the peer"));
    });
}

#[test]
fn two_connected_sockets_receive_their_own_peers() {
    let expected = &[
        "client: started, \"to the first\"",
        "client 2: started, \"to the other\"",
        "server: started, \"a\", \"b\"",
    ];
    run_everywhere(expected, |environment| {
        let server = environment.bind(Server, "server", silent);
        let first = environment.bind_to("client", server.address(), silent);
        let other = environment.bind_to("client 2", server.address(), silent);
        environment.at(Client).datagram(first.id()).send(b"a");
        environment.until("a", |log| log.has("server", "\"a"));
        environment.at(Client).datagram(other.id()).send(b"b");
        environment.until("b", |log| log.has("server", "\"b"));
        environment.at(Server).datagram(server.id()).send_to(b"to the first", first.address());
        environment.at(Server).datagram(server.id()).send_to(b"to the other", other.address());
        environment.until("both", |log| log.has("client", "\"to") && log.has("client 2", "\"to"));
    });
}

#[test]
fn a_peers_earlier_datagrams_are_kept() {
    let expected = &["client: started, \"early\", done, \"later\"", "server: started"];
    run_everywhere(expected, |environment| {
        let server = environment.bind(Server, "server", silent);
        let client = environment.bind(Client, "client", silent);
        environment.at(Server).datagram(server.id()).send_to(b"early", client.address());
        environment.until("early", |log| log.has("client", "\"early"));
        let outcome = environment.at(Client).datagram(client.id()).connect(server.address());
        environment.note_outcome("client", outcome);
        environment.at(Server).datagram(server.id()).send_to(b"later", client.address());
        environment.until("later", |log| log.has("client", "\"later"));
    });
}

#[test]
fn an_address_can_be_bound_once() {
    let expected = &["server: started, AddrInUse, AddrInUse, AddrNotAvailable, done"];
    run_everywhere(expected, |environment| {
        let port = address(&environment.bind(Server, "server", silent)).port();
        environment.settle();
        let (ip, options) = (environment.ip(Server), DatagramOptions::new());
        let any = Ipv4Addr::UNSPECIFIED.into();
        for address in [(ip, port), (any, port), ("192.0.2.77".parse().unwrap(), 0)] {
            let outcome = environment.bind_with(Server, "second", address, &options, silent);
            environment.note("server", format!("{:?}", outcome.unwrap_err().kind()));
        }
        // The TCP port of the same number may belong to another program.
        let is_free = (0..50).any(|_| {
            let port = address(&environment.bind(Server, "third", silent)).port();
            let actors = environment.actors("nobody", crate::actors::quiet);
            environment.at(Server).listen_tcp((ip, port), actors).is_ok()
        });
        environment.settle();
        environment.log().forget("third");
        environment.note("server", if is_free { "done" } else { "taken by TCP" });
    });
}

#[test]
fn the_ipv6_wildcard_receives_ipv4() {
    let expected = &[
        "client of IPv4: started, \"::ffff:127.0.0.1\"",
        "client of IPv6: started, \"::1\"",
        "server: started, \"4\", \"6\"",
    ];
    run_with_one_reactor(expected, |environment| {
        let any = (Ipv6Addr::UNSPECIFIED, 0);
        let tell = |transport: &mut DatagramTransport<'_>, event: DatagramEvent<'_>| {
            if let DatagramEvent::Data(_, sender) = event {
                let ip = sender.ip().unwrap().to_string();
                transport.send_to(ip.as_bytes(), sender);
            }
        };
        let server = environment.bind_with(Server, "server", any, &DatagramOptions::new(), tell);
        let port = server.unwrap().address().port().unwrap();
        let client = environment.bind_to("client of IPv4", (Ipv4Addr::LOCALHOST, port), silent);
        environment.at(Client).datagram(client.id()).send(b"4");
        environment.until("4", |log| log.has("client of IPv4", "\"::"));
        let client = environment.bind_to("client of IPv6", (Ipv6Addr::LOCALHOST, port), silent);
        environment.at(Client).datagram(client.id()).send(b"6");
        environment.until("6", |log| log.has("client of IPv6", "\"::"));
    });
}
