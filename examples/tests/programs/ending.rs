//! How the programs end.

use crate::scene::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A client of the chat that has joined and has read its welcome.
fn guest(address: &str, name: &str) -> BufReader<TcpStream> {
    let mut client = BufReader::new(TcpStream::connect(address).unwrap());
    writeln!(client.get_mut(), "{name}").unwrap();
    until(&mut client, "* you are ");
    client
}

fn until(client: &mut BufReader<TcpStream>, text: &str) {
    let mut line = String::new();
    while !line.starts_with(text) {
        line.clear();
        assert_ne!(client.read_line(&mut line).unwrap(), 0, "{text} never came");
    }
}

#[test]
fn a_chat_waits_at_its_end_for_those_who_are_slow_to_read_and_not_for_ever() {
    for (arguments, grace) in [(&[][..], "8s"), (&["--grace", "1"], "1s")] {
        let listen = ["--listen", "127.0.0.1:0"];
        let (mut server, address) = Program::serve("chat", &[&listen, arguments].concat());
        let slow = guest(&address, "slow");
        socket2::SockRef::from(slow.get_ref()).set_recv_buffer_size(16 * 1024).unwrap();
        let mut fast = guest(&address, "fast");
        let lines = format!("{}\n", "x".repeat(1_000)).repeat(500);
        fast.get_mut().write_all((lines + "/who\n").as_bytes()).unwrap();
        until(&mut fast, "* in lobby: slow, fast");
        server.signal("TERM");
        // The client that has read everything is disconnected at once.
        let mut rest = String::new();
        fast.read_to_string(&mut rest).unwrap();
        drop(fast);
        if arguments.is_empty() {
            server.signal("TERM"); // That is long enough for a test.
        }
        let end = server.end();
        assert_eq!(end.code, Some(0), "{end:?}");
        assert!(end.errors.contains(&format!("up to {grace} for it")), "{end:?}");
        assert!(end.errors.contains("cutting 1 off"), "{end:?}");
        drop(slow);
    }
}

#[test]
fn demos_end_by_themselves() {
    let demos = [
        "chat",
        "clock",
        "connect",
        "echo_client",
        "proxy",
        "send_file",
        "tail",
        "udp_echo",
        "worker",
    ];
    // One beside the other, for most of their time they wait.
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
fn signals_end_servers_in_order() {
    for (name, arguments) in SERVERS {
        for signal in ["TERM", "INT"] {
            let (mut server, address) = Program::serve(name, arguments);
            let mut client = TcpStream::connect(&address).unwrap();
            server.signal(signal);
            // The client sees an orderly end. A server lingers until it has ended its side as well.
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
        ("unix_echo", ["address already in use", "This went there and back."]),
        ("fd_passing", ["Who reads this had it opened by another.", "No such file"]),
    ] {
        let end = run(name, &["--demo"]);
        assert_eq!((end.code, &*end.errors), (Some(0), ""), "{name}: {end:?}");
        for shown in shown {
            assert!(end.output.contains(shown), "{name}: {end:?}");
        }
    }
}
