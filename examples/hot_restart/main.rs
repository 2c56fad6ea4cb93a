//! A server whose program is replaced while it runs: the new process takes the listeners over, the old
//! one answers whoever is with it, and ends. Nobody is refused, and no answer is lost.
//!
//!     cargo run --example hot_restart 127.0.0.1:7016
//!
//! Poke it in another terminal; each line comes back with the number of the process that answers:
//!
//!     socat - TCP:127.0.0.1:7016
//!
//! Then say the first command once more, in a third. Whoever is connected stays with the old process, and
//! whoever comes is with the new one; when the last of the former has left, the old process ends.
//!
//! They agree over a Unix socket, in lines:
//!
//!     new: take         It connects to the control socket; if nobody is there it is the first.
//!     old: listeners    With it come descriptors, of the control socket first, then of the others. It
//!                       goes on accepting: if the new one fails, nothing has happened.
//!     new: ready        It accepts. The old one stops accepting; who waits in the queue is in the
//!                       socket, not in a process.
//!
//! The file of the control socket may stay when the last process ends, and is replaced by the next.
//!
//! So do others, this one in Python (it leaves the clients waiting; end it, and they are refused):
//!
//!     python3 -c "import socket
//!     old = socket.socket(socket.AF_UNIX)
//!     old.connect('/tmp/hot_restart.sock')
//!     old.sendall(b'take\n')
//!     print(socket.recv_fds(old, 100, 253))
//!     old.sendall(b'ready\n')
//!     input('Enter ends it ')"
//!
//! Under load it looks like this (`--demo`, in a release build on two processors): 50 clients at a time
//! asked 105,460 questions on 5,273 connections in 0.9 s, while the program was replaced twice. 0 clients
//! were refused, 0 answers lost, and the longest wait for one was 4.0 ms.
//!
//! Options:
//!
//!     HOST:PORT ...       where the first process listens (127.0.0.1:7016); the next have it from there
//!     --control PATH      the Unix socket (/tmp/hot_restart.sock); @NAME is an abstract name (Linux)
//!     --patience SECONDS  how long an old process waits for its clients to leave (60)
//!     --demo              three processes, each replaced by the next under load; ends by itself
//!     --help              this text

#[cfg(unix)]
mod handover;
#[cfg(unix)]
mod rehearsal;

#[cfg(not(unix))]
fn main() {
    eprintln!("error: descriptors are passed over Unix sockets, and there are none here");
}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    support::main(include_str!("main.rs"), program::run)
}

#[cfg(unix)]
mod program {
    use crate::handover::Elder;
    use crate::rehearsal;
    use lexopt::{Parser, prelude::*};
    use ropewalk::{
        Context, Error, Factory, Id, Port, Reason, UnixAddress, UnixConnectOptions,
        UnixListenOptions,
    };
    use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
    use std::cell::RefCell;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::process;
    use std::rc::Rc;
    use std::time::Duration;
    use support::{Failure, say, unix};

    /// What was asked for on the command line.
    struct Wishes {
        addresses: Vec<String>,
        control: UnixAddress,
        patience: Duration,
    }

    /// A process's part of the server, as all its connections see it.
    #[derive(Clone)]
    pub(crate) struct Server {
        wishes: Rc<Wishes>,
        pub(crate) state: Rc<RefCell<State>>,
    }

    #[derive(Default)]
    pub(crate) struct State {
        /// The control socket is the first.
        listeners: Vec<Id>,
        clients: usize,
        answers: u64,
        /// The new process, once it has taken the listeners.
        pub(crate) heir: Option<Id>,
        /// It is ready, and this one accepts nobody any more.
        pub(crate) leaving: bool,
        failure: Option<String>,
    }

    impl Server {
        /// The first process makes the sockets.
        pub(crate) fn begin(&self, context: &mut Context) -> Result<(), Error> {
            let options = UnixListenOptions::new().mode(0o600);
            let control = &self.wishes.control;
            let port = context.listen_unix_with(control, &options, self.elders())?;
            self.state.borrow_mut().listeners.push(port.id());
            for address in &self.wishes.addresses {
                let port = context.listen_tcp(&**address, self.answerers())?;
                self.note(&port);
            }
            Ok(())
        }

