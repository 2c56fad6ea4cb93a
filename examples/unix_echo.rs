//! An echo server on a Unix socket. With the feature `credentials` it prints the process and the user of each client.
//!
//!     cargo run --example unix_echo --features credentials /tmp/echo.sock
//!
//! Try it in another terminal, with the same program or any client for Unix sockets:
//!
//!     cargo run --example unix_echo -- --say hello /tmp/echo.sock
//!     socat - UNIX-CONNECT:/tmp/echo.sock
//!
//! A second server on the same name fails. After a server was killed (`kill -9`), the next one replaces the file
//! that remained. When a server stops gracefully (Ctrl-C), it removes the file.
//!
//! Options:
//!
//!     PATH         where to listen, or to connect; @NAME is an abstract name (Linux)
//!     --say TEXT   be a client: send this text, print the echo, and end
//!     --mode MODE  the mode of the file, such as 660 (777 without the umask's bits)
//!     --demo       the server and a client in one reactor; ends by itself
//!     --help       this text

#[cfg(not(unix))]
fn main() {
    eprintln!("error: this system has no Unix sockets");
}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    support::main(include_str!("unix_echo.rs"), program::run)
}

#[cfg(unix)]
mod program {
    use lexopt::{Parser, prelude::*};
    use ropewalk::{
        Address, Context, Error, Factory, Id, ListenOptions, Protocol, Reactor, Reason, Transport,
        UnixAddress,
    };
    use std::sync::{Arc, OnceLock};
    use support::{Failure, Printer, say, unix};

    struct Echo;

    impl Protocol for Echo {
        fn connection_made(&mut self, transport: &mut Transport<'_>) {
            let id = transport.id();
            #[cfg(feature = "credentials")]
            if let Some(peer) = transport.peer_credentials() {
                let pid = peer.pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
                return say(format_args!("{id}: process {pid}, user {}", peer.uid));
            }
            say(format_args!("{id}: connected"));
        }

        fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
            transport.write(data);
        }

        fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
            say(format_args!("{}: {reason}", transport.id()));
        }
    }

    /// The factory of the client.
    struct Client {
        text: Vec<u8>,
        failure: Arc<OnceLock<String>>,
    }

    impl Factory for Client {
        fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
            let (text, failure) = (std::mem::take(&mut self.text), Arc::clone(&self.failure));
            Some(Box::new(Connection { text, failure, printer: None }))
        }

        fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
            let _ = self.failure.set(error.to_string());
            context.stop();
        }
    }

    /// The protocol of the client: it sends a text and prints the echo.
    struct Connection {
        text: Vec<u8>,
        failure: Arc<OnceLock<String>>,
        /// Stops the reactor when it was dropped and all data is printed.
        printer: Option<Printer>,
    }

    impl Protocol for Connection {
        fn connection_made(&mut self, transport: &mut Transport<'_>) {
            self.printer = Some(Printer::start(transport, Arc::clone(&self.failure)));
            transport.write(&self.text);
            transport.write_eof();
        }

        fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
            if let Some(printer) = &self.printer {
                printer.print(transport, data);
            }
        }

        fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
            if !matches!(reason, Reason::Closed | Reason::ClosedByPeer | Reason::Stopped) {
                let message = format!("the connection with {} ended: {reason}", transport.peer());
                let _ = self.failure.set(message);
            }
        }
    }

    pub(crate) fn run(mut arguments: Parser) -> Result<(), Failure> {
        let (mut name, mut text, mut demo) = (None, None, false);
        let mut options = ListenOptions::new();
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("say") => text = Some(arguments.value()?.string()?),
                Long("mode") => options = options.mode(mode(&mut arguments)?),
                Long("demo") => demo = true,
                Value(value) => support::once(&mut name, value)?,
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("warn");
        let folder = demo.then(unix::Folder::new);
        let name = match (&folder, name.map(unix::name)) {
            (Some(folder), None) => folder.path("echo.sock").into(),
            (_, Some(name)) => name,
            _ => return Err(Failure::Usage("missing PATH".to_owned())),
        };
        let mut reactor = support::reactor()?;
        let failure = Arc::new(OnceLock::new());
        if let (false, Some(text)) = (demo, &text) {
            connect(&mut reactor, &name, format!("{text}\n"), &failure)?;
        } else {
            let port = options.listen_unix(reactor.context(), &name, || Echo)?;
            say(format_args!("listening on {}", port.address()));
            if demo {
                let taken = reactor.listen_unix(&name, || Echo);
                say(format_args!(
                    "a second listener fails: {}",
                    taken.expect_err("the name is in use")
                ));
                connect(&mut reactor, &name, "hello\n".to_owned(), &failure)?;
            } else {
                say(format_args!("try it with: socat - {}", unix::socat(&name)));
            }
        }
        reactor.run()?;
        failure.get().map_or(Ok(()), |failure| Err(Failure::Run(failure.clone())))
    }

    fn connect(
        reactor: &mut Reactor,
        name: &UnixAddress,
        text: String,
        failure: &Arc<OnceLock<String>>,
    ) -> Result<Id, Error> {
        reactor.connect_unix(name, Client { text: text.into_bytes(), failure: failure.clone() })
    }

    fn mode(arguments: &mut Parser) -> Result<u32, lexopt::Error> {
        arguments.value()?.parse_with(|text| u32::from_str_radix(text, 8))
    }
}
