//! Datagrams over Unix sockets.

use crate::actors::{News, plain, quiet, silent};
use crate::ground::{Client, Ground, Server, together};
use crate::unix::{REFUSED, WRONG_TYPE, names};
use ropewalk::{DatagramOptions, DatagramTransport, Error, Port, SocketOption, UnixAddress};

fn receive(
    ground: &mut Ground,
    name: &str,
    address: impl Into<UnixAddress>,
    hook: impl FnMut(&mut DatagramTransport<'_>, News<'_>) + 'static,
) -> Result<Port, Error> {
    let actor = ground.datagram_actor(name, hook);
    ground.at(Server).listen_unix_datagram(address, actor)
}

#[test]
fn datagrams_tell_the_name_of_a_sender_that_has_one() {
    let expected = &["client: started, \"hello\"", "server: started, \"hello\""];
    together(expected, |ground| {
        let (path, own) = (ground.path("server.sock"), ground.path("client.sock"));
        let answer = |transport: &mut DatagramTransport<'_>, news: News<'_>| {
            if let News::Data(data, sender) = news {
                transport.send_to(data, sender);
            }
        };
        receive(ground, "server", path.clone(), answer).unwrap();
        let client = receive(ground, "client", own, silent).unwrap();
        ground.at(Client).datagram(client.id()).send_to(b"hello", UnixAddress::from(path));
        ground.until("answered", |log| log.has("client", "\"hello"));
    });
}

#[test]
fn a_sender_without_a_name_is_heard_and_cannot_be_answered() {
    let expected = &["client: started", "server: started, \"hello\", from (unnamed)"];
    together(expected, |ground| {
        let (path, log) = (ground.path("server.sock"), ground.log());
        let hook = move |_: &mut DatagramTransport<'_>, news: News<'_>| {
            if let News::Data(_, sender) = news {
                log.note("server", format!("from {sender}"));
            }
        };
        receive(ground, "server", path.clone(), hook).unwrap();
        let actor = ground.datagram_actor("client", silent);
        let client = ground.at(Client).connect_unix_datagram(path, actor).unwrap();
        ground.at(Client).datagram(client.id()).send(b"hello");
        ground.until("heard", |log| log.has("server", "from"));
    });
}

#[test]
fn datagrams_to_nobody_are_errors() {
    let expected = &[
        "client: started, error: NotFound, no such file or directory (no such socket; is the server \
         running?), NotFound, no such file or directory (no such socket; is the server running?)",
    ];
    together(expected, |ground| {
        let (own, nobody) = (ground.path("client.sock"), ground.path("nobody.sock"));
        let client = receive(ground, "client", own, silent).unwrap();
        let to = UnixAddress::from(nobody.clone());
        ground.at(Client).datagram(client.id()).send_to(b"anybody?", to);
        ground.until("an error", |log| log.has("client", "error"));
        let actor = ground.datagram_actor("client", silent);
        let error = ground.at(Client).connect_unix_datagram(nobody, actor).unwrap_err();
        ground.note("client", plain(&error));
    });
}

#[test]
fn who_was_connected_hears_that_the_receiver_is_gone() {
    let expected = &["client: started, refused", "server: started, stopped"];
    together(expected, |ground| {
        let path = ground.path("server.sock");
        let server = receive(ground, "server", path.clone(), silent).unwrap();
        let actor = ground.datagram_actor("client", silent);
        let client = ground.at(Client).connect_unix_datagram(path, actor).unwrap();
        ground.settle();
        ground.at(Server).close(server.id());
        ground.settle();
        ground.at(Client).datagram(client.id()).send(b"anybody?");
        ground.until("refused", |log| log.has("client", "refused"));
    });
}

