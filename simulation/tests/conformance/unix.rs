//! Unix sockets: connections and datagrams.

use crate::actors::{Actors, Heard, News, echo, plain, quiet, silent};
use crate::ground::{Client, Ground, Server, together};
use crate::log::pattern;
use ropewalk::{DatagramTransport, Error, Port, Transport, UnixAddress, UnixListenOptions};

/// A name without a file that no other scene has.
fn abstract_name(ground: &mut Ground) -> UnixAddress {
    UnixAddress::abstract_name(ground.path("abstract").to_string_lossy().as_bytes())
}

fn listen(
    ground: &mut Ground,
    address: impl Into<UnixAddress>,
    hook: impl FnMut(&mut Transport<'_>, Heard<'_>) + Clone + 'static,
) -> Result<Port, Error> {
    let actors = ground.actors("server", hook);
    ground.at(Server).listen_unix(address, actors)
}

fn ask(ground: &mut Ground, address: impl Into<UnixAddress>) {
    let actors =
        ground.actors("client", |transport: &mut Transport<'_>, heard: Heard<'_>| match heard {
            Heard::Made => transport.write(b"hello"),
            Heard::Data(_) => transport.close(),
            _ => {}
        });
    ground.at(Client).connect_unix(address, actors).unwrap();
}

#[test]
fn an_echo_comes_back_by_a_path() {
    let expected = &[
        "client: made, \"hello\", lost: closed by us",
        "server: made, \"hello\", eof, lost: closed by the peer",
    ];
    together(expected, |ground| {
        let path = ground.path("echo.sock");
        listen(ground, path.clone(), echo).unwrap();
        ask(ground, path);
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn an_echo_comes_back_by_an_abstract_name() {
    let expected = &[
        "client: made, \"hello\", lost: closed by us",
        "server: made, \"hello\", eof, lost: closed by the peer",
    ];
    together(expected, |ground| {
        let name = abstract_name(ground);
        listen(ground, name.clone(), echo).unwrap();
        ask(ground, name);
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn the_client_has_no_name() {
    let expected = &["client: made", "server: made", "who: (unnamed) and the listener's"];
    together(expected, |ground| {
        let (path, log) = (ground.path("name.sock"), ground.log());
        let name = UnixAddress::from(path.clone()).to_string();
        let hook = move |transport: &mut Transport<'_>, heard: Heard<'_>| {
            if let Heard::Made = heard
                && transport.local_address().is_some_and(|local| local.to_string() == name)
            {
                log.note("who", format!("{} and the listener's", transport.peer()));
            }
        };
        listen(ground, path.clone(), hook).unwrap();
        let actors = ground.actors("client", quiet);
        ground.at(Client).connect_unix(path, actors).unwrap();
        ground.until("both there", |log| log.made("client") && log.made("server"));
    });
}

#[test]
fn a_name_can_be_listened_on_once_until_it_is_free() {
    let expected = &[
        "server: AddrInUse, address already in use (a socket has that name already, of this program \
                      or of another; choose another name), AddrInUse, address already in use (a socket has that \
                      name already, of this program or of another; choose another name), done, done",
    ];
    together(expected, |ground| {
        let names = [UnixAddress::from(ground.path("once.sock")), abstract_name(ground)];
        let ports: Vec<Port> =
            names.iter().map(|name| listen(ground, name.clone(), quiet).unwrap()).collect();
        for name in &names {
            let outcome = listen(ground, name.clone(), quiet);
            ground.note_outcome("server", outcome);
        }
        for port in ports {
            ground.at(Server).close(port.id());
        }
        ground.settle();
        for name in &names {
            let outcome = listen(ground, name.clone(), quiet);
            ground.note_outcome("server", outcome);
        }
    });
}

#[test]
fn nobody_is_at_a_path_that_does_not_exist() {
    let expected =
        &["client: failed: NotFound, no such file or directory (no such socket; is the \
                      server running?)"];
    together(expected, |ground| {
        let path = ground.path("nobody.sock");
        ask(ground, path);
        ground.until("failed", |log| log.has("client", "failed"));
    });
}

#[test]
fn nobody_is_at_an_abstract_name_that_nobody_has() {
    let expected =
        &["client: failed: ConnectionRefused, connection refused (nobody listens there any \
                      more, or it is no socket; is the server running?)"];
    together(expected, |ground| {
        let name = abstract_name(ground);
        ask(ground, name);
        ground.until("failed", |log| log.has("client", "failed"));
    });
}

#[test]
fn who_finds_the_queue_full_waits_for_room() {
    let expected = &["all: 20 made"];
    together(expected, |ground| {
        let path = ground.path("full.sock");
        let (actors, options) =
            (ground.actors("server", quiet), UnixListenOptions::new().backlog(2));
        ground.at(Server).listen_unix_with(path.clone(), &options, actors).unwrap();
        for number in 0..20 {
            let actors: Actors<fn(&mut Transport<'_>, Heard<'_>)> =
                ground.actors(&format!("client {number}"), quiet);
            ground.at(Client).connect_unix(path.clone(), actors).unwrap();
        }
        ground.until("all in", |log| {
            (0..20).all(|number| log.made(&format!("client {number}"))) && log.made("server 20")
        });
        ground.settle();
        ground.log().forget("client");
        ground.log().forget("server");
        ground.note("all", "20 made");
    });
}

#[test]
fn much_goes_over_a_unix_connection() {
    let expected = &[
        "client: made, 1000000 bytes, eof, lost: closed by the peer",
        "server: made, pause writing, lost: closed by us",
    ];
    together(expected, |ground| {
        let path = ground.path("much.sock");
        let hook = |transport: &mut Transport<'_>, heard: Heard<'_>| match heard {
            Heard::Made => transport.write(&pattern(1_000_000)),
            Heard::PauseWriting => transport.close(),
            _ => {}
        };
        listen(ground, path.clone(), hook).unwrap();
        let actors = ground.actors("client", quiet);
        ground.at(Client).connect_unix(path, actors).unwrap();
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn an_abort_is_seen_by_the_peer() {
    let expected =
        &["client: made, lost: aborted by us", "server: made, eof, lost: closed by the peer"];
    together(expected, |ground| {
        let path = ground.path("abort.sock");
        listen(ground, path.clone(), quiet).unwrap();
        let actors = ground.actors("client", quiet);
        ground.at(Client).connect_unix(path, actors).unwrap();
        ground.until("both there", |log| log.made("client") && log.made("server"));
        ground.with("client", |context, id| context.abort(id));
        ground.until_lost(&["client", "server"]);
    });
}

/// unix(7) knows of a reset: the peer has closed with something unread.
#[test]
fn an_abort_with_something_unread_is_a_reset() {
    let expected = &["client: made, lost: aborted by us", "server: made, lost: reset by the peer"];
    together(expected, |ground| {
        let path = ground.path("unread.sock");
        listen(ground, path.clone(), quiet).unwrap();
        let actors = ground.actors("client", |transport: &mut Transport<'_>, heard: Heard<'_>| {
            if let Heard::Made = heard {
                transport.pause();
            }
        });
        ground.at(Client).connect_unix(path, actors).unwrap();
        ground.until("both there", |log| log.made("client") && log.made("server"));
        ground.with("server", |context, id| context.write(id, b"unread"));
        ground.settle();
        ground.with("client", |context, id| context.abort(id));
        ground.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_write_to_one_who_is_gone_is_a_reset() {
    let expected =
        &["client: made, lost: aborted by us", "server: made, eof, lost: reset by the peer"];
    together(expected, |ground| {
        let path = ground.path("gone.sock");
        listen(ground, path.clone(), |_, _| {}).unwrap();
        let actors = ground.actors("client", quiet);
        ground.at(Client).connect_unix(path, actors).unwrap();
        ground.until("both there", |log| log.made("client") && log.made("server"));
        ground.with("client", |context, id| context.abort(id));
        ground.until("ended", |log| log.has("server", "eof"));
        ground.settle();
        ground.with("server", |context, id| context.write(id, b"anybody?"));
        ground.until_lost(&["server"]);
    });
}

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
        ground.at(Client).send_to(client.id(), b"hello", UnixAddress::from(path));
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
        ground.at(Client).send(client.id(), b"hello");
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
        ground.at(Client).send_to(client.id(), b"anybody?", to);
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
        ground.at(Client).send(client.id(), b"anybody?");
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
            ground.at(Client).send(client.id(), number.to_string().as_bytes());
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
        ground.at(Client).send(client.id(), b"last words");
        ground.at(Client).close(client.id());
        ground.until("heard", |log| log.has("server", "\"last"));
    });
}
