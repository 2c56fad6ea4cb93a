//! Datagrams over UDP.

use crate::actors::{News, silent};
use crate::ground::{Client, Ground, Server, apart, everywhere, together};
use ropewalk::{DatagramOptions, DatagramTransport, Port};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

fn echo(transport: &mut DatagramTransport<'_>, news: News<'_>) {
    if let News::Data(data, sender) = news {
        transport.send_to(data, sender);
    }
}

fn address(port: &Port) -> SocketAddr {
    port.address().socket_addr().expect("an IP address")
}

/// A port of the server's at which nobody receives: one that was there has gone.
fn deserted(ground: &mut Ground) -> SocketAddr {
    let port = ground.bind(Server, "server gone", silent);
    ground.settle();
    ground.at(Server).close(port.id());
    ground.settle();
    ground.log().forget("server gone");
    address(&port)
}

#[test]
fn a_datagram_is_echoed_to_where_it_came_from() {
    let expected = &["client: started, \"hello\"", "server: started, \"hello\""];
    everywhere(expected, |ground| {
        let server = ground.bind(Server, "server", echo);
        let client = ground.bind(Client, "client", silent);
        ground.at(Client).datagram(client.id()).send_to(b"hello", server.address());
        ground.until("echoed", |log| log.has("client", "\"hello"));
    });
}

#[test]
fn the_sender_is_told_by_its_address() {
    let expected = &["client: started, stopped", "server: started, \"hello\", by its address"];
    everywhere(expected, |ground| {
        let log = ground.log();
        let client = ground.bind(Client, "client", silent);
        let from = client.address().clone();
        let server = ground.bind(Server, "server", move |_, news| {
            if let News::Data(_, sender) = news
                && *sender == from
            {
                log.note("server", "by its address");
            }
        });
        ground.at(Client).datagram(client.id()).send_to(b"hello", server.address());
        // What was sent before the end is sent.
        ground.at(Client).close(client.id());
        ground.until("heard", |log| log.has("server", "by"));
    });
}

#[test]
fn an_empty_datagram_is_one() {
    let expected = &["client: started", "server: started, \"\", \"x\""];
    everywhere(expected, |ground| {
        let server = ground.bind(Server, "server", silent);
        let client = ground.bind(Client, "client", silent);
        ground.at(Client).datagram(client.id()).send_to(b"", server.address());
        ground.at(Client).datagram(client.id()).send_to(b"x", server.address());
        ground.until("both", |log| log.has("server", "\"x"));
    });
}

#[test]
fn what_is_longer_than_asked_for_is_cut() {
    let expected =
        &["client: started", "server: started, truncated \"01234567\", \"01234567\", \"0123456\""];
    everywhere(expected, |ground| {
        let options = DatagramOptions::new().max_datagram_size(8);
        let any = (ground.ip(Server), 0);
        let server = ground.bind_with(Server, "server", any, &options, silent).unwrap();
        let client = ground.bind(Client, "client", silent);
        for length in [10, 8, 7] {
            let data = &b"0123456789"[..length];
            ground.at(Client).datagram(client.id()).send_to(data, server.address());
        }
        ground.until("all", |log| log.has("server", "\"0123456\""));
    });
}

#[test]
fn the_longest_datagram_arrives_and_a_longer_one_is_an_error() {
    let expected = &[
        "client: started, error: Uncategorized, message too long (a UDP datagram holds at most 65,507 \
         bytes over IPv4 and 65,527 over IPv6)",
        "server: started, 65507 bytes",
    ];
    everywhere(expected, |ground| {
        let server = ground.bind(Server, "server", silent);
        let client = ground.bind(Client, "client", silent);
        for length in [65_508, 65_507] {
            ground.at(Client).datagram(client.id()).send_to(&vec![7; length], server.address());
        }
        ground.until("the longest", |log| log.has("server", "65507"));
    });
}

#[test]
fn a_connected_socket_hears_that_nobody_is_there() {
    let expected = &["client: started, refused"];
    everywhere(expected, |ground| {
        let nobody = deserted(ground);
        let client = ground.bind_to("client", nobody, silent);
        ground.at(Client).datagram(client.id()).send(b"anybody?");
        ground.until("refused", |log| log.has("client", "refused"));
    });
}