#[test]
fn datagrams_wait_for_room_and_then_arrive_in_order() {
    let expected =
        &["client: started, pause writing, resume writing", "numbers: in order", "server: started"];
    together(expected, |ground| {
        let (path, log) = (ground.path("server.sock"), ground.log());
        let actor = ground.datagram_actor("client", silent);
        let hook = move |_: &mut DatagramTransport<'_>, news: News<'_>| {
            if let News::Data(data, _) = news {
                log.note("heard", String::from_utf8_lossy(data));
            }
        };
        receive(ground, "server", path.clone(), hook).unwrap();
        let client = ground.at(Client).connect_unix_datagram(path, actor).unwrap();
        ground.settle();
        for number in 0..50 {
            ground.at(Client).datagram(client.id()).send(number.to_string().as_bytes());
        }
        ground.until("all", |log| log.count("heard", "") == 50);
        ground.until("room", |log| log.has("client", "resume"));
        let numbers: Vec<String> = (0..50).map(|number| number.to_string()).collect();
        if ground.log().take("heard") == numbers {
            ground.note("numbers", "in order");
        }
        let log = ground.log();
        let all = log.take("server");
        log.note("server", all[0].clone());
    });
}

#[test]
fn a_datagram_that_was_waiting_is_sent_before_the_end() {
    let expected = &["client: started, stopped", "server: started, \"last words\""];
    together(expected, |ground| {
        let path = ground.path("server.sock");
        receive(ground, "server", path.clone(), silent).unwrap();
        let actor = ground.datagram_actor("client", silent);
        let client = ground.at(Client).connect_unix_datagram(path, actor).unwrap();
        ground.at(Client).datagram(client.id()).send(b"last words");
        ground.at(Client).close(client.id());
        ground.until("heard", |log| log.has("server", "\"last"));
    });
}

const NOT_THE_PEER: &str = "PermissionDenied, operation not permitted (a socket for datagrams that is \
                            connected takes them from its own peer only)";

#[test]
fn a_socket_that_is_connected_takes_datagrams_of_its_peer_only() {
    let expected = [
        "client: started, \"of the peer\"".to_owned(),
        format!("other: started, error: {NOT_THE_PEER}, {NOT_THE_PEER}"),
        "server: started".to_owned(),
    ];
    together(&expected.each_ref().map(String::as_str), |ground| {
        let [client, other, server] = ["client", "other", "server"].map(|name| {
            let path = UnixAddress::from(ground.path(name));
            (receive(ground, name, path.clone(), silent).unwrap().id(), path)
        });
        ground.at(Client).datagram(client.0).connect(server.1).unwrap();
        ground.at(Client).datagram(other.0).send_to(b"of another", client.1.clone());
        ground.until("refused", |log| log.has("other", "error"));
        let outcome = ground.at(Client).datagram(other.0).connect(client.1.clone());
        ground.note_outcome("other", outcome);
        ground.at(Server).datagram(server.0).send_to(b"of the peer", client.1);
        ground.until("heard", |log| log.has("client", "\"of the peer"));
    });
}

#[test]
fn a_listener_for_connections_takes_no_datagrams() {
    let expected =
        format!("client: started, error: {WRONG_TYPE}, {WRONG_TYPE}, error: {REFUSED}, {REFUSED}");
    together(&[&expected], |ground| {
        let own = ground.path("client.sock");
        let client = receive(ground, "client", own, silent).unwrap().id();
        for (count, name) in names(ground, "connections.sock").into_iter().enumerate() {
            let actors = ground.actors("server", quiet);
            ground.at(Server).listen_unix(name.clone(), actors).unwrap();
            ground.at(Client).datagram(client).send_to(b"a datagram", name.clone());
            ground.until("an error", |log| log.count("client", "error") == count + 1);
            let outcome = ground.at(Client).datagram(client).connect(name);
            ground.note_outcome("client", outcome);
        }
    });
}

/// What is only long if the receiver does not take them as they come.
fn send_many(ground: &mut Ground, from: ropewalk::Id, to: &UnixAddress) {
    for number in 0..50 {
        ground.at(Client).datagram(from).send_to(&[number], to.clone());
    }
    ground.settle();
}

#[test]
fn the_queue_of_ones_own_has_no_limit() {
    let expected = &["both: 100 received, none paused"];
    together(expected, |ground| {
        let [one, other] = ["one", "other"].map(|name| {
            let path = UnixAddress::from(ground.path(name));
            (receive(ground, name, path.clone(), silent).unwrap().id(), path)
        });
        // To itself, and to one that is connected with it.
        send_many(ground, one.0, &one.1);
        ground.at(Client).datagram(other.0).connect(one.1).unwrap();
        send_many(ground, one.0, &other.1);
        let log = ground.log();
        let [mut lines, others] = ["one", "other"].map(|name| log.take(name));
        lines.extend(others);
        let count = |begin: &str| lines.iter().filter(|line| line.starts_with(begin)).count();
        let paused = if count("pause") == 0 { "none paused" } else { "one paused" };
        ground.note("both", format!("{} received", count("\"")));
        ground.note("both", paused);
    });
}

