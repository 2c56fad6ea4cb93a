//! Scenes: what clients do to a server. An error says how the server failed.

use crate::client::{Client, Failure};
use crate::server::Server;
use std::thread;
use std::time::{Duration, Instant};

/// A scene is played with one program, which it starts.
pub(crate) type Scene = fn(program: &str) -> Result<(), Failure>;

/// Returns an error with this text if the condition is false.
fn check(condition: bool, failure: impl Into<Failure>) -> Result<(), Failure> {
    if condition { Ok(()) } else { Err(failure.into()) }
}

pub(crate) fn second_client(program: &str) -> Result<(), Failure> {
    let server = Server::start(program);
    let mut first = Client::new(&server);
    first.ping()?;
    let mut second = Client::new(&server);
    second.send(b"hello\n")?;
    for _ in 0..2_000 {
        if second.has_answer() {
            return second.expect(b"hello\n");
        }
        first.ping()?;
    }
    Err("the second client waits for the first".into())
}

pub(crate) fn threads(program: &str) -> Result<(), Failure> {
    let server = Server::start(program);
    let mut clients: Vec<_> = (0..20).map(|_| Client::new(&server)).collect();
    clients.iter_mut().try_for_each(Client::ping)?;
    let threads = server.status("Threads");
    check(threads == 1, format!("{threads} threads"))
}

/// This one looks on for a while: whether nothing happens is seen in no other way.
pub(crate) fn idleness(program: &str) -> Result<(), Failure> {
    let server = Server::start(program);
    let mut client = Client::new(&server);
    client.ping()?;
    let switches = || server.status("voluntary_ctxt_switches");
    let (before, begin) = (switches(), Instant::now());
    while begin.elapsed() < Duration::from_millis(100) {
        check(switches() < before + 10, "it wakes for nothing")?;
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

pub(crate) fn third_client_after_first_left(program: &str) -> Result<(), Failure> {
    let server = Server::start(program);
    let mut clients = [(); 3].map(|()| Client::new(&server));
    clients.iter_mut().try_for_each(Client::ping)?;
    let [first, _, third] = &mut clients;
    first.send(b"quit\n")?;
    first.expect_end()?;
    third.send(b"hello\n")?;
    // The server sees the third before the new one.
    Client::new(&server).ping()?;
    check(third.has_answer(), "the third client is not served any more")
}

pub(crate) fn split_command(program: &str) -> Result<(), Failure> {
    let server = Server::start(program);
    let mut client = Client::new(&server);
    client.send(b"qu")?;
    // The server sees the first part alone.
    Client::new(&server).ping()?;
    client.send(b"it\n")?;
    client.expect_end()
}

pub(crate) fn line_to_others(program: &str) -> Result<(), Failure> {
    let server = Server::start(program);
    let (mut anna, mut ben) = (Client::new(&server), Client::new(&server));
    ben.ping()?;
    anna.send(b"say hello\n")?;
    // The server sees anna's line first.
    Client::new(&server).ping()?;
    ben.send(b"ping\n")?;
    let line = ben.line()?;
    check(line == "hello\n", format!("{line:?} in place of anna's line"))
}