#[test]
fn a_refusal_is_told_for_each_datagram_and_does_not_eat_the_next() {
    let expected =
        &["client: started, refused, refused, \"back again\"", "server: started, \"hello\""];
    everywhere(expected, |ground| {
        let nobody = deserted(ground);
        let client = ground.bind_to("client", nobody, silent);
        for count in 1..=2 {
            ground.at(Client).datagram(client.id()).send(b"anybody?");
            ground.until("refused", |log| log.count("client", "refused") == count);
        }
        let options = DatagramOptions::new();
        let server = ground.bind_with(Server, "server", nobody, &options, |transport, news| {
            if let News::Data(_, sender) = news {
                transport.send_to(b"back again", sender);
            }
        });
        server.expect("its port");
        ground.at(Client).datagram(client.id()).send(b"hello");
        ground.until("an answer", |log| log.has("client", "\"back"));
    });
}

/// Only refusals of datagrams to its peer reach a connected socket.
#[test]
fn a_refusal_by_another_than_the_peer_is_not_heard() {
    let expected = &["client: started, \"echo\"", "server: started, \"echo\""];
    everywhere(expected, |ground| {
        let nobody = deserted(ground);
        let server = ground.bind(Server, "server", echo);
        let client = ground.bind_to("client", server.address(), silent);
        ground.at(Client).datagram(client.id()).send_to(b"anybody?", nobody);
        ground.settle();
        ground.at(Client).datagram(client.id()).send(b"echo");
        ground.until("echoed", |log| log.has("client", "\"echo"));
    });
}

#[test]
fn nothing_is_sent_to_port_0() {
    let expected =
        &["client: started, error: InvalidInput, invalid argument (there is no port 0 to send to)"];
    everywhere(expected, |ground| {
        let client = ground.bind(Client, "client", silent);
        let address = (ground.ip(Server), 0);
        ground.at(Client).datagram(client.id()).send_to(b"nobody", address);
        ground.until("refused", |log| log.has("client", "error"));
    });
}

#[test]
fn a_socket_that_is_not_connected_hears_nothing_of_it() {
    let expected = &["client: started, \"echo\"", "server: started, \"echo\""];
    apart(expected, |ground| {
        let nobody = deserted(ground);
        let server = ground.bind(Server, "server", echo);
        let client = ground.bind(Client, "client", silent);
        ground.settle();
        ground.hold(Client);
        ground.at(Client).datagram(client.id()).send_to(b"anybody?", nobody);
        ground.settle();
        // No refusal stands in its way.
        ground.at(Client).datagram(client.id()).send_to(b"echo", server.address());
        ground.release();
        ground.until("echoed", |log| log.has("client", "\"echo"));
    });
}

/// connect(2) throws nothing away; the reactor does.
#[test]
fn what_others_sent_before_it_was_connected_is_not_heard() {
    let expected =
        &["client: started, done, \"from the peer\"", "server: started", "server other: started"];
    apart(expected, |ground| {
        let server = ground.bind(Server, "server", silent);
        let other = ground.bind(Server, "server other", silent);
        let client = ground.bind(Client, "client", silent);
        ground.settle();
        ground.hold(Client);
        ground.at(Server).datagram(other.id()).send_to(b"early", client.address());
        ground.settle();
        let outcome = ground.at(Client).datagram(client.id()).connect(server.address());
        ground.note_outcome("client", outcome);
        ground.at(Server).datagram(other.id()).send_to(b"late", client.address());
        ground.at(Server).datagram(server.id()).send_to(b"from the peer", client.address());
        ground.settle();
        ground.release();
        ground.until("heard", |log| log.has("client", "\"from the peer"));
    });
}

#[test]
fn nobody_broadcasts_without_being_allowed_to() {
    let expected = &[
        "client: started, error: PermissionDenied, permission denied (broadcasting has to \
                      be allowed first, with `broadcast`; else a route forbids it (`ip route get`))",
    ];
    everywhere(expected, |ground| {
        let any = (Ipv4Addr::UNSPECIFIED, 0);
        let client = ground.bind_with(Client, "client", any, &DatagramOptions::new(), silent);
        let id = client.unwrap().id();
        ground.at(Client).datagram(id).send_to(b"everybody!", (Ipv4Addr::BROADCAST, 7000));
        ground.until("refused", |log| log.has("client", "error"));
    });
}

#[test]
fn a_socket_that_is_not_connected_has_to_say_to_whom() {
    let expected = &[
        "client: started, error: NotConnected, the socket has no peer (use `send_to`, or `connect` it \
                      first)",
    ];
    everywhere(expected, |ground| {
        let client = ground.bind(Client, "client", silent);
        ground.at(Client).datagram(client.id()).send(b"to nobody");
        ground.until("refused", |log| log.has("client", "error"));
    });
}