#[test]
fn who_is_connected_hears_of_room_at_once() {
    let expected = &["client: started, pause writing, resume writing"];
    together(expected, |ground| {
        let path = ground.path("server.sock");
        receive(ground, "server", path.clone(), silent).unwrap();
        let actor = ground.datagram_actor("client", silent);
        let client = ground.at(Client).connect_unix_datagram(path, actor).unwrap().id();
        ground.settle();
        (0..50).for_each(|number| ground.at(Client).datagram(client).send(&[number]));
        ground.settle();
        ground.log().forget("server");
    });
}

#[test]
fn a_datagram_is_no_longer_than_the_send_buffer() {
    let expected = &[
        "client: started, error: Uncategorized, message too long (it may be as long as the send buffer; \
         raise that with `send_buffer_size`)",
        "server: started, 4576 bytes",
    ];
    together(expected, |ground| {
        let path = ground.path("server.sock");
        receive(ground, "server", path.clone(), silent).unwrap();
        // The least that Linux makes of it is 4,608 bytes.
        let options = DatagramOptions::new().option(SocketOption::SendBuffer(1));
        let actor = ground.datagram_actor("client", silent);
        let client = options.connect_unix_datagram(ground.at(Client), path, actor).unwrap();
        for length in [4577, 4576] {
            ground.at(Client).datagram(client.id()).send(&vec![7; length]);
        }
        ground.until("heard", |log| log.has("server", "4576"));
    });
}

#[test]
fn the_system_chooses_a_name_for_one_that_has_none() {
    let expected = &["client: started, \"hello\"", "server: started, \"hello\""];
    together(expected, |ground| {
        let path = UnixAddress::from(ground.path("server.sock"));
        let answer = |transport: &mut DatagramTransport<'_>, news: News<'_>| {
            if let News::Data(data, sender) = news {
                transport.send_to(data, sender);
            }
        };
        receive(ground, "server", path.clone(), answer).unwrap();
        let client = receive(ground, "client", UnixAddress::unnamed(), silent).unwrap();
        ground.at(Client).datagram(client.id()).send_to(b"hello", path);
        ground.until("answered", |log| log.has("client", "\"hello"));
    });
}

#[test]
fn unix_and_ip_addresses_do_not_reach_each_other() {
    let other = "Unsupported, sockets with an IP address and Unix sockets do not reach each other";
    let expected =
        ["client", "client of IP"].map(|name| format!("{name}: started, error: {other}, {other}"));
    together(&expected.each_ref().map(String::as_str), |ground| {
        let path = UnixAddress::from(ground.path("client.sock"));
        let unix = receive(ground, "client", path.clone(), silent).unwrap().id();
        let inet = ground.bind(Client, "client of IP", silent);
        ground.at(Client).datagram(unix).send_to(b"hello", inet.address());
        ground.at(Client).datagram(inet.id()).send_to(b"hello", path.clone());
        ground.settle();
        let outcome = ground.at(Client).datagram(unix).connect(inet.address());
        ground.note_outcome("client", outcome);
        let outcome = ground.at(Client).datagram(inet.id()).connect(path);
        ground.note_outcome("client of IP", outcome);
    });
}

#[test]
fn each_kind_of_socket_has_abstract_names_of_its_own() {
    let expected = &["datagrams: started, AddrInUse", "server: done"];
    together(expected, |ground| {
        let [path, name] = names(ground, "both.sock");
        for address in [path.clone(), name.clone()] {
            let actors = ground.actors("server", quiet);
            ground.at(Server).listen_unix(address, actors).unwrap();
        }
        ground.note("server", "done");
        receive(ground, "datagrams", name, silent).unwrap();
        ground.settle();
        let error = receive(ground, "datagrams", path, silent).unwrap_err();
        ground.note("datagrams", format!("{:?}", error.kind()));
    });
}
