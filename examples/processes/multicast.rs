//! A chat without a server: members send lines to a multicast group and receive the lines of all members.
//!
//!     cargo run -p ropewalk-process-examples --example multicast -- --name alice
//!
//! Run it in another terminal, or on another machine of the network, with another name. Lines that are typed
//! there are printed here. Ctrl-D leaves. Multicast datagrams can be lost, and any machine of the network can
//! receive them.
//!
//! On a machine without a network, use the loopback interface:
//!
//!     cargo run -p ropewalk-process-examples --example multicast -- --name alice --interface 127.0.0.1
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

#[cfg(not(unix))]
fn main() {
    eprintln!("error: this system has no input that can be polled");
}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    support::main(include_str!("multicast.rs"), program::run)
}

#[cfg(unix)]
mod program {
    use lexopt::{Parser, prelude::*};
    use ropewalk::{
        Address, Context, DatagramOptions, DatagramProtocol, DatagramTransport, Error, Id,
        Interface, Pipes, Port, Reactor, Reason, TimerId,
    };
    use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
    use std::cell::{Cell, RefCell};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::rc::Rc;
    use std::time::Duration;
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
        /// Standard input and output. `None` in the demo.
        keyboard: Rc<Cell<Option<Id>>>,
        /// The number of lines that the members of this process will receive. The reactor stops at 0.
        missing: Rc<Cell<usize>>,
    }

    impl Member {
        fn print(&self, context: &mut Context, text: &str) {
            let prefix = &self.prefix;
            match self.keyboard.get() {
                Some(id) => context.transport(id).write(format!("{prefix}{text}\n").as_bytes()),
                None => say(format_args!("{prefix}{text}")),
            }
        }
    }

    impl DatagramProtocol for Member {
        fn datagram_received(
            &mut self,
            transport: &mut DatagramTransport<'_>,
            data: &[u8],
            _sender: &Address,
        ) {
            // The sender is unknown: control characters could be commands to the terminal.
            let text = String::from_utf8_lossy(data);
            let text: String = text.chars().filter(|character| !character.is_control()).collect();
            self.print(transport.context(), &text);
            self.missing.set(self.missing.get().saturating_sub(1));
            if self.missing.get() == 0 {
                transport.context().stop();
            }
        }

        fn error_received(&mut self, transport: &mut DatagramTransport<'_>, error: Error) {
            self.print(transport.context(), &error.to_string());
        }

        fn pause_writing(&mut self, transport: &mut DatagramTransport<'_>) {
            if let Some(id) = self.keyboard.get() {
                transport.context().transport(id).pause();
            }
        }

        fn resume_writing(&mut self, transport: &mut DatagramTransport<'_>) {
            if let Some(id) = self.keyboard.get() {
                transport.context().transport(id).resume();
            }
        }
    }

    /// Standard input, of which each line is sent, and standard output.
    struct Keyboard {
        name: String,
        member: Id,
        to: SocketAddr,
        failure: Rc<RefCell<Option<String>>>,
    }

    impl Keyboard {
        fn send(&self, lines: &mut LineTransport<'_>, text: &str) {
            let text = format!("<{}> {text}", self.name);
            lines.context().datagram(self.member).send_to(text.as_bytes(), self.to);
        }
    }

    impl LineHandler for Keyboard {
        type Line = str;

        fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
            lines.send_line(format!("{} has joined {}; Ctrl-D leaves", self.name, self.to));
            self.send(lines, "has joined");
        }

        fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
            self.send(lines, line);
        }

        fn eof_received(&mut self, lines: &mut LineTransport<'_>, unfinished: &str) {
            if !unfinished.is_empty() {
                self.send(lines, unfinished);
            }
            self.send(lines, "has left");
            // The member's own lines are received as well, which shows that they were sent.
            lines.set_timer(Duration::from_millis(100));
        }

        fn timer_fired(&mut self, lines: &mut LineTransport<'_>, _timer: TimerId) {
            lines.context().stop();
        }

        fn connection_lost(&mut self, lines: &mut LineTransport<'_>, reason: Reason) {
            if let Reason::Failed(error) = reason {
                let message = format!("cannot write to the output: {error}");
                self.failure.replace(Some(message));
            }
            lines.context().stop();
        }
    }

    pub(crate) fn run(mut arguments: Parser) -> Result<(), Failure> {
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
    }

    /// Sends the lines of the input, until it ends.
    fn chat(mut reactor: Reactor, group: &Group, name: String) -> Result<(), Failure> {
        let (keyboard, missing) = (Rc::default(), Rc::new(Cell::new(usize::MAX)));
        let member = Member { prefix: String::new(), keyboard: Rc::clone(&keyboard), missing };
        let (member, to) = (group.join(reactor.context(), member)?.id(), group.socket_address());
        let failure = Rc::default();
        let lines = LineReceiver::new(Keyboard { name, member, to, failure: Rc::clone(&failure) });
        keyboard.set(Some(Pipes::standard().adopt(reactor.context(), lines)?));
        reactor.run()?;
        failure.take().map_or(Ok(()), |failure| Err(Failure::Run(failure)))
    }

    /// Runs the demo: three members send a line each, and each receives all three.
    fn demonstrate(mut reactor: Reactor, mut group: Group) -> Result<(), Failure> {
        const NAMES: [&str; 3] = ["alice", "bob", "carol"];
        (group.interface, group.port, group.ttl) = (Ipv4Addr::LOCALHOST.into(), 0, 0);
        let missing = Rc::new(Cell::new(NAMES.len() * NAMES.len()));
        let mut members = Vec::new();
        for name in NAMES {
            let prefix = format!("{name} receives: ");
            let (keyboard, missing) = (Rc::default(), Rc::clone(&missing));
            let member = Member { prefix, keyboard, missing };
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
}
