//! Datagrams over Unix sockets.

use crate::actors::{DatagramEvent, plain, quiet, silent};
use crate::environment::{Client, Environment, Server, run_with_one_reactor};
use crate::unix::{REFUSED, WRONG_TYPE, names};
use ropewalk::{DatagramOptions, DatagramTransport, Error, Port, SocketOption, UnixAddress};

fn receive(
    environment: &mut Environment,
    name: &str,
    address: impl Into<UnixAddress>,
    hook: impl FnMut(&mut DatagramTransport<'_>, DatagramEvent<'_>) + 'static,
) -> Result<Port, Error> {
    let actor = environment.datagram_actor(name, hook);
    environment.at(Server).listen_unix_datagram(address, actor)
}

#[test]
fn datagrams_have_their_senders_name() {
    let expected = &["client: started, \"hello\"", "server: started, \"hello\""];
    run_with_one_reactor(expected, |environment| {
        let (path, own) = (environment.path("server.sock"), environment.path("client.sock"));
        let answer = |transport: &mut DatagramTransport<'_>, event: DatagramEvent<'_>| {
            if let DatagramEvent::Data(data, sender) = event {
                transport.send_to(data, sender);
            }
        };
        receive(environment, "server", path.clone(), answer).unwrap();
        let client = receive(environment, "client", own, silent).unwrap();
        environment.at(Client).datagram(client.id()).send_to(b"hello", UnixAddress::from(path));
        environment.until("answered", |log| log.has("client", "\"hello"));
    });
}

#[test]
fn an_unnamed_sender_cannot_be_answered() {
    let expected = &["client: started", "server: started, \"hello\", from (unnamed)"];
    run_with_one_reactor(expected, |environment| {
        let (path, log) = (environment.path("server.sock"), environment.log());
        let hook = move |_: &mut DatagramTransport<'_>, event: DatagramEvent<'_>| {
            if let DatagramEvent::Data(_, sender) = event {
                log.note("server", format!("from {sender}"));
            }
        };
        receive(environment, "server", path.clone(), hook).unwrap();
        let actor = environment.datagram_actor("client", silent);
        let client = environment.at(Client).connect_unix_datagram(path, actor).unwrap();
        environment.at(Client).datagram(client.id()).send(b"hello");
        environment.until("received", |log| log.has("server", "from"));
    });
}

#[test]
fn datagrams_to_unused_names_are_errors() {
    let expected = &[
        "client: started, error: NotFound, no such file or directory (no such socket; is the server \
         running?), NotFound, no such file or directory (no such socket; is the server running?)",
    ];
    run_with_one_reactor(expected, |environment| {
        let (own, nobody) = (environment.path("client.sock"), environment.path("nobody.sock"));
        let client = receive(environment, "client", own, silent).unwrap();
        let to = UnixAddress::from(nobody.clone());
        environment.at(Client).datagram(client.id()).send_to(b"anybody?", to);
        environment.until("an error", |log| log.has("client", "error"));
        let actor = environment.datagram_actor("client", silent);
        let error = environment.at(Client).connect_unix_datagram(nobody, actor).unwrap_err();
        environment.note("client", plain(&error));
    });
}

#[test]
fn a_connected_sender_notices_a_closed_receiver() {
    let expected = &["client: started, refused", "server: started, stopped"];
    run_with_one_reactor(expected, |environment| {
        let path = environment.path("server.sock");
        let server = receive(environment, "server", path.clone(), silent).unwrap();
        let actor = environment.datagram_actor("client", silent);
        let client = environment.at(Client).connect_unix_datagram(path, actor).unwrap();
        environment.settle();
        environment.at(Server).close(server.id());
        environment.settle();
        environment.at(Client).datagram(client.id()).send(b"anybody?");
        environment.until("refused", |log| log.has("client", "refused"));
    });
}

