//! A process for each connection.
#![cfg(target_os = "linux")]

use ropewalk::{ListenOptions, ProcessOptions, Reactor};
use ropewalk_socketserver::ProcessServer;
use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// Serves a shell script to the connections that `clients` makes.
fn serve(script: &'static str, children: usize, clients: impl FnOnce(&str) + Send + 'static) {
    let mut reactor = Reactor::new().unwrap();
    let server = ProcessServer::new(move |_| ProcessOptions::new("sh").arg("-c").arg(script));
    let options = ListenOptions::new().max_connections(100);
    let server = server.max_children(children);
    let port = options.listen_tcp(reactor.context(), "127.0.0.1:0", server).unwrap();
    let (address, handle) = (port.address().to_string(), reactor.handle());
    let clients = thread::spawn(move || {
        clients(&address);
        handle.stop().unwrap();
    });
    reactor.run().unwrap();
    clients.join().unwrap();
}

fn connect(address: &str) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

fn rest(mut client: &TcpStream) -> String {
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn connection_is_standard_input_and_output() {
    serve("tr a-z A-Z", 10, |address| {
        let mut client = connect(address);
        client.write_all(b"hello\n").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&client), "HELLO\n");
    });
}

#[test]
fn connections_beyond_the_limit_wait_for_a_process() {
    serve("echo ready; cat", 1, |address| {
        let mut first = connect(address);
        first.read_exact(&mut [0; 6]).unwrap();
        let mut second = connect(address);
        second.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(second.read(&mut [0; 1]).is_err(), "the only process is busy");
        second.set_read_timeout(Some(PATIENCE)).unwrap();
        drop(first);
        second.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&second), "ready\n");
    });
}

#[test]
fn connection_waits_for_a_process_for_a_limited_time() {
    let mut reactor = Reactor::new().unwrap();
    let server = ProcessServer::new(|_| ProcessOptions::new("sh").arg("-c").arg("echo ready; cat"));
    let server = server.max_children(1).queue_timeout(Duration::from_millis(50));
    let port = reactor.listen_tcp("127.0.0.1:0", server).unwrap();
    let (address, handle) = (port.address().to_string(), reactor.handle());
    let clients = thread::spawn(move || {
        let mut first = connect(&address);
        first.read_exact(&mut [0; 6]).unwrap();
        assert_eq!(rest(&connect(&address)), "", "it is closed");
        first.write_all(b"hello").unwrap();
        first.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&first), "hello");
        handle.stop().unwrap();
    });
    reactor.run().unwrap();
    clients.join().unwrap();
}

#[test]
fn program_that_does_not_exist_costs_its_connection() {
    let mut reactor = Reactor::new().unwrap();
    let server = ProcessServer::new(|_| ProcessOptions::new("there-is-no-such-program"));
    let port = reactor.listen_tcp("127.0.0.1:0", server).unwrap();
    let (address, handle) = (port.address().to_string(), reactor.handle());
    let clients = thread::spawn(move || {
        for _ in 0..50 {
            assert_eq!(rest(&connect(&address)), "");
        }
        handle.stop().unwrap();
    });
    reactor.run().unwrap();
    clients.join().unwrap();
}

#[test]
fn stop_ends_the_processes() {
    serve("echo ready; exec sleep 1000", 10, |address| {
        let mut client = connect(address);
        client.read_exact(&mut [0; 6]).unwrap();
    });
}

#[test]
fn panic_of_the_maker_costs_its_connection() {
    let mut reactor = Reactor::new().unwrap();
    let calls = Cell::new(0);
    let server = ProcessServer::new(move |_| {
        calls.set(calls.get() + 1);
        assert_ne!(calls.get(), 2, "on purpose");
        ProcessOptions::new("sh").arg("-c").arg("echo ready; cat")
    });
    let port = reactor.listen_tcp("127.0.0.1:0", server.max_children(1)).unwrap();
    let (address, handle) = (port.address().to_string(), reactor.handle());
    let clients = thread::spawn(move || {
        let mut clients: Vec<_> = (0..3).map(|_| connect(&address)).collect();
        clients[0].read_exact(&mut [0; 6]).unwrap();
        // The end of the first process starts the next one.
        clients[0].shutdown(Shutdown::Write).unwrap();
        let second = clients[1].read_to_end(&mut Vec::new());
        let third = clients[2].read_exact(&mut [0; 6]);
        handle.stop().unwrap();
        (second.map_err(|error| error.kind()), third)
    });
    reactor.run().unwrap();
    let (second, third) = clients.join().unwrap();
    assert!(matches!(second, Ok(0) | Err(ErrorKind::ConnectionReset)), "{second:?}");
    assert!(third.is_ok(), "{third:?}");
}