#[test]
fn a_connected_socket_hears_its_peer_and_nobody_else() {
    let expected =
        &["client: started, \"from the peer\"", "server: started", "server other: started"];
    everywhere(expected, |ground| {
        let server = ground.bind(Server, "server", silent);
        let other = ground.bind(Server, "server other", silent);
        let client = ground.bind_to("client", server.address(), silent);
        ground.at(Server).datagram(other.id()).send_to(b"from another", client.address());
        ground.at(Server).datagram(server.id()).send_to(b"from the peer", client.address());
        ground.until("heard", |log| log.has("client", "\"from the peer"));
    });
}

#[test]
fn two_that_are_connected_hear_each_its_own_peer() {
    let expected = &[
        "client: started, \"to the first\"",
        "client 2: started, \"to the other\"",
        "server: started, \"a\", \"b\"",
    ];
    everywhere(expected, |ground| {
        let server = ground.bind(Server, "server", silent);
        let first = ground.bind_to("client", server.address(), silent);
        let other = ground.bind_to("client 2", server.address(), silent);
        ground.at(Client).datagram(first.id()).send(b"a");
        ground.until("a", |log| log.has("server", "\"a"));
        ground.at(Client).datagram(other.id()).send(b"b");
        ground.until("b", |log| log.has("server", "\"b"));
        ground.at(Server).datagram(server.id()).send_to(b"to the first", first.address());
        ground.at(Server).datagram(server.id()).send_to(b"to the other", other.address());
        ground.until("both", |log| log.has("client", "\"to") && log.has("client 2", "\"to"));
    });
}

#[test]
fn what_came_before_it_was_connected_is_still_there() {
    let expected = &["client: started, \"early\", done, \"later\"", "server: started"];
    everywhere(expected, |ground| {
        let server = ground.bind(Server, "server", silent);
        let client = ground.bind(Client, "client", silent);
        ground.at(Server).datagram(server.id()).send_to(b"early", client.address());
        ground.until("early", |log| log.has("client", "\"early"));
        let outcome = ground.at(Client).datagram(client.id()).connect(server.address());
        ground.note_outcome("client", outcome);
        ground.at(Server).datagram(server.id()).send_to(b"later", client.address());
        ground.until("later", |log| log.has("client", "\"later"));
    });
}

#[test]
fn an_address_can_be_received_on_once() {
    let expected = &["server: started, AddrInUse, AddrInUse, AddrNotAvailable, done"];
    everywhere(expected, |ground| {
        let port = address(&ground.bind(Server, "server", silent)).port();
        ground.settle();
        let (ip, options) = (ground.ip(Server), DatagramOptions::new());
        let any = Ipv4Addr::UNSPECIFIED.into();
        for address in [(ip, port), (any, port), ("192.0.2.77".parse().unwrap(), 0)] {
            let outcome = ground.bind_with(Server, "second", address, &options, silent);
            ground.note("server", format!("{:?}", outcome.unwrap_err().kind()));
        }
        // A port of TCP is another; somebody else's, now and then.
        let is_free = (0..50).any(|_| {
            let port = address(&ground.bind(Server, "third", silent)).port();
            let actors = ground.actors("nobody", crate::actors::quiet);
            ground.at(Server).listen_tcp((ip, port), actors).is_ok()
        });
        ground.settle();
        ground.log().forget("third");
        ground.note("server", if is_free { "done" } else { "taken by TCP" });
    });
}

#[test]
fn both_families_are_heard_by_one_of_all_ipv6_addresses() {
    let expected = &[
        "client of IPv4: started, \"::ffff:127.0.0.1\"",
        "client of IPv6: started, \"::1\"",
        "server: started, \"4\", \"6\"",
    ];
    together(expected, |ground| {
        let any = (Ipv6Addr::UNSPECIFIED, 0);
        let tell = |transport: &mut DatagramTransport<'_>, news: News<'_>| {
            if let News::Data(_, sender) = news {
                let ip = sender.ip().unwrap().to_string();
                transport.send_to(ip.as_bytes(), sender);
            }
        };
        let server = ground.bind_with(Server, "server", any, &DatagramOptions::new(), tell);
        let port = server.unwrap().address().port().unwrap();
        let client = ground.bind_to("client of IPv4", (Ipv4Addr::LOCALHOST, port), silent);
        ground.at(Client).datagram(client.id()).send(b"4");
        ground.until("4", |log| log.has("client of IPv4", "\"::"));
        let client = ground.bind_to("client of IPv6", (Ipv6Addr::LOCALHOST, port), silent);
        ground.at(Client).datagram(client.id()).send(b"6");
        ground.until("6", |log| log.has("client of IPv6", "\"::"));
    });
}