#[test]
fn datagrams_for_a_full_queue_are_queued() {
    let expected =
        &["client: started, pause writing, resume writing", "numbers: in order", "server: started"];
    run_with_one_reactor(expected, |environment| {
        let (path, log) = (environment.path("server.sock"), environment.log());
        let actor = environment.datagram_actor("client", silent);
        let hook = move |_: &mut DatagramTransport<'_>, event: DatagramEvent<'_>| {
            if let DatagramEvent::Data(data, _) = event {
                log.note("received", String::from_utf8_lossy(data));
            }
        };
        receive(environment, "server", path.clone(), hook).unwrap();
        let client = environment.at(Client).connect_unix_datagram(path, actor).unwrap();
        environment.settle();
        for number in 0..50 {
            environment.at(Client).datagram(client.id()).send(number.to_string().as_bytes());
        }
        environment.until("all", |log| log.count("received", "") == 50);
        environment.until("room", |log| log.has("client", "resume"));
        let numbers: Vec<String> = (0..50).map(|number| number.to_string()).collect();
        if environment.log().take("received") == numbers {
            environment.note("numbers", "in order");
        }
        let log = environment.log();
        let all = log.take("server");
        log.note("server", all[0].clone());
    });
}

#[test]
fn a_queued_datagram_is_sent_before_the_end() {
    let expected = &["client: started, stopped", "server: started, \"last words\""];
    run_with_one_reactor(expected, |environment| {
        let path = environment.path("server.sock");
        receive(environment, "server", path.clone(), silent).unwrap();
        let actor = environment.datagram_actor("client", silent);
        let client = environment.at(Client).connect_unix_datagram(path, actor).unwrap();
        environment.at(Client).datagram(client.id()).send(b"last words");
        environment.at(Client).close(client.id());
        environment.until("received", |log| log.has("server", "\"last"));
    });
}

const NOT_THE_PEER: &str = "PermissionDenied, operation not permitted (the receiver is connected, and \
                            accepts datagrams of its peer only)";

#[test]
fn a_connected_socket_receives_only_its_peer() {
    let expected = [
        "client: started, \"of the peer\"".to_owned(),
        format!("other: started, error: {NOT_THE_PEER}, {NOT_THE_PEER}"),
        "server: started".to_owned(),
    ];
    run_with_one_reactor(&expected.each_ref().map(String::as_str), |environment| {
        let [client, other, server] = ["client", "other", "server"].map(|name| {
            let path = UnixAddress::from(environment.path(name));
            (receive(environment, name, path.clone(), silent).unwrap().id(), path)
        });
        environment.at(Client).datagram(client.0).connect(server.1).unwrap();
        environment.at(Client).datagram(other.0).send_to(b"of another", client.1.clone());
        environment.until("refused", |log| log.has("other", "error"));
        let outcome = environment.at(Client).datagram(other.0).connect(client.1.clone());
        environment.note_outcome("other", outcome);
        environment.at(Server).datagram(server.0).send_to(b"of the peer", client.1);
        environment.until("received", |log| log.has("client", "\"of the peer"));
    });
}

#[test]
fn a_stream_listener_refuses_datagrams() {
    let expected =
        format!("client: started, error: {WRONG_TYPE}, {WRONG_TYPE}, error: {REFUSED}, {REFUSED}");
    run_with_one_reactor(&[&expected], |environment| {
        let own = environment.path("client.sock");
        let client = receive(environment, "client", own, silent).unwrap().id();
        for (count, name) in names(environment, "connections.sock").into_iter().enumerate() {
            let actors = environment.actors("server", quiet);
            environment.at(Server).listen_unix(name.clone(), actors).unwrap();
            environment.at(Client).datagram(client).send_to(b"a datagram", name.clone());
            environment.until("an error", |log| log.count("client", "error") == count + 1);
            let outcome = environment.at(Client).datagram(client).connect(name);
            environment.note_outcome("client", outcome);
        }
    });
}

/// Long only if the receiver does not read them as they arrive.
fn send_many(environment: &mut Environment, from: ropewalk::Id, to: &UnixAddress) {
    for number in 0..50 {
        environment.at(Client).datagram(from).send_to(&[number], to.clone());
    }
    environment.settle();
}

#[test]
fn the_queue_to_itself_has_no_limit() {
    let expected = &["both: 100 received, none paused"];
    run_with_one_reactor(expected, |environment| {
        let [one, other] = ["one", "other"].map(|name| {
            let path = UnixAddress::from(environment.path(name));
            (receive(environment, name, path.clone(), silent).unwrap().id(), path)
        });
        // To itself, and to a socket that is connected with it.
        send_many(environment, one.0, &one.1);
        environment.at(Client).datagram(other.0).connect(one.1).unwrap();
        send_many(environment, one.0, &other.1);
        let log = environment.log();
        let [mut lines, others] = ["one", "other"].map(|name| log.take(name));
        lines.extend(others);
        let count = |begin: &str| lines.iter().filter(|line| line.starts_with(begin)).count();
        let paused = if count("pause") == 0 { "none paused" } else { "one paused" };
        environment.note("both", format!("{} received", count("\"")));
        environment.note("both", paused);
    });
}

