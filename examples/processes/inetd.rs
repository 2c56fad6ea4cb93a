//! Serves each TCP connection by a process of its own, as inetd(8) does: the connection is its standard input and output.
//!
//!     cargo run -p ropewalk-process-examples --example inetd -- 127.0.0.1:7011 cat
//!
//! Try it in another terminal: typed lines come back.
//!
//!     cargo run -p netcat 127.0.0.1:7011
//!
//! The socket itself is handed to the process, so the data does not pass through this program. More clients than the limit
//! wait until a process has ended, for a minute at most; and more than that in the backlog of the listener. Ctrl-C ends the
//! processes: SIGTERM, and SIGKILL ten seconds later.
//!
//! Options:
//!
//!     HOST:PORT         where to listen; port 0 lets the system choose
//!     PROGRAM ARGUMENT… the program
//!     --most COUNT      the most processes at a time (100)
//!     --waiting COUNT   the most accepted clients that wait for one (100)
//!     --demo            cat(1) and a client in one reactor; ends by itself
//!     --help            this text

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("error: processes are supported on Linux only");
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    support::main(include_str!("inetd.rs"), program::run)
}

#[cfg(target_os = "linux")]
mod program {
    use lexopt::{Parser, prelude::*};
    use log::{info, warn};
    use ropewalk::{
        Address, Context, Factory, Id, ListenOptions, Port, ProcessExit, ProcessOptions,
        ProcessProtocol, ProcessTransport, Protocol, Reactor, Reason, TimerId, Transport,
    };
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::ffi::OsString;
    use std::io;
    use std::net::TcpStream;
    use std::os::fd::OwnedFd;
    use std::process::Stdio;
    use std::rc::Rc;
    use std::time::Duration;
    use support::{DemoClient, Failure, say};

    /// The program, and the clients that wait for a process.
    struct Service {
        program: Vec<OsString>,
        left: u32,
        waiting: VecDeque<Id>,
    }

    type Shared = Rc<RefCell<Service>>;

    /// Hands waiting clients to processes, as many as the limit allows. A failure costs its client only.
    fn serve(context: &mut Context, service: &Shared) {
        let mut shared = service.borrow_mut();
        while shared.left > 0
            && let Some(client) = shared.waiting.pop_front()
        {
            let peer = context.transport(client).peer();
            match hand_over(context, client, &shared.program, service) {
                Ok(_) => shared.left -= 1,
                Err(error) => warn!("{peer} is closed: {error}"),
            }
        }
    }

    fn hand_over(
        context: &mut Context,
        client: Id,
        program: &[OsString],
        service: &Shared,
    ) -> io::Result<Id> {
        let peer = context.transport(client).peer();
        let detached = context.transport(client).detach().inspect_err(|_| context.abort(client))?;
        let socket = TcpStream::from(detached.socket);
        // Programs do not expect a non-blocking standard input.
        socket.set_nonblocking(false)?;
        let worker = Worker { service: Rc::clone(service), peer };
        let id = ProcessOptions::new(&program[0])
            .args(&program[1..])
            .stdin(OwnedFd::from(socket.try_clone()?))
            .stdout(OwnedFd::from(socket))
            .stderr(Stdio::inherit())
            .spawn(context, worker)?;
        Ok(id)
    }

    /// How long a client waits.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// A connection until it is handed over. It is not read.
    struct Client(Shared);

    impl Protocol for Client {
        fn connection_made(&mut self, transport: &mut Transport<'_>) {
            transport.pause();
            transport.set_timer(PATIENCE);
            self.0.borrow_mut().waiting.push_back(transport.id());
            serve(transport.context(), &self.0);
        }

        fn timer_fired(&mut self, transport: &mut Transport<'_>, _timer: TimerId) {
            warn!("{} is closed: no process has become free", transport.peer());
            transport.close();
        }

        fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

        fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: Reason) {
            let id = transport.id();
            self.0.borrow_mut().waiting.retain(|waiting| *waiting != id);
        }
    }

    struct Clients(Shared);

    impl Factory for Clients {
        fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
            Some(Box::new(Client(Rc::clone(&self.0))))
        }
    }

    /// The process of a client.
    struct Worker {
        service: Shared,
        peer: Address,
    }

    impl ProcessProtocol for Worker {
        fn connection_made(&mut self, process: &mut ProcessTransport<'_>) {
            info!("{}: process {}", self.peer, process.number().unwrap_or_default());
        }

        fn process_ended(&mut self, process: &mut ProcessTransport<'_>, exit: ProcessExit) {
            info!("{}: {exit}", self.peer);
            self.service.borrow_mut().left += 1;
            serve(process.context(), &self.service);
        }
    }

    pub(crate) fn run(mut arguments: Parser) -> Result<(), Failure> {
        let (mut values, mut most, mut waiting, mut demo) = (Vec::new(), 100, 100, false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("most") => most = support::at_least_one(&mut arguments)?,
                Long("waiting") => waiting = support::at_least_one(&mut arguments)?,
                Long("demo") => demo = true,
                Value(value) => {
                    values.push(value);
                    // What follows the program is for it.
                    if values.len() == 2 {
                        values.extend(arguments.raw_args()?);
                    }
                }
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from(if demo { "warn" } else { "info" });
        let mut reactor = support::reactor()?;
        if demo {
            let port = listen(&mut reactor, "127.0.0.1:0", vec!["cat".into()], [most, waiting])?;
            reactor.connect_tcp(port.address(), || DemoClient)?;
        } else if values.len() < 2 {
            return Err(Failure::Usage("HOST:PORT or PROGRAM is missing".to_owned()));
        } else {
            let address = values.remove(0).string()?;
            let port = listen(&mut reactor, &address, values, [most, waiting])?;
            say(format_args!("listening on {}", port.address()));
        }
        Ok(reactor.run()?)
    }

    fn listen(
        reactor: &mut Reactor,
        address: &str,
        program: Vec<OsString>,
        [left, waiting]: [u32; 2],
    ) -> Result<Port, Failure> {
        let service = Service { program, left, waiting: VecDeque::new() };
        let clients = Clients(Rc::new(RefCell::new(service)));
        let options = ListenOptions::new().max_connections(waiting as usize);
        Ok(options.listen_tcp(reactor.context(), address, clients)?)
    }
}
