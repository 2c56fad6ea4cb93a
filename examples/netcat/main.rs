//! Joins standard input and output with a TCP connection, whatever they are: terminals, pipes or files.
//!
//!     cargo run -p netcat 127.0.0.1:7000
//!
//! This needs a server in another terminal, for example `cargo run --example echo 127.0.0.1:7000`. Typed lines are sent,
//! received data is printed, and Ctrl-D ends our side of the connection. Two of them copy a file:
//!
//!     cargo run -p netcat -- --listen 127.0.0.1:7010 > copy
//!     cargo run -p netcat -- 127.0.0.1:7010 < file
//!
//! The end of each side is passed on by itself: the end of the input ends the sending direction of the connection, and
//! answers still arrive. Backpressure is passed on as well, so a file of any size takes little memory. If the connection is
//! reset, the program fails. If nothing reads the output (`| head -1`), it ends.
//!
//! Options:
//!
//!     HOST:PORT   where to connect, or to listen for one client
//!     --listen    listen
//!     --demo      a line to an echo and back through pipes, in one reactor; ends by itself
//!     --help      this text

#[cfg(not(unix))]
fn main() {
    eprintln!("error: this system has no pipes that can be polled");
}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    support::main(include_str!("main.rs"), program::run)
}

#[cfg(unix)]
mod program {
    use lexopt::{Parser, prelude::*};
    use ropewalk::{
        Address, Context, Error, Factory, Id, Pipes, Protocol, Reactor, Reason, Transport,
    };
    use ropewalk_protocols::Echo;
    use std::cell::RefCell;
    use std::io::{Read, Write, pipe};
    use std::rc::Rc;
    use std::time::Duration;
    use support::{Failure, complain, say};

    /// The first failure.
    type Outcome = Rc<RefCell<Option<String>>>;

    /// One of the two ends: what it receives is sent to the other.
    struct End {
        other: Option<Id>,
        /// The pipes that the connection is joined with, once it is made.
        pipes: Option<Pipes>,
        outcome: Outcome,
    }

    impl End {
        /// Returns the other end. If it is closed, requests do nothing.
        fn other<'a>(&self, transport: &'a mut Transport<'_>) -> Transport<'a> {
            let id = self.other.unwrap_or_else(|| transport.id());
            transport.context().transport(id)
        }

        fn fail(&self, failure: impl ToString) {
            self.outcome.borrow_mut().get_or_insert_with(|| failure.to_string());
        }
    }

    impl Protocol for End {
        fn connection_made(&mut self, transport: &mut Transport<'_>) {
            let Some(pipes) = self.pipes.take() else { return };
            let (id, outcome) = (transport.id(), Rc::clone(&self.outcome));
            let end = Self { other: Some(id), pipes: None, outcome };
            match pipes.adopt(transport.context(), end) {
                Ok(other) => self.other = Some(other),
                Err(error) => {
                    self.fail(error);
                    transport.abort();
                }
            }
        }

        fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
            self.other(transport).write(data);
        }

        fn eof_received(&mut self, transport: &mut Transport<'_>) {
            self.other(transport).write_eof();
        }

        fn pause_writing(&mut self, transport: &mut Transport<'_>) {
            self.other(transport).pause();
        }

        fn resume_writing(&mut self, transport: &mut Transport<'_>) {
            self.other(transport).resume();
        }

        fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
            let is_output = matches!(transport.peer(), Address::Pipes | Address::StandardIo);
            match reason {
                Reason::Closed | Reason::ClosedByPeer | Reason::Stopped => {
                    self.other(transport).close();
                }
                // Nothing reads the output any more.
                Reason::Reset if is_output => self.other(transport).abort(),
                // The failure of the other end came first, and is reported.
                Reason::Aborted => {}
                reason => {
                    let peer = transport.peer();
                    self.fail(format_args!("the connection with {peer} ended: {reason}"));
                    self.other(transport).abort();
                }
            }
            if transport.context().connections().all(|id| Some(id) != self.other) {
                transport.context().stop();
            }
        }
    }

    /// The factory of the connection: one is enough.
    struct Once(Option<End>);

    impl Factory for Once {
        fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
            Some(Box::new(self.0.take()?))
        }

        fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
            if let Some(end) = &self.0 {
                end.fail(error);
            }
            context.stop();
        }
    }

    pub(crate) fn run(mut arguments: Parser) -> Result<(), Failure> {
        let (mut address, mut listens, mut demo) = (None, false, false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("listen") => listens = true,
                Long("demo") => demo = true,
                Value(value) => support::once(&mut address, value)?,
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("warn");
        let mut reactor = support::reactor()?;
        // After Ctrl-C a user expects the end within a moment.
        reactor.set_grace(Duration::from_millis(500));
        if demo {
            return run_demo(reactor);
        }
        let missing = || Failure::Usage("HOST:PORT is missing".to_owned());
        let address = address.ok_or_else(missing)?.string()?;
        let outcome = Outcome::default();
        let end = End { other: None, pipes: Some(Pipes::standard()), outcome: outcome.clone() };
        if listens {
            let port = reactor.listen_tcp(address, Once(Some(end)))?;
            complain(format_args!("listening on {}", port.address()));
        } else {
            reactor.connect_tcp(address, Once(Some(end)))?;
        }
        finish(reactor, &outcome)
    }

    fn finish(mut reactor: Reactor, outcome: &Outcome) -> Result<(), Failure> {
        reactor.run()?;
        let failure = outcome.borrow_mut().take();
        failure.map_or(Ok(()), |failure| Err(Failure::Run(failure)))
    }

    /// Sends a line to an echo through pipes in place of standard input and output.
    fn run_demo(mut reactor: Reactor) -> Result<(), Failure> {
        let (input, mut questions) = pipe()?;
        let (mut answers, output) = pipe()?;
        let echo = reactor.listen_tcp("127.0.0.1:0", || Echo)?;
        let (outcome, pipes) = (Outcome::default(), Pipes::new().input(input).output(output));
        let end = End { other: None, pipes: Some(pipes), outcome: outcome.clone() };
        reactor.connect_tcp(echo.address(), Once(Some(end)))?;
        say(format_args!("input: hello, and its end"));
        questions.write_all(b"hello")?;
        drop(questions);
        finish(reactor, &outcome)?;
        let mut answer = String::new();
        answers.read_to_string(&mut answer)?;
        say(format_args!("output: {answer}, and its end"));
        Ok(())
    }
}
