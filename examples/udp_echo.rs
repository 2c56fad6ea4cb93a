//! A UDP echo server in a dozen lines: each datagram is sent back to its sender.
//!
//!     cargo run --example udp_echo 127.0.0.1:7010
//!
//! Try it in another terminal, with any UDP client:
//!
//!     socat - UDP:127.0.0.1:7010
//!     nc -u 127.0.0.1 7010
//!
//! Each line that you type is sent as a datagram, and its echo is printed. There are no connections to
//! log; at its end (Ctrl-C) the server prints the number of its datagrams.
//!
//! Options:
//!
//!     HOST:PORT  where to receive (127.0.0.1:7010; port 0 lets the system choose)
//!     --demo     the server and a client in one reactor; ends by itself
//!     --help     this text

use lexopt::prelude::*;
use ropewalk::{Address, DatagramProtocol, DatagramTransport, Port};
use std::process::ExitCode;
use support::say;

struct Echo;

impl DatagramProtocol for Echo {
    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        transport.send_to(data, sender);
    }

    fn stop_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        let counts = transport.counts();
        say(format_args!("server: {} datagrams in, {} out", counts.received, counts.sent));
    }
}

/// The demo's client. It sends a datagram after the echo of the previous one. A real client needs a timer as
/// well, since datagrams can be lost.
struct Client {
    to_send: std::vec::IntoIter<Vec<u8>>,
    server: Port,
}

impl Client {
    fn next(&mut self, transport: &mut DatagramTransport<'_>) {
        if let Some(data) = self.to_send.next() {
            return transport.send(&data);
        }
        say(format_args!("client: closes the server, and sends once more"));
        transport.context().close(self.server.id());
        transport.send(b"still there?");
    }
}

impl DatagramProtocol for Client {
    fn start_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        self.next(transport);
    }

    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        say(format_args!("client: {} bytes received from {sender}", data.len()));
        self.next(transport);
    }

    fn connection_refused(&mut self, transport: &mut DatagramTransport<'_>) {
        let server = self.server.address();
        say(format_args!("client: {server} refuses datagrams (ICMP port unreachable)"));
        transport.context().stop();
    }
}

fn main() -> ExitCode {
    support::main(include_str!("udp_echo.rs"), |mut arguments| {
        let (mut listen, mut demo) = (None, false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("demo") => demo = true,
                Value(address) => support::once(&mut listen, address)?,
                argument => return Err(support::other(argument)),
            }
        }
        let mut listen = support::address(listen, "127.0.0.1:7010")?;
        support::log_from("warn");
        let mut reactor = support::reactor()?;
        if demo {
            listen = "127.0.0.1:0".to_owned();
        }
        let port = reactor.listen_udp(listen, Echo)?;
        let address = port.address();
        say(format_args!("listening on {address}"));
        if demo {
            // The last one has the maximum length.
            let to_send = vec![b"hello".to_vec(), Vec::new(), vec![7; 65_507]].into_iter();
            let client = Client { to_send, server: port.clone() };
            reactor.context().connect_udp(address, client)?;
        } else {
            let address = support::reachable(address);
            say(format_args!("try it with: socat - UDP:{address}"));
        }
        Ok(reactor.run()?)
    })
}
