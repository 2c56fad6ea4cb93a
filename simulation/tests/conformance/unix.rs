//! Connections over Unix sockets.

use crate::actors::{Actors, Event, echo, pause_when_made, quiet, silent};
use crate::environment::{Client, Environment, Server, run_with_one_reactor};
use crate::log::pattern;
use ropewalk::{Error, ListenOptions, Port, Transport, UnixAddress};
use std::path::PathBuf;

/// The errors for a socket of the other type: with a path, and with an abstract name.
pub(crate) const WRONG_TYPE: &str = "Uncategorized, protocol wrong type for socket (one of the two \
                                     sockets is a stream socket, the other a datagram socket)";
pub(crate) const REFUSED: &str = "ConnectionRefused, connection refused (nothing listens there, or the \
                                  file is not a socket; is the server running?)";

/// Returns an abstract name that no other scenario has.
pub(crate) fn abstract_name(environment: &mut Environment) -> UnixAddress {
    UnixAddress::abstract_name(environment.path("abstract").to_string_lossy().as_bytes())
}

/// A path, and an abstract name.
pub(crate) fn names(environment: &mut Environment, path: &str) -> [UnixAddress; 2] {
    [environment.path(path).into(), abstract_name(environment)]
}

fn listen(
    environment: &mut Environment,
    address: impl Into<UnixAddress>,
    hook: impl FnMut(&mut Transport<'_>, Event<'_>) + Clone + 'static,
) -> Result<Port, Error> {
    let actors = environment.actors("server", hook);
    environment.at(Server).listen_unix(address, actors)
}

/// Connects a client to a server.
fn connect(
    environment: &mut Environment,
    path: PathBuf,
    server: impl FnMut(&mut Transport<'_>, Event<'_>) + Clone + 'static,
    client: impl FnMut(&mut Transport<'_>, Event<'_>) + Clone + 'static,
) {
    listen(environment, path.clone(), server).unwrap();
    let actors = environment.actors("client", client);
    environment.at(Client).connect_unix(path, actors).unwrap();
    environment.until("both there", |log| log.made("client") && log.made("server"));
}

fn ask(environment: &mut Environment, address: impl Into<UnixAddress>) {
    let actors =
        environment.actors(
            "client",
            |transport: &mut Transport<'_>, event: Event<'_>| match event {
                Event::Made => transport.write(b"hello"),
                Event::Data(_) => transport.close(),
                _ => {}
            },
        );
    environment.at(Client).connect_unix(address, actors).unwrap();
}

