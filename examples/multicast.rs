//! A chat without a server: everybody speaks to a multicast group, and hears all who do.
//!
//!     cargo run --example multicast -- --name alice
//!
//! Do the same in another terminal, or on another machine of the same network, under another name.
//! What you type there arrives here. Ctrl-D leaves. It may get lost, and anybody may listen: such is
//! multicast.
//!
//! On a machine without a network, or to keep it to yourselves, use the loopback:
//!
//!     cargo run --example multicast -- --name alice --interface 127.0.0.1
//!
//! Options:
//!
//!     --name NAME       who you are (somebody)
//!     --group GROUP     the group (239.255.77.77; over IPv6 for example ff02::4d4d)
//!     --port PORT       the port (7011)
//!     --interface WHICH an interface, by address, index or name (whichever the system chooses)
//!     --ttl N           how many routers a line may pass (1: it stays in the local network)
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

/// Where everybody meets.
#[derive(Clone)]
struct Room {
    group: IpAddr,
    port: u16,
    interface: Interface,
    ttl: u8,
}

impl Room {
    /// Joins the room. All members on a machine hear the same port.
    fn join(&self, context: &mut Context, member: Member) -> Result<Port, Error> {
        let local: IpAddr = match self.group {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let options = DatagramOptions::new().reuse_address(true);
        let port = context.listen_udp_with((local, self.port), &options, member)?;
        context.join_group(port.id(), self.group, self.interface.clone())?;
        context.set_multicast_interface(port.id(), self.interface.clone())?;
        context.set_multicast_ttl(port.id(), self.ttl)?;
        Ok(port)
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::new(self.group, self.port)
    }
}

/// One member of the chat.
struct Member {
    /// What to put before what is heard.
    prefix: String,
    gate: Gate,
    /// How many lines all members of this process together have yet to hear; then it ends.
    until: Rc<Cell<usize>>,
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
        // Anybody may have sent anything: nothing of it is for the terminal to obey.
        let text = String::from_utf8_lossy(data);
        let text: String = text.chars().filter(|character| !character.is_control()).collect();
        say(format_args!("{}{text}", self.prefix));
        self.until.set(self.until.get().saturating_sub(1));
        if self.until.get() == 0 {
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
        let group = Ipv4Addr::new(239, 255, 77, 77).into();
        let mut room = Room { group, port: 7011, interface: Interface::Any, ttl: 1 };
        let (mut name, mut demo) = ("somebody".to_owned(), false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("name") => name = arguments.value()?.string()?,
                Long("group") => room.group = arguments.value()?.parse()?,
                Long("port") => room.port = arguments.value()?.parse()?,
                Long("interface") => room.interface = (&*arguments.value()?.string()?).into(),
                Long("ttl") => room.ttl = arguments.value()?.parse()?,
                Long("demo") => demo = true,
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("warn");
        let reactor = support::reactor()?;
        match demo {
            true => show(reactor, room),
            false => chat(reactor, &room, name),
        }
    })
}

/// Says what is typed, until there is no more.
fn chat(mut reactor: Reactor, room: &Room, name: String) -> Result<(), Failure> {
    let gate = Gate::default();
    let until = Rc::new(Cell::new(usize::MAX));
    let member = Member { prefix: String::new(), gate: gate.clone(), until };
    let id = room.join(reactor.context(), member)?.id();
    let to = room.address();
    say(format_args!("you are {name}, in {to}; type, and Ctrl-D to leave"));
    let speak = move |context: &mut Context, text: &str| {
        context.send_to(id, format!("<{name}> {text}").as_bytes(), to);
    };
    speak(reactor.context(), "has joined");
    // Pieces of input end where they end; a line may be in two of them.
    let rest = Arc::new(Mutex::new(Vec::new()));
    stdio::read(io::stdin(), reactor.handle(), gate, move |context, piece| {
        let mut rest = rest.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        rest.extend_from_slice(piece);
        let ended = piece.is_empty();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            speak(context, String::from_utf8_lossy(&line).trim_end());
        }
        if ended {
            if !rest.is_empty() {
                speak(context, &String::from_utf8_lossy(&rest));
            }
            speak(context, "has left");
            // One's own words come back; to see them is the proof that they were sent.
            context.call_later(Duration::from_millis(100), Context::stop);
        }
    });
    Ok(reactor.run()?)
}

/// Three members who say hello and hear each other, themselves included.
fn show(mut reactor: Reactor, mut room: Room) -> Result<(), Failure> {
    const NAMES: [&str; 3] = ["alice", "bob", "carol"];
    (room.interface, room.port, room.ttl) = (Ipv4Addr::LOCALHOST.into(), 0, 0);
    let until = Rc::new(Cell::new(NAMES.len() * NAMES.len()));
    let mut members = Vec::new();
    for name in NAMES {
        let prefix = format!("{name} hears: ");
        let member = Member { prefix, gate: Gate::default(), until: Rc::clone(&until) };
        let port = room.join(reactor.context(), member)?;
        // The first gets some free port, and the others come to it.
        room.port = port.address().port().unwrap_or_default();
        members.push(port.id());
    }
    say(format_args!("three members in {}, on the loopback", room.address()));
    for (name, id) in NAMES.iter().zip(members) {
        let text = format!("<{name}> hello, everybody");
        reactor.context().send_to(id, text.as_bytes(), room.address());
    }
    reactor.context().call_later(Duration::from_secs(5), Context::stop);
    reactor.run()?;
    match until.get() {
        0 => say(format_args!("each has heard all three; now try it yourself, with --name")),
        lost => return Err(Failure::Run(format!("{lost} of 9 lines were not heard"))),
    }
    Ok(())
}
