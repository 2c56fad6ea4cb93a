//! A chat without a server: members send lines to a multicast group and receive the lines of all members.
//!
//!     cargo run --example multicast -- --name alice
//!
//! Run it in another terminal, or on another machine of the network, with another name. Lines that are typed
//! there are printed here. Ctrl-D leaves. Multicast datagrams can be lost, and any machine of the network can
//! receive them.
//!
//! On a machine without a network, use the loopback interface:
//!
//!     cargo run --example multicast -- --name alice --interface 127.0.0.1
//!
//! Options:
//!
//!     --name NAME       the member's name (member)
//!     --group GROUP     the group (239.255.77.77; over IPv6 for example ff02::4d4d)
//!     --port PORT       the port (7011)
//!     --interface WHICH an interface, by address, index or name (the system chooses)
//!     --ttl N           the number of hops (1: the local network)
//!     --demo            three members in one reactor, on the loopback; ends by itself
//!     --help            this text

use lexopt::prelude::*;
use ropewalk::{
    Address, Context, DatagramOptions, DatagramProtocol, DatagramTransport, Error, Interface, Port,
    Reactor,
};
use std::cell::Cell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::stdio::{self, Gate};
use support::{Failure, say};

/// The multicast group and its options.
#[derive(Clone)]
struct Group {
    address: IpAddr,
    port: u16,
    interface: Interface,
    ttl: u8,
}

impl Group {
    /// Joins the group. All members on a machine share the port.
    fn join(&self, context: &mut Context, member: Member) -> Result<Port, Error> {
        let local: IpAddr = match self.address {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let options = DatagramOptions::new().reuse_address(true);
        let port = options.listen_udp(context, (local, self.port), member)?;
        context.datagram(port.id()).join_group(self.address, self.interface.clone())?;
        context.datagram(port.id()).set_multicast_interface(self.interface.clone())?;
        context.datagram(port.id()).set_multicast_ttl(self.ttl)?;
        Ok(port)
    }

    fn socket_address(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }
}

/// One member of the chat.
struct Member {
    /// Printed before each received line.
    prefix: String,
    gate: Gate,
    /// The number of lines that the members of this process will receive. The reactor stops at 0.
    missing: Rc<Cell<usize>>,
}

impl DatagramProtocol for Member {
    fn start_protocol(&mut self, _transport: &mut DatagramTransport<'_>) {
        self.gate.open();
    }

    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        _sender: &Address,
    ) {
        // The sender is unknown: control characters could be commands to the terminal.
        let text = String::from_utf8_lossy(data);
        let text: String = text.chars().filter(|character| !character.is_control()).collect();
        say(format_args!("{}{text}", self.prefix));
        self.missing.set(self.missing.get().saturating_sub(1));
        if self.missing.get() == 0 {
            transport.context().stop();
        }
    }

    fn error_received(&mut self, _transport: &mut DatagramTransport<'_>, error: Error) {
        say(format_args!("{}{error}", self.prefix));
    }

    fn pause_writing(&mut self, _transport: &mut DatagramTransport<'_>) {
        self.gate.shut();
    }

    fn resume_writing(&mut self, _transport: &mut DatagramTransport<'_>) {
        self.gate.open();
    }
}

fn main() -> ExitCode {
    support::main(include_str!("multicast.rs"), |mut arguments| {
        let address = Ipv4Addr::new(239, 255, 77, 77).into();
        let mut group = Group { address, port: 7011, interface: Interface::Any, ttl: 1 };
        let (mut name, mut demo) = ("member".to_owned(), false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("name") => name = arguments.value()?.string()?,
                Long("group") => group.address = arguments.value()?.parse()?,
                Long("port") => group.port = arguments.value()?.parse()?,
                Long("interface") => group.interface = (&*arguments.value()?.string()?).into(),
                Long("ttl") => group.ttl = arguments.value()?.parse()?,
                Long("demo") => demo = true,
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("warn");
        let reactor = support::reactor()?;
        match demo {
            true => demonstrate(reactor, group),
            false => chat(reactor, &group, name),
        }
    })
}

/// Sends the lines of the input, until it ends.
fn chat(mut reactor: Reactor, group: &Group, name: String) -> Result<(), Failure> {
    let gate = Gate::default();
    let missing = Rc::new(Cell::new(usize::MAX));
    let member = Member { prefix: String::new(), gate: gate.clone(), missing };
    let id = group.join(reactor.context(), member)?.id();
    let to = group.socket_address();
    say(format_args!("{name} has joined {to}; Ctrl-D leaves"));
    let send = move |context: &mut Context, text: &str| {
        context.datagram(id).send_to(format!("<{name}> {text}").as_bytes(), to);
    };
    send(reactor.context(), "has joined");
    // A line can be split between two chunks of input.
    let rest = Arc::new(Mutex::new(Vec::new()));
    stdio::read(io::stdin(), reactor.handle(), gate, move |context, chunk| {
        let mut rest = rest.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        rest.extend_from_slice(chunk);
        let ended = chunk.is_empty();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            send(context, String::from_utf8_lossy(&line).trim_end());
        }
        if ended {
            if !rest.is_empty() {
                send(context, &String::from_utf8_lossy(&rest));
            }
            send(context, "has left");
            // The member's own lines are received as well, which shows that they were sent.
            context.call_later(Duration::from_millis(100), Context::stop);
        }
    });
    Ok(reactor.run()?)
}

/// Runs the demo: three members send a line each, and each receives all three.
fn demonstrate(mut reactor: Reactor, mut group: Group) -> Result<(), Failure> {
    const NAMES: [&str; 3] = ["alice", "bob", "carol"];
    (group.interface, group.port, group.ttl) = (Ipv4Addr::LOCALHOST.into(), 0, 0);
    let missing = Rc::new(Cell::new(NAMES.len() * NAMES.len()));
    let mut members = Vec::new();
    for name in NAMES {
        let prefix = format!("{name} receives: ");
        let member = Member { prefix, gate: Gate::default(), missing: Rc::clone(&missing) };
        let port = group.join(reactor.context(), member)?;
        // The system chooses the port of the first member; the others use it too.
        group.port = port.address().port().unwrap_or_default();
        members.push(port.id());
    }
    say(format_args!("three members of {}, on the loopback", group.socket_address()));
    for (name, id) in NAMES.iter().zip(members) {
        let text = format!("<{name}> hello");
        reactor.context().datagram(id).send_to(text.as_bytes(), group.socket_address());
    }
    reactor.context().call_later(Duration::from_secs(5), Context::stop);
    reactor.run()?;
    match missing.get() {
        0 => say(format_args!("each member has received all three lines")),
        lost => return Err(Failure::Run(format!("{lost} of 9 lines were not received"))),
    }
    Ok(())
}