#[test]
fn a_connected_sender_becomes_writable_immediately() {
    let expected = &["client: started, pause writing, resume writing"];
    run_with_one_reactor(expected, |environment| {
        let path = environment.path("server.sock");
        receive(environment, "server", path.clone(), silent).unwrap();
        let actor = environment.datagram_actor("client", silent);
        let client = environment.at(Client).connect_unix_datagram(path, actor).unwrap().id();
        environment.settle();
        (0..50).for_each(|number| environment.at(Client).datagram(client).send(&[number]));
        environment.settle();
        environment.log().forget("server");
    });
}

#[test]
fn the_send_buffer_limits_a_datagram() {
    let expected = &[
        "client: started, error: Uncategorized, message too long (a datagram has to fit into the send \
         buffer; enlarge that with `send_buffer_size`)",
        "server: started, 4576 bytes",
    ];
    run_with_one_reactor(expected, |environment| {
        let path = environment.path("server.sock");
        receive(environment, "server", path.clone(), silent).unwrap();
        // The minimum on Linux is 4,608 bytes.
        let options = DatagramOptions::new().option(SocketOption::SendBuffer(1));
        let actor = environment.datagram_actor("client", silent);
        let client = options.connect_unix_datagram(environment.at(Client), path, actor).unwrap();
        for length in [4577, 4576] {
            environment.at(Client).datagram(client.id()).send(&vec![7; length]);
        }
        environment.until("received", |log| log.has("server", "4576"));
    });
}

#[test]
fn the_system_names_unnamed_sockets() {
    let expected = &["client: started, \"hello\"", "server: started, \"hello\""];
    run_with_one_reactor(expected, |environment| {
        let path = UnixAddress::from(environment.path("server.sock"));
        let answer = |transport: &mut DatagramTransport<'_>, event: DatagramEvent<'_>| {
            if let DatagramEvent::Data(data, sender) = event {
                transport.send_to(data, sender);
            }
        };
        receive(environment, "server", path.clone(), answer).unwrap();
        let client = receive(environment, "client", UnixAddress::unnamed(), silent).unwrap();
        environment.at(Client).datagram(client.id()).send_to(b"hello", path);
        environment.until("answered", |log| log.has("client", "\"hello"));
    });
}

#[test]
fn unix_and_ip_sockets_are_separate() {
    let other = "Unsupported, a datagram cannot be sent between a Unix socket and an IP address";
    let expected =
        ["client", "client of IP"].map(|name| format!("{name}: started, error: {other}, {other}"));
    run_with_one_reactor(&expected.each_ref().map(String::as_str), |environment| {
        let path = UnixAddress::from(environment.path("client.sock"));
        let unix = receive(environment, "client", path.clone(), silent).unwrap().id();
        let inet = environment.bind(Client, "client of IP", silent);
        environment.at(Client).datagram(unix).send_to(b"hello", inet.address());
        environment.at(Client).datagram(inet.id()).send_to(b"hello", path.clone());
        environment.settle();
        let outcome = environment.at(Client).datagram(unix).connect(inet.address());
        environment.note_outcome("client", outcome);
        let outcome = environment.at(Client).datagram(inet.id()).connect(path);
        environment.note_outcome("client of IP", outcome);
    });
}

#[test]
fn each_socket_type_has_its_own_abstract_names() {
    let expected = &["datagrams: started, AddrInUse", "server: done"];
    run_with_one_reactor(expected, |environment| {
        let [path, name] = names(environment, "both.sock");
        for address in [path.clone(), name.clone()] {
            let actors = environment.actors("server", quiet);
            environment.at(Server).listen_unix(address, actors).unwrap();
        }
        environment.note("server", "done");
        receive(environment, "datagrams", name, silent).unwrap();
        environment.settle();
        let error = receive(environment, "datagrams", path, silent).unwrap_err();
        environment.note("datagrams", format!("{:?}", error.kind()));
    });
}