        /// Each of the next has them from the one before.
        pub(crate) fn inherit(
            &self,
            context: &mut Context,
            sockets: Vec<OwnedFd>,
        ) -> Result<(), Error> {
            for (place, socket) in sockets.into_iter().enumerate() {
                if place == 0 {
                    let port = context.adopt_listener(socket, self.elders())?;
                    self.state.borrow_mut().listeners.push(port.id());
                } else {
                    let port = context.adopt_listener(socket, self.answerers())?;
                    self.note(&port);
                }
            }
            Ok(())
        }

        fn answerers(&self) -> impl Factory {
            let server = self.clone();
            move || LineReceiver::new(Answerer(server.clone()))
        }

        fn elders(&self) -> impl Factory {
            let server = self.clone();
            move || LineReceiver::new(Elder(server.clone()))
        }

        fn note(&self, port: &Port) {
            say(format_args!("listening on {}", port.address()));
            self.state.borrow_mut().listeners.push(port.id());
        }

        /// Descriptors of all listeners, which this process keeps as well.
        pub(crate) fn copies(&self, context: &mut Context) -> io::Result<Vec<OwnedFd>> {
            let state = self.state.borrow();
            let copy = |id: &Id| match context.descriptor(*id) {
                Some(descriptor) => descriptor.try_clone_to_owned(),
                None => Err(io::ErrorKind::NotFound.into()),
            };
            state.listeners.iter().map(copy).collect()
        }

        /// Another accepts from now on: this process ends with its last client.
        pub(crate) fn leave(&self, context: &mut Context) {
            let mut state = self.state.borrow_mut();
            for id in state.listeners.drain(..) {
                // To close them would take the file of the control socket away from the other.
                drop(context.detach_listener(id));
            }
            state.leaving = true;
            say(format_args!("handed over; clients that are still here: {}", state.clients));
            if state.clients == 0 {
                return context.stop();
            }
            context.call_later(self.wishes.patience, |context| {
                say(format_args!("some do not leave; they are told goodbye"));
                context.stop();
            });
        }

        pub(crate) fn fail(&self, context: &mut Context, message: impl ToString) {
            self.state.borrow_mut().failure.get_or_insert_with(|| message.to_string());
            context.stop();
        }
    }

    /// Answers a client.
    struct Answerer(Server);

    impl LineHandler for Answerer {
        type Line = str;

        fn connection_made(&mut self, _lines: &mut LineTransport<'_>) {
            self.0.state.borrow_mut().clients += 1;
        }

        fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
            self.0.state.borrow_mut().answers += 1;
            lines.send_line(format!("{}: {line}", process::id()));
        }

        fn connection_lost(&mut self, lines: &mut LineTransport<'_>, _reason: Reason) {
            let mut state = self.0.state.borrow_mut();
            state.clients -= 1;
            if state.leaving && state.clients == 0 {
                lines.context().stop();
            }
        }
    }

    pub(crate) fn run(mut arguments: Parser) -> Result<(), Failure> {
        let (mut control, mut addresses, mut demo) = (None, Vec::new(), false);
        let mut patience = Duration::from_secs(60);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("control") => control = Some(unix::name(arguments.value()?)),
                Long("patience") => {
                    patience = arguments.value()?.parse().map(Duration::from_secs)?;
                }
                Long("demo") => demo = true,
                Value(address) => addresses.push(address.string()?),
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("warn");
        if demo {
            return rehearsal::run();
        }
        if addresses.is_empty() {
            addresses.push("127.0.0.1:7016".to_owned());
        }
        let control = control.unwrap_or_else(|| "/tmp/hot_restart.sock".into());
        serve(Wishes { addresses, control, patience })
    }

    fn serve(wishes: Wishes) -> Result<(), Failure> {
        let mut reactor = support::reactor()?;
        let server = Server { wishes: Rc::new(wishes), state: Rc::default() };
        let options = UnixConnectOptions::new().descriptors(true);
        let control = &server.wishes.control;
        reactor.context().connect_unix_with(control, &options, server.clone())?;
        reactor.run()?;
        let mut state = server.state.borrow_mut();
        if let Some(message) = state.failure.take() {
            return Err(Failure::Run(message));
        }
        say(format_args!("ended after {} answers", state.answers));
        Ok(())
    }
}
