//! Connections over Unix sockets.

use crate::actors::{Actors, Heard, echo, pause_when_made, quiet, silent};
use crate::ground::{Client, Ground, Server, together};
use crate::log::pattern;
use ropewalk::{Error, ListenOptions, Port, Transport, UnixAddress};
use std::path::PathBuf;

/// What is said of a socket of the other type that has a file, and of one that has an abstract name.
pub(crate) const WRONG_TYPE: &str = "Uncategorized, protocol wrong type for socket (that socket is of another type: \
                                     one is for connections, the other for datagrams)";
pub(crate) const REFUSED: &str = "ConnectionRefused, connection refused (nothing listens there any more, or it is no \
                                  socket; is the server running?)";

/// A name without a file that no other scene has.
pub(crate) fn abstract_name(ground: &mut Ground) -> UnixAddress {
    UnixAddress::abstract_name(ground.path("abstract").to_string_lossy().as_bytes())
}

/// A path, and a name without a file.
pub(crate) fn names(ground: &mut Ground, path: &str) -> [UnixAddress; 2] {
    [ground.path(path).into(), abstract_name(ground)]
}

fn listen(
    ground: &mut Ground,
    address: impl Into<UnixAddress>,
    hook: impl FnMut(&mut Transport<'_>, Heard<'_>) + Clone + 'static,
) -> Result<Port, Error> {
    let actors = ground.actors("server", hook);
    ground.at(Server).listen_unix(address, actors)
}

/// A client and a server that are connected.
fn connect(
    ground: &mut Ground,
    path: PathBuf,
    server: impl FnMut(&mut Transport<'_>, Heard<'_>) + Clone + 'static,
    client: impl FnMut(&mut Transport<'_>, Heard<'_>) + Clone + 'static,
) {
    listen(ground, path.clone(), server).unwrap();
    let actors = ground.actors("client", client);
    ground.at(Client).connect_unix(path, actors).unwrap();
    ground.until("both there", |log| log.made("client") && log.made("server"));
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
        connect(ground, path, hook, quiet);
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
        let names = names(ground, "once.sock");
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
        &["client: failed: ConnectionRefused, connection refused (nothing listens there any \
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
        let (actors, options) = (ground.actors("server", quiet), ListenOptions::new().backlog(2));
        options.listen_unix(ground.at(Server), path.clone(), actors).unwrap();
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
        connect(ground, path, quiet, quiet);
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
        connect(ground, path, quiet, pause_when_made);
        ground.with("server", |context, id| context.transport(id).write(b"unread"));
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
        connect(ground, path, |_, _| {}, quiet);
        ground.with("client", |context, id| context.abort(id));
        ground.until("ended", |log| log.has("server", "eof"));
        ground.settle();
        ground.with("server", |context, id| context.transport(id).write(b"anybody?"));
        ground.until_lost(&["server"]);
    });
}

/// Those that wait to be accepted have been connected all the time.
#[test]
fn who_waits_at_a_listener_that_closes_hears_it_at_once() {
    let expected = &["client: failed: ConnectionReset, connection reset by peer"];
    together(expected, |ground| {
        let path = ground.path("closing.sock");
        let port = listen(ground, path.clone(), quiet).unwrap();
        ground.settle();
        ask(ground, path);
        ground.at(Server).close(port.id());
        ground.until("failed", |log| log.has("client", "failed"));
    });
}

#[test]
fn a_socket_for_datagrams_takes_no_connections() {
    let expected = format!("client: failed: {WRONG_TYPE}, failed: {REFUSED}");
    together(&[&expected], |ground| {
        for (count, name) in names(ground, "datagrams.sock").into_iter().enumerate() {
            let actor = ground.datagram_actor("server", silent);
            ground.at(Server).listen_unix_datagram(name.clone(), actor).unwrap();
            ask(ground, name);
            ground.until("failed", |log| log.count("client", "failed") == count + 1);
        }
        ground.log().forget("server");
    });
}

/// What was written lies with the reader at once, and so does the end behind it.
#[test]
fn a_paused_peer_hears_of_an_end_behind_much_that_is_unread() {
    let expected =
        &["client: made, pause writing, lost: aborted by us", "server: made, eof noticed"];
    together(expected, |ground| {
        let path = ground.path("unread.sock");
        connect(ground, path, pause_when_made, quiet);
        ground.with("client", |context, id| context.transport(id).write(&pattern(1_000_000)));
        ground.settle();
        ground.with("client", |context, id| context.abort(id));
        ground.until("noticed", |log| log.has("server", "eof noticed"));
    });
}

/// Before the close could be one in order.
#[test]
fn a_write_to_one_who_is_gone_fails_at_once() {
    let expected =
        &["client: made, lost: aborted by us", "server: made, eof, lost: reset by the peer"];
    together(expected, |ground| {
        let path = ground.path("gone.sock");
        connect(ground, path, |_, _| {}, quiet);
        ground.with("client", |context, id| context.abort(id));
        ground.until("ended", |log| log.has("server", "eof"));
        ground.with("server", |context, id| {
            context.transport(id).write(b"anybody?");
            context.close(id);
        });
        ground.until_lost(&["server"]);
    });
}