#[test]
fn an_echo_is_received_over_a_path() {
    let expected = &[
        "client: made, \"hello\", lost: closed by us",
        "server: made, \"hello\", eof, lost: closed by the peer",
    ];
    run_with_one_reactor(expected, |environment| {
        let path = environment.path("echo.sock");
        listen(environment, path.clone(), echo).unwrap();
        ask(environment, path);
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn an_echo_is_received_over_an_abstract_name() {
    let expected = &[
        "client: made, \"hello\", lost: closed by us",
        "server: made, \"hello\", eof, lost: closed by the peer",
    ];
    run_with_one_reactor(expected, |environment| {
        let name = abstract_name(environment);
        listen(environment, name.clone(), echo).unwrap();
        ask(environment, name);
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn the_client_has_no_name() {
    let expected = &["client: made", "server: made", "who: (unnamed) and the listener's"];
    run_with_one_reactor(expected, |environment| {
        let (path, log) = (environment.path("name.sock"), environment.log());
        let name = UnixAddress::from(path.clone()).to_string();
        let hook = move |transport: &mut Transport<'_>, event: Event<'_>| {
            if let Event::Made = event
                && transport.local_address().to_string() == name
            {
                log.note("who", format!("{} and the listener's", transport.peer()));
            }
        };
        connect(environment, path, hook, quiet);
    });
}

#[test]
fn a_name_can_have_one_listener() {
    let expected = &[
        "server: AddrInUse, address already in use (a socket of this or another program has this name; \
         choose another name), AddrInUse, address already in use (a socket of this or another program \
         has this name; choose another name), done, done",
    ];
    run_with_one_reactor(expected, |environment| {
        let names = names(environment, "once.sock");
        let ports: Vec<Port> =
            names.iter().map(|name| listen(environment, name.clone(), quiet).unwrap()).collect();
        for name in &names {
            let outcome = listen(environment, name.clone(), quiet);
            environment.note_outcome("server", outcome);
        }
        for port in ports {
            environment.at(Server).close(port.id());
        }
        environment.settle();
        for name in &names {
            let outcome = listen(environment, name.clone(), quiet);
            environment.note_outcome("server", outcome);
        }
    });
}

#[test]
fn a_missing_path_refuses_connections() {
    let expected =
        &["client: failed: NotFound, no such file or directory (no such socket; is the \
                      server running?)"];
    run_with_one_reactor(expected, |environment| {
        let path = environment.path("nobody.sock");
        ask(environment, path);
        environment.until("failed", |log| log.has("client", "failed"));
    });
}

#[test]
fn an_unused_abstract_name_refuses_connections() {
    let expected = &[
        "client: failed: ConnectionRefused, connection refused (nothing listens there, or the file is \
         not a socket; is the server running?)",
    ];
    run_with_one_reactor(expected, |environment| {
        let name = abstract_name(environment);
        ask(environment, name);
        environment.until("failed", |log| log.has("client", "failed"));
    });
}

#[test]
fn a_client_waits_for_a_full_queue() {
    let expected = &["all: 20 made"];
    run_with_one_reactor(expected, |environment| {
        let path = environment.path("full.sock");
        let (actors, options) =
            (environment.actors("server", quiet), ListenOptions::new().backlog(2));
        options.listen_unix(environment.at(Server), path.clone(), actors).unwrap();
        for number in 0..20 {
            let actors: Actors<fn(&mut Transport<'_>, Event<'_>)> =
                environment.actors(&format!("client {number}"), quiet);
            environment.at(Client).connect_unix(path.clone(), actors).unwrap();
        }
        environment.until("all in", |log| {
            (0..20).all(|number| log.made(&format!("client {number}"))) && log.made("server 20")
        });
        environment.settle();
        environment.log().forget("client");
        environment.log().forget("server");
        environment.note("all", "20 made");
    });
}

#[test]
fn megabytes_are_sent_over_a_unix_connection() {
    let expected = &[
        "client: made, 1000000 bytes, eof, lost: closed by the peer",
        "server: made, pause writing, lost: closed by us",
    ];
    run_with_one_reactor(expected, |environment| {
        let path = environment.path("much.sock");
        let hook = |transport: &mut Transport<'_>, event: Event<'_>| match event {
            Event::Made => transport.write(&pattern(1_000_000)),
            Event::PauseWriting => transport.close(),
            _ => {}
        };
        listen(environment, path.clone(), hook).unwrap();
        let actors = environment.actors("client", quiet);
        environment.at(Client).connect_unix(path, actors).unwrap();
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn an_abort_ends_the_peer() {
    let expected =
        &["client: made, lost: aborted by us", "server: made, eof, lost: closed by the peer"];
    run_with_one_reactor(expected, |environment| {
        let path = environment.path("abort.sock");
        connect(environment, path, quiet, quiet);
        environment.with("client", |context, id| context.abort(id));
        environment.until_lost(&["client", "server"]);
    });
}

/// unix(7) has resets: the peer has closed with unread data.
#[test]
fn an_abort_with_unread_data_is_a_reset() {
    let expected = &["client: made, lost: aborted by us", "server: made, lost: reset by the peer"];
    run_with_one_reactor(expected, |environment| {
        let path = environment.path("unread.sock");
        connect(environment, path, quiet, pause_when_made);
        environment.with("server", |context, id| context.transport(id).write(b"unread"));
        environment.settle();
        environment.with("client", |context, id| context.abort(id));
        environment.until_lost(&["client", "server"]);
    });
}

#[test]
fn a_write_to_a_closed_peer_is_reset() {
    let expected =
        &["client: made, lost: aborted by us", "server: made, eof, lost: reset by the peer"];
    run_with_one_reactor(expected, |environment| {
        let path = environment.path("gone.sock");
        connect(environment, path, |_, _| {}, quiet);
        environment.with("client", |context, id| context.abort(id));
        environment.until("ended", |log| log.has("server", "eof"));
        environment.settle();
        environment.with("server", |context, id| context.transport(id).write(b"anybody?"));
        environment.until_lost(&["server"]);
    });
}

/// Connections in the queue are connected.
#[test]
fn closing_a_listener_resets_queued_connections() {
    let expected = &["client: failed: ConnectionReset, connection reset by peer"];
    run_with_one_reactor(expected, |environment| {
        let path = environment.path("closing.sock");
        let port = listen(environment, path.clone(), quiet).unwrap();
        environment.settle();
        ask(environment, path);
        environment.at(Server).close(port.id());
        environment.until("failed", |log| log.has("client", "failed"));
    });
}

#[test]
fn a_datagram_socket_refuses_connections() {
    let expected = format!("client: failed: {WRONG_TYPE}, failed: {REFUSED}");
    run_with_one_reactor(&[&expected], |environment| {
        for (count, name) in names(environment, "datagrams.sock").into_iter().enumerate() {
            let actor = environment.datagram_actor("server", silent);
            environment.at(Server).listen_unix_datagram(name.clone(), actor).unwrap();
            ask(environment, name);
            environment.until("failed", |log| log.count("client", "failed") == count + 1);
        }
        environment.log().forget("server");
    });
}

/// Written data is in the reader's buffer immediately, and so is the end after it.
#[test]
fn a_paused_peer_notices_an_end_after_data() {
    let expected =
        &["client: made, pause writing, lost: aborted by us", "server: made, eof noticed"];
    run_with_one_reactor(expected, |environment| {
        let path = environment.path("unread.sock");
        connect(environment, path, pause_when_made, quiet);
        environment.with("client", |context, id| context.transport(id).write(&pattern(1_000_000)));
        environment.settle();
        environment.with("client", |context, id| context.abort(id));
        environment.until("noticed", |log| log.has("server", "eof noticed"));
    });
}

/// Before the close could be a graceful one.
#[test]
fn a_write_to_a_closed_peer_fails_immediately() {
    let expected =
        &["client: made, lost: aborted by us", "server: made, eof, lost: reset by the peer"];
    run_with_one_reactor(expected, |environment| {
        let path = environment.path("gone.sock");
        connect(environment, path, |_, _| {}, quiet);
        environment.with("client", |context, id| context.abort(id));
        environment.until("ended", |log| log.has("server", "eof"));
        environment.with("server", |context, id| {
            context.transport(id).write(b"anybody?");
            context.close(id);
        });
        environment.until_lost(&["server"]);
    });
}
