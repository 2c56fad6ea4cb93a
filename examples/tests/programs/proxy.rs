//! The program `proxy`.

use crate::ports::{address, dead, reserved};
use crate::scene::*;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn proxy_relays_in_both_directions() {
    let (_echo, echo) = Program::serve("echo", &["127.0.0.1:0"]);
    let (_proxy, proxy) = Program::serve("proxy", &["--listen", "127.0.0.1:0", "--to", &echo]);
    let mut client = Client::connect(&proxy);
    client.type_line("there");
    client.read_until("there");
    client.type_line("and back");
    assert_eq!(client.end(), "and back\n");
    let load = ["--connections", "3", "--messages", "5", "--size", "1000000"];
    let end = run("echo_client", &[&[&*proxy], &load[..]].concat());
    assert_eq!(end.code, Some(0), "{end:?}");
}

#[test]
fn proxy_closes_clients_without_a_server() {
    let dead = dead().to_string();
    let (mut proxy, address) = Program::serve("proxy", &["--listen", "127.0.0.1:0", "--to", &dead]);
    assert_eq!(Client::connect(&address).end(), "");
    proxy.signal("TERM");
    let end = proxy.end();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.errors.contains(&format!("is closed: cannot connect to {dead}")), "{end:?}");
}

#[test]
fn proxy_to_itself_is_an_error() {
    for (host, server) in [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        // The same address in IPv6 notation (RFC 4291, 2.5.5.2).
        ("127.0.0.1", "[::ffff:127.0.0.1]"),
        ("0.0.0.0", "[::ffff:127.0.0.1]"),
    ] {
        let own = reserved();
        let port = address(&own).port();
        let (listen, to) = (format!("{host}:{port}"), format!("{server}:{port}"));
        let end = run("proxy", &["--listen", &listen, "--to", &to]);
        assert_eq!((end.code, &*end.output), (Some(2), ""), "{end:?}");
        assert!(end.errors.contains("the proxy itself"), "{end:?}");
    }
}

/// Starts a proxy for a server of the test. `half_closed` is its limit in seconds.
fn behind_a_proxy(half_closed: &str) -> (TcpListener, Program, String) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = server.local_addr().unwrap().to_string();
    let arguments = ["--listen", "127.0.0.1:0", "--to", &to, "--half-closed", half_closed];
    let (proxy, address) = Program::serve("proxy", &arguments);
    (server, proxy, address)
}

fn connect(address: &str) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    client
}

/// Connects a client. Returns its stream and the server's.
fn join(server: &TcpListener, proxy: &str) -> (TcpStream, TcpStream) {
    let client = connect(proxy);
    let (end, _) = server.accept().unwrap();
    end.set_read_timeout(Some(LIMIT)).unwrap();
    (client, end)
}

/// Reads to the end of the stream.
fn end_of(stream: &mut TcpStream) -> Result<(), ErrorKind> {
    stream.read_to_end(&mut Vec::new()).map(|_| ()).map_err(|error| error.kind())
}

#[test]
fn idle_half_closed_pair_is_reset() {
    let (server, mut proxy, address) = behind_a_proxy("1");
    let (mut client, mut silent) = join(&server, &address);
    let begin = Instant::now();
    client.write_all(b"a question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(end_of(&mut client), Err(ErrorKind::ConnectionReset));
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
    // The server has received the client's end before.
    let mut question = Vec::new();
    silent.read_to_end(&mut question).unwrap();
    assert_eq!(question, b"a question");
    proxy.signal("TERM");
    let end = proxy.end();
    assert!(end.errors.contains("no byte was transferred for 1s"), "{end:?}");
}

#[test]
fn busy_half_closed_pair_is_not_reset() {
    let (server, _proxy, address) = behind_a_proxy("2");
    let (mut client, mut slow) = join(&server, &address);
    client.shutdown(Shutdown::Write).unwrap();
    let slow = thread::spawn(move || {
        for _ in 0..6 {
            thread::sleep(Duration::from_millis(500));
            slow.write_all(b".").unwrap();
        }
    });
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "......");
    slow.join().unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn half_closed_pairs_do_not_exhaust_descriptors() {
    let (server, proxy, address) = behind_a_proxy("1");
    let process = proxy.child.id().to_string();
    let limited = Command::new("prlimit").args(["--nofile=64:64", "--pid", &process]).status();
    assert!(limited.unwrap().success());
    // These connections take all descriptors; further ones are closed.
    let leaving: Vec<TcpStream> = (0..40)
        .map(|_| {
            let client = connect(&address);
            client.shutdown(Shutdown::Write).unwrap();
            client
        })
        .collect();
    // The server answers none of them and ends none.
    let silent = thread::spawn(move || {
        let mut open = Vec::new();
        loop {
            let (mut end, _) = server.accept().unwrap();
            if end.read(&mut [0; 1]).unwrap() == 1 {
                return end.write_all(b"?").unwrap();
            }
            open.push(end);
        }
    });
    let ends = leaving.into_iter().map(|mut client| end_of(&mut client));
    let reset = ends.filter(|end| *end == Err(ErrorKind::ConnectionReset)).count();
    assert!(reset >= 25, "{reset}");

    let mut client = connect(&address);
    client.write_all(b"!").unwrap();
    client.read_exact(&mut [0; 1]).unwrap();
    silent.join().unwrap();
}

/// Writes until the send would block: the buffers are full then.
fn fill(stream: &mut TcpStream) {
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    while stream.write(&[7; 64 * 1024]).is_ok() {}
}

#[test]
fn stop_during_a_transfer_resets_both_ends() {
    for is_upload in [false, true] {
        let (server, mut proxy, address) = behind_a_proxy("60");
        let (client, end) = join(&server, &address);
        let (mut writer, mut reader) = if is_upload { (client, end) } else { (end, client) };
        fill(&mut writer);
        proxy.signal("TERM");
        // Both ends must notice that the data is incomplete.
        assert_eq!(end_of(&mut reader), Err(ErrorKind::ConnectionReset));
        assert_eq!(end_of(&mut writer), Err(ErrorKind::ConnectionReset));
        assert_eq!(proxy.end().code, Some(0));
    }
}

#[test]
fn stop_between_messages_resets_both_ends() {
    let (server, mut proxy, address) = behind_a_proxy("60");
    let (mut client, mut end) = join(&server, &address);
    client.write_all(b"half of a").unwrap();
    end.read_exact(&mut [0; 9]).unwrap();
    proxy.signal("TERM");
    assert_eq!(end_of(&mut client), Err(ErrorKind::ConnectionReset));
    assert_eq!(end_of(&mut end), Err(ErrorKind::ConnectionReset));
    assert_eq!(proxy.end().code, Some(0));
}
