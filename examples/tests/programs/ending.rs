//! The end of programs: signals, demos and grace periods.

use crate::scene::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// Connects a client of the chat, and reads its welcome.
fn member(address: &str, name: &str) -> BufReader<TcpStream> {
    let mut client = BufReader::new(TcpStream::connect(address).unwrap());
    writeln!(client.get_mut(), "{name}").unwrap();
    until(&mut client, "* you are ");
    client
}

fn until(client: &mut BufReader<TcpStream>, text: &str) {
    let mut line = String::new();
    while !line.starts_with(text) {
        line.clear();
        assert_ne!(client.read_line(&mut line).unwrap(), 0, "{text} was not received");
    }
}

#[test]
fn chat_grants_slow_readers_a_grace_period() {
    for (arguments, grace) in [(&[][..], "8s"), (&["--grace", "1"], "1s")] {
        let listen = ["--listen", "127.0.0.1:0"];
        let (mut server, address) = Program::serve("chat", &[&listen, arguments].concat());
        let slow = member(&address, "slow");
        socket2::SockRef::from(slow.get_ref()).set_recv_buffer_size(16 * 1024).unwrap();
        let mut fast = member(&address, "fast");
        let lines = format!("{}\n", "x".repeat(1_000)).repeat(500);
        fast.get_mut().write_all((lines + "/who\n").as_bytes()).unwrap();
        until(&mut fast, "* in lobby: slow, fast");
        server.signal("TERM");
        // The client that has read everything is disconnected immediately.
        let mut rest = String::new();
        fast.read_to_string(&mut rest).unwrap();
        drop(fast);
        if arguments.is_empty() {
            server.signal("TERM"); // The second signal ends the grace period.
        }
        let end = server.end();
        assert_eq!(end.code, Some(0), "{end:?}");
        assert!(end.errors.contains(&format!("up to {grace} for")), "{end:?}");
        assert!(end.errors.contains("aborting 1 socket"), "{end:?}");
        drop(slow);
    }
}

#[test]
fn demos_end_by_themselves() {
    let demos = [
        "chat",
        "clock",
        "echo_client",
        "proxy",
        "send_file",
        #[cfg(feature = "inotify")]
        "tail",
        "udp_echo",
        "worker",
    ];
    // In parallel: the demos are idle most of the time.
    let running = demos.map(|name| (name, Program::serve(name, &["--demo"])));
    for (name, (mut program, address)) in running {
        let port = address.strip_prefix("127.0.0.1:").and_then(|port| port.parse::<u16>().ok());
        assert!(port.is_some_and(|port| port != 0), "{name}: {address}");
        let end = program.end();
        assert_eq!(end.code, Some(0), "{name}: {end:?}");
        assert!(end.output.lines().count() >= 2, "{name}: {end:?}");
        assert!(!end.errors.contains("ERROR"), "{name}: {end:?}");
    }
}

#[test]
fn signals_stop_servers_gracefully() {
    for &(name, arguments) in SERVERS {
        for signal in ["TERM", "INT"] {
            let (mut server, address) = Program::serve(name, arguments);
            let mut client = TcpStream::connect(&address).unwrap();
            server.signal(signal);
            // The client receives an orderly end. The server waits until the client ends its side too.
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).unwrap_or_else(|error| panic!("{name}: {error}"));
            drop(client);
            let end = server.end();
            assert_eq!(end.code, Some(0), "{name}, {signal}: {end:?}");
        }
    }
}

#[test]
fn demos_of_unix_sockets_end_by_themselves() {
    for (name, shown) in [
        ("unix_echo", ["address already in use", "hello"]),
        ("fd_passing", ["This file was opened by another process.", "No such file"]),
    ] {
        let end = run(name, &["--demo"]);
        assert_eq!((end.code, &*end.errors), (Some(0), ""), "{name}: {end:?}");
        for shown in shown {
            assert!(end.output.contains(shown), "{name}: {end:?}");
        }
    }
}
