//! A process for each connection.
#![cfg(target_os = "linux")]

use ropewalk::{ListenOptions, ProcessOptions, Reactor};
use ropewalk_socketserver::ProcessServer;
use std::io::{Read, Write};
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
