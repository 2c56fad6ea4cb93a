//! Sends back what it gets over a Unix socket, and says who it was that sent it.
//!
//!     cargo run --example unix_echo /tmp/echo.sock
//!
//! Poke it in another terminal, with itself or with whatever speaks to Unix sockets:
//!
//!     cargo run --example unix_echo -- --say hello /tmp/echo.sock
//!     socat - UNIX-CONNECT:/tmp/echo.sock
//!
//! Start it twice, and the second is told that the name is taken; kill it (`kill -9`), and the next
//! replaces the file that was left behind. When it ends in order (Ctrl-C) the file goes.
//!
//! Options:
//!
//!     PATH         where to listen, or to connect; @NAME is an abstract name (Linux)
//!     --say TEXT   be the client: send this, print what comes back, and end
//!     --mode MODE  who may connect, such as 660 (what the umask leaves of 777)
//!     --demo       the server and a client in one reactor; ends by itself
//!     --help       this text

#[cfg(not(unix))]
fn main() {
    eprintln!("error: there are no Unix sockets here");
}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    support::main(include_str!("unix_echo.rs"), program::run)
}

#[cfg(unix)]
mod program {
    use lexopt::{Parser, prelude::*};
    use ropewalk::{
        Address, Context, Error, Factory, Id, Protocol, Reactor, Reason, Transport, UnixAddress,
        UnixListenOptions,
    };
    use std::sync::{Arc, OnceLock};
    use support::{Failure, Printer, say, unix};

    struct Echo;

    impl Protocol for Echo {
        fn connection_made(&mut self, transport: &mut Transport<'_>) {
            let id = transport.id();
            #[cfg(any(target_os = "linux", target_os = "android"))]
            if let Some(peer) = transport.peer_credentials() {
                let pid = peer.pid.map_or_else(|| "elsewhere".to_owned(), |pid| pid.to_string());
                return say(format_args!("{id}: process {pid}, user {}", peer.uid));
            }
            say(format_args!("{id}: somebody"));
        }

        fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
            transport.write(data);
        }

        fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
            say(format_args!("{}: gone, {reason}", transport.id()));
        }
    }

    /// Says one thing, and prints what comes back.
    struct Caller {
        text: Vec<u8>,
        failure: Arc<OnceLock<String>>,
    }

    impl Factory for Caller {
        fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
            let (text, failure) = (std::mem::take(&mut self.text), Arc::clone(&self.failure));
            Some(Box::new(Call { text, failure, printer: None }))
        }

        fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
            let _ = self.failure.set(error.to_string());
            context.stop();
        }
    }

    struct Call {
        text: Vec<u8>,
        failure: Arc<OnceLock<String>>,
        /// Ends the run when it is dropped and all is printed.
        printer: Option<Printer>,
    }

    impl Protocol for Call {
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
        let mut options = UnixListenOptions::new();
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
            call(&mut reactor, &name, format!("{text}\n"), &failure)?;
        } else {
            let port = reactor.context().listen_unix_with(&name, &options, || Echo)?;
            say(format_args!("listening on {}", port.address()));
            if demo {
                let taken = reactor.listen_unix(&name, || Echo);
                say(format_args!("and once more: {}", taken.expect_err("it is taken")));
                call(&mut reactor, &name, "This went there and back.\n".to_owned(), &failure)?;
            } else {
                say(format_args!("poke it with: socat - {}", unix::socat(&name)));
            }
        }
        reactor.run()?;
        failure.get().map_or(Ok(()), |failure| Err(Failure::Run(failure.clone())))
    }

    fn call(
        reactor: &mut Reactor,
        name: &UnixAddress,
        text: String,
        failure: &Arc<OnceLock<String>>,
    ) -> Result<Id, Error> {
        reactor.connect_unix(name, Caller { text: text.into_bytes(), failure: failure.clone() })
    }

    fn mode(arguments: &mut Parser) -> Result<u32, lexopt::Error> {
        arguments.value()?.parse_with(|text| u32::from_str_radix(text, 8))
    }
}
