//! Serves many clients at once by code that blocks: each has a thread of its own.
//!
//!     cargo run --example blocking_handler
//!
//! Try it in other terminals:
//!
//!     cargo run -p netcat 127.0.0.1:7012
//!
//! The handler asks for a name, works for a while (it sleeps, as if it waited for a database), and answers. It is
//! written as if it had only one client. The reactor owns the sockets, so the same program could have protocols
//! with callbacks beside it. Ctrl-C ends the input of all clients, and waits until they have their answers.
//!
//! Options:
//!
//!     --listen HOST:PORT  where to listen (127.0.0.1:7012; port 0 lets the system choose)
//!     --most COUNT        the most clients at a time, each with a thread (1000)
//!     --work MILLISECONDS how long an answer takes (200)
//!     --demo              the server and 500 clients in one reactor; ends by itself
//!     --help              this text

use lexopt::prelude::*;
use log::info;
use ropewalk::{ListenOptions, Port, Protocol, Reactor, Reason, Transport};
use ropewalk_socketserver::{Connection, StreamRequestHandler, StreamServer};
use std::cell::Cell;
use std::io::{self, Write};
use std::process::ExitCode;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};
use support::{Failure, say};

/// The clients of the demo.
const CLIENTS: u32 = 500;

/// The most bytes of a name.
const NAME: usize = 100;

/// How long a client may think.
const PATIENCE: Duration = Duration::from_secs(60);

struct Greeting {
    work: Duration,
}

impl StreamRequestHandler for Greeting {
    fn setup(&mut self, connection: &mut Connection) -> io::Result<()> {
        info!("{} is connected", connection.peer());
        connection.set_read_timeout(Some(PATIENCE));
        connection.set_write_timeout(Some(PATIENCE));
        Ok(())
    }

    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        writeln!(connection, "what is your name?")?;
        while let Some(name) = connection.read_line_within(NAME)? {
            thread::sleep(self.work);
            writeln!(connection, "hello, {}", name.trim_end())?;
        }
        Ok(())
    }

    fn finish(&mut self, connection: &mut Connection) -> io::Result<()> {
        info!("{} has left", connection.peer());
        Ok(())
    }
}

/// A client of the demo: answers the question, and checks what it receives.
struct Client {
    served: Rc<Cell<u32>>,
    left: Rc<Cell<u32>>,
    received: Vec<u8>,
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.write(b"world\n");
        transport.write_eof();
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, data: &[u8]) {
        self.received.extend_from_slice(data);
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: Reason) {
        if self.received == b"what is your name?\nhello, world\n" {
            self.served.set(self.served.get() + 1);
        }
        self.left.set(self.left.get() - 1);
        if self.left.get() == 0 {
            transport.context().stop();
        }
    }
}

fn main() -> ExitCode {
    support::main(include_str!("blocking_handler.rs"), |mut arguments| {
        let (mut address, mut most, mut work, mut demo) = (None, 1000, 200, false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("listen") => support::once(&mut address, arguments.value()?)?,
                Long("most") => most = support::at_least_one(&mut arguments)?,
                Long("work") => work = support::at_least_one(&mut arguments)?,
                Long("demo") => demo = true,
                argument => return Err(support::other(argument)),
            }
        }
        let default = if demo { "127.0.0.1:0" } else { "127.0.0.1:7012" };
        let address = support::address(address, default)?;
        support::log_from(if demo { "warn" } else { "info" });
        let mut reactor = support::reactor()?;
        let work = Duration::from_millis(work.into());
        let port = listen(&mut reactor, &address, most, work)?;
        match demo {
            true => run_demo(&mut reactor, &port, work),
            false => {
                say(format_args!("listening on {}", port.address()));
                Ok(reactor.run()?)
            }
        }
    })
}

fn listen(
    reactor: &mut Reactor,
    address: &str,
    most: u32,
    work: Duration,
) -> Result<Port, Failure> {
    let options = ListenOptions::new().max_connections(most as usize);
    let server = StreamServer::new(move || Greeting { work }).max_handlers(most as usize);
    Ok(options.listen_tcp(reactor.context(), address, server)?)
}

fn run_demo(reactor: &mut Reactor, port: &Port, work: Duration) -> Result<(), Failure> {
    say(format_args!("{CLIENTS} clients ask at once; each answer takes {work:?} of a thread"));
    let (served, left) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(CLIENTS)));
    let begin = Instant::now();
    for _ in 0..CLIENTS {
        let (served, left) = (Rc::clone(&served), Rc::clone(&left));
        let client = move || Client {
            served: Rc::clone(&served),
            left: Rc::clone(&left),
            received: Vec::new(),
        };
        reactor.connect_tcp(port.address(), client)?;
    }
    reactor.run()?;
    let took = begin.elapsed().as_secs_f32();
    say(format_args!(
        "{} were answered in {took:.1} s; one after the other it would take {:.0} s",
        served.get(),
        (work * CLIENTS).as_secs_f32()
    ));
    match served.get() {
        CLIENTS => Ok(()),
        _ => Err(Failure::Run("not all clients were answered".to_owned())),
    }
}
