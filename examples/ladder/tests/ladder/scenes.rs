//! Scenes: what clients do to a server. An error says how the server failed.

use crate::client::{Client, Failure};
use crate::server::Server;
use std::thread;
use std::time::{Duration, Instant};

/// A scene is played with one program, which it starts. It waits for `patience` where a failure shows in no other way.
pub(crate) type Scene = fn(program: &str, patience: Duration) -> Result<(), Failure>;

/// Returns an error with this text if the condition is false.
fn check(condition: bool, failure: impl Into<Failure>) -> Result<(), Failure> {
    if condition { Ok(()) } else { Err(failure.into()) }
}

pub(crate) fn second_client(program: &str, _: Duration) -> Result<(), Failure> {
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

pub(crate) fn threads(program: &str, _: Duration) -> Result<(), Failure> {
    let server = Server::start(program);
    let mut clients: Vec<_> = (0..20).map(|_| Client::new(&server)).collect();
    clients.iter_mut().try_for_each(Client::ping)?;
    let threads = server.status("Threads");
    check(threads == 1, format!("{threads} threads"))
}

/// This one looks on for a while: whether nothing happens is seen in no other way.
pub(crate) fn idleness(program: &str, _: Duration) -> Result<(), Failure> {
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

pub(crate) fn third_client_after_first_left(
    program: &str,
    patience: Duration,
) -> Result<(), Failure> {
    let server = Server::start(program);
    let mut clients = [(); 3].map(|()| Client::new(&server));
    clients.iter_mut().try_for_each(Client::ping)?;
    let [first, _, third] = &mut clients;
    first.send(b"quit\n")?;
    first.expect_end()?;
    third.send(b"hello\n")?;
    third.wait_for_answer(patience)?;
    third.expect(b"hello\n")
}

pub(crate) fn split_command(program: &str, _: Duration) -> Result<(), Failure> {
    let server = Server::start(program);
    let (mut client, mut other) = (Client::new(&server), Client::new(&server));
    client.send(b"qu")?;
    // The server reads the first part alone.
    for _ in 0..100 {
        other.ping()?;
        check(!client.has_answer(), "the first part is answered")?;
    }
    client.send(b"it\n")?;
    client.expect_end()
}

pub(crate) fn line_to_others(program: &str, _: Duration) -> Result<(), Failure> {
    let server = Server::start(program);
    let (mut anna, mut ben) = (Client::new(&server), Client::new(&server));
    ben.ping()?;
    anna.send(b"say hello\nping\n")?;
    // Then the server has read anna's first line.
    while anna.line()? != "ping\n" {}
    ben.send(b"ping\n")?;
    let line = ben.line()?;
    check(line == "hello\n", format!("{line:?} in place of anna's line"))
}

/// The kernel's buffers have some megabytes.
pub(crate) fn slow_reader(program: &str, _: Duration) -> Result<(), Failure> {
    let server = Server::start(program);
    let mut client = Client::small(&server);
    let line = [b"x".repeat(999), b"\n".to_vec()].concat();
    let sent = client.send_until_stopped(&line, 64_000_000)?;
    for _ in 0..sent / line.len() {
        client.expect(&line)?;
    }
    Ok(())
}

pub(crate) fn silence(program: &str, patience: Duration) -> Result<(), Failure> {
    let limit = 100;
    let server = Server::start_with(program, limit, 1024);
    let begin = Instant::now();
    Client::new(&server).wait_for_end(patience)?;
    check(begin.elapsed() >= Duration::from_millis(limit), "the connection ends early")
}

/// Two clients have sent before the server looks. A third sees in which order it reads.
pub(crate) fn busy_client(program: &str, _: Duration) -> Result<(), Failure> {
    let server = Server::start(program);
    let mut clients = [(); 3].map(|()| Client::new(&server));
    clients.iter_mut().try_for_each(Client::ping)?;
    let [busy, other, third] = &mut clients;
    server.suspend();
    let sent = 6_000;
    busy.send(&b"say a\n".repeat(sent))?;
    other.send(b"say b\n")?;
    server.resume();
    let mut before = 0;
    while third.line()? == "a\n" {
        before += 1;
    }
    check(before < sent / 2, format!("{before} lines of the busy client come first"))
}

pub(crate) fn half_close(program: &str, _: Duration) -> Result<(), Failure> {
    let server = Server::start(program);
    let mut client = Client::new(&server);
    client.send(b"hello")?;
    client.end_sending();
    client.expect(b"hello")?;
    client.expect_end()
}

/// Sends lines and does not read the answers. When it returns, the server has read the lines.
fn send_lines(client: &mut Client, other: &mut Client) -> Result<Vec<u8>, Failure> {
    let lines = [b"x".repeat(999), b"\n".to_vec()].concat().repeat(200);
    client.send(&lines)?;
    client.send(b"say sent\n")?;
    other.expect(b"sent\n")?;
    Ok(lines)
}

/// A client goes on sending after `quit`. Most of its answers are still in the server's kernel then.
pub(crate) fn unread_input(program: &str, _: Duration) -> Result<(), Failure> {
    let server = Server::start(program);
    let (mut client, mut other) = (Client::small(&server), Client::new(&server));
    other.ping()?;
    let lines = send_lines(&mut client, &mut other)?;
    let open = server.descriptors_below(u32::MAX);
    client.send(b"quit\n")?;
    for _ in 0..200 {
        client.send(b"more\n")?;
        other.ping()?;
    }
    client.expect(&lines)?;
    client.expect_end()?;
    drop(client);
    wait_for_descriptors(&server, open - 1)
}

/// Waits until the server has at most `most` descriptors open. It must not need its deadlines for that.
fn wait_for_descriptors(server: &Server, most: usize) -> Result<(), Failure> {
    let begin = Instant::now();
    while server.descriptors_below(u32::MAX) > most {
        check(begin.elapsed() < Duration::from_secs(5), "connections that ended are still open")?;
        thread::yield_now();
    }
    Ok(())
}

/// Returns a server that can accept no more, its clients, and a client that it has not accepted.
fn full_server(program: &str) -> Result<(Server, Vec<Client>, Client), Failure> {
    let limit = 16;
    let server = Server::start_with(program, 60_000, limit);
    let mut clients = Vec::new();
    while server.descriptors_below(limit) < limit as usize {
        let mut client = Client::new(&server);
        client.ping()?;
        clients.push(client);
    }
    let mut waiting = Client::new(&server);
    waiting.send(b"hello\n")?;
    (0..20).try_for_each(|_| clients[0].ping())?;
    Ok((server, clients, waiting))
}

pub(crate) fn full_descriptor_table(program: &str, patience: Duration) -> Result<(), Failure> {
    let (_server, mut clients, mut waiting) = full_server(program)?;
    let mut leaving = clients.pop().unwrap();
    leaving.send(b"quit\n")?;
    leaving.expect_end()?;
    drop(leaving);
    waiting.wait_for_answer(patience)?;
    waiting.expect(b"hello\n")
}

pub(crate) fn no_spin_when_full(program: &str, _: Duration) -> Result<(), Failure> {
    let (server, _clients, waiting) = full_server(program)?;
    let spent = server.processor_time();
    thread::sleep(Duration::from_millis(300)); // A spin would spend it all.
    let spent = server.processor_time() - spent;
    check(!waiting.has_answer() && spent < 10, format!("{spent} of 30 ticks are spent"))
}

/// A client that does not read has answers in the server's buffer, and the server has stopped reading from it.
pub(crate) fn stop(program: &str, patience: Duration) -> Result<(), Failure> {
    let server = Server::start(program);
    let (mut reader, mut other) = (Client::small(&server), Client::new(&server));
    let line = [b"x".repeat(999), b"\n".to_vec()].concat();
    reader.send_until_stopped(&line, 64_000_000)?;
    other.send(b"stop\n")?;
    other.wait_for_end(patience)?;
    drop(other);
    let answers = reader.all()?;
    check(answers.len() % line.len() == 0, "an answer is cut off")?;
    drop(reader);
    wait_for_descriptors(&server, 0)?;
    check(server.ends(), "the program ends with an error")
}

pub(crate) fn every_split(program: &str, _: Duration) -> Result<(), Failure> {
    let server = Server::start(program);
    let mut other = Client::new(&server);
    let talk = b"one\ntwo\n\nquit\n";
    for place in 0..=talk.len() {
        let (first, second) = talk.split_at(place);
        let mut client = Client::new(&server);
        client.send(first)?;
        other.ping()?;
        client.send(second)?;
        client.expect(b"one\ntwo\n\n")?;
        client.expect_end()?;
    }
    Ok(())
}

pub(crate) fn large_half_close(program: &str, _: Duration) -> Result<(), Failure> {
    let server = Server::start(program);
    let mut client = Client::small(&server);
    let line = [b"x".repeat(999), b"\n".to_vec()].concat();
    let mut writer = client.another_handle();
    let data = line.repeat(4_000);
    let sending = thread::spawn(move || {
        writer.send(&data)?;
        writer.end_sending();
        Ok(())
    });
    for _ in 0..4_000 {
        client.expect(&line)?;
    }
    client.expect_end()?;
    sending.join().unwrap()
}

pub(crate) fn resets(program: &str, _: Duration) -> Result<(), Failure> {
    let server = Server::start(program);
    let mut other = Client::new(&server);
    other.ping()?;
    let before = server.descriptors_below(u32::MAX);
    let line = [b"x".repeat(999), b"\n".to_vec()].concat();
    for round in 0..20 {
        let mut client = Client::small(&server);
        client.send(&line.repeat(10 * round))?;
        client.reset();
    }
    (0..20).try_for_each(|_| other.ping())?;
    wait_for_descriptors(&server, before)
}

/// In one turn a client is written to, ends, and its slot is used again. Its id is still in the queue of the next turn.
pub(crate) fn reused_slot(program: &str, patience: Duration) -> Result<(), Failure> {
    let server = Server::start(program);
    let (mut first, mut second) = (Client::new(&server), Client::new(&server));
    first.ping()?;
    second.ping()?;
    server.suspend();
    first.send(b"say hello\n")?;
    drop(second);
    let mut third = Client::new(&server);
    third.send(b"hello\n")?;
    server.resume();
    third.wait_for_answer(patience)?;
    third.expect(b"hello\n")
}
