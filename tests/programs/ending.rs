//! How the programs end.

use crate::scene::*;
use std::io::Read;
use std::net::TcpStream;

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
