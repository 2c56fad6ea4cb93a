//! Serves the output of one program to every client, and with `--pty` an interactive program that all clients share.
//!
//!     cargo run -p ropewalk-process-examples --example shell -- 127.0.0.1:7017 vmstat 1
//!     cargo run -p ropewalk-process-examples --example shell -- --pty 127.0.0.1:7017 bash
//!
//! Connect in other terminals; the second is a whole terminal, with completion and Ctrl-C:
//!
//!     cargo run -p netcat 127.0.0.1:7017
//!     socat -,raw,echo=0 tcp:127.0.0.1:7017
//!
//! A new client receives the last 16 KiB first. While a client does not take the output, the program waits, for ten seconds
//! at most; then that client is disconnected. When the program ends, so does this one. With `--pty` what clients send is typed:
//! each client has the rights of the user of this program, so listen on the loopback interface.
//!
//! Options:
//!
//!     HOST:PORT         where to listen; port 0 lets the system choose
//!     PROGRAM ARGUMENT… the program
//!     --pty             run it on a pseudo-terminal, and type what clients send
//!     --rows COUNT      the rows of the terminal (24)
//!     --columns COUNT   the columns of the terminal (80)
//!     --most COUNT      the most clients at a time (100); others wait in the backlog
//!     --demo            tr(1) on a terminal, and two clients in one reactor; ends by itself
//!     --help            this text

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("error: processes are supported on Linux only");
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    support::main(include_str!("shell.rs"), program::run)
}

#[cfg(target_os = "linux")]
mod program {
    use lexopt::{Parser, prelude::*};
    use log::{info, warn};
    use ropewalk::{
        Context, Error, Id, ListenOptions, Port, ProcessExit, ProcessOptions, ProcessProtocol,
        ProcessTransport, Protocol, Reactor, Reason, TimerId, Transport, WindowSize,
    };
    use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
    use std::cell::{Cell, RefCell};
    use std::collections::{BTreeSet, VecDeque};
    use std::ffi::OsString;
    use std::process::Stdio;
    use std::rc::Rc;
    use std::time::Duration;
    use support::{Failure, say};

    /// How much output a new client receives, in bytes: some screens.
    const TAIL: usize = 16 * 1024;

    /// How long a client may delay the program.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// The program, and its clients.
    #[derive(Default)]
    struct Shell {
        process: Option<Id>,
        takes_input: bool,
        /// True while the program takes no more input.
        input_is_full: bool,
        clients: BTreeSet<Id>,
        /// The clients that do not take the output.
        behind: BTreeSet<Id>,
        tail: VecDeque<u8>,
    }

    type Shared = Rc<RefCell<Shell>>;

    impl Shell {
        fn send(&mut self, context: &mut Context, data: &[u8]) {
            self.tail.extend(data);
            self.tail.drain(..self.tail.len().saturating_sub(TAIL));
            for client in &self.clients {
                context.transport(*client).write(data);
            }
        }

        /// Stops or continues the input of all clients.
        fn set_full(&mut self, context: &mut Context, is_full: bool) {
            self.input_is_full = is_full;
            for client in &self.clients {
                match is_full {
                    true => context.transport(*client).pause(),
                    false => context.transport(*client).resume(),
                }
            }
        }

        /// Notes whether a client takes the output, which is read only while all of them do.
        fn set_behind(&mut self, context: &mut Context, client: Id, is_behind: bool) {
            match is_behind {
                true => self.behind.insert(client),
                false => self.behind.remove(&client),
            };
            let Some(process) = self.process else { return };
            for index in [1, 2] {
                let process = &mut ProcessTransport::new(context, process);
                let mut pipe = if index == 1 { process.stdout() } else { process.stderr() };
                match self.behind.is_empty() {
                    true => pipe.resume(),
                    false => pipe.pause(),
                }
            }
        }
    }

    /// The protocol of the program.
    struct Program(Shared);

    impl ProcessProtocol for Program {
        fn out_received(&mut self, process: &mut ProcessTransport<'_>, data: &[u8]) {
            self.0.borrow_mut().send(process.context(), data);
        }

        fn err_received(&mut self, process: &mut ProcessTransport<'_>, data: &[u8]) {
            self.0.borrow_mut().send(process.context(), data);
        }

        fn pause_writing(&mut self, process: &mut ProcessTransport<'_>) {
            self.0.borrow_mut().set_full(process.context(), true);
        }

        fn resume_writing(&mut self, process: &mut ProcessTransport<'_>) {
            self.0.borrow_mut().set_full(process.context(), false);
        }

        fn process_ended(&mut self, process: &mut ProcessTransport<'_>, exit: ProcessExit) {
            say(format_args!("the program {exit}"));
            process.context().stop();
        }
    }

    /// A connection.
    struct Client {
        shell: Shared,
        /// Set while it does not take the output.
        timer: Option<TimerId>,
    }

    impl Protocol for Client {
        fn connection_made(&mut self, transport: &mut Transport<'_>) {
            let mut shell = self.shell.borrow_mut();
            let (earlier, later) = shell.tail.as_slices();
            transport.write(earlier);
            transport.write(later);
            if shell.input_is_full {
                transport.pause();
            }
            shell.clients.insert(transport.id());
            info!("{} is client {}", transport.peer(), shell.clients.len());
        }

        fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
            let shell = self.shell.borrow();
            if let Some(process) = shell.process.filter(|_| shell.takes_input) {
                ProcessTransport::new(transport.context(), process).write(data);
            }
        }

        /// The output still reaches a client that has nothing to type.
        fn eof_received(&mut self, transport: &mut Transport<'_>) {
            if self.shell.borrow().takes_input {
                transport.close();
            }
        }

        fn pause_writing(&mut self, transport: &mut Transport<'_>) {
            let id = transport.id();
            self.timer = Some(transport.set_timer(PATIENCE));
            self.shell.borrow_mut().set_behind(transport.context(), id, true);
        }

        fn resume_writing(&mut self, transport: &mut Transport<'_>) {
            let id = transport.id();
            self.timer.take().map(|timer| transport.cancel_timer(timer));
            self.shell.borrow_mut().set_behind(transport.context(), id, false);
        }

        fn timer_fired(&mut self, transport: &mut Transport<'_>, _timer: TimerId) {
            warn!("{} is disconnected: it does not take the output", transport.peer());
            transport.abort();
        }

        fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
            let id = transport.id();
            info!("{} is gone: {reason}", transport.peer());
            let mut shell = self.shell.borrow_mut();
            shell.clients.remove(&id);
            shell.set_behind(transport.context(), id, false);
        }
    }

    /// What is served.
    struct Options {
        program: Vec<OsString>,
        terminal: Option<WindowSize>,
        most: usize,
    }

    fn serve(reactor: &mut Reactor, address: &str, options: Options) -> Result<Port, Error> {
        let shell = Shared::default();
        let of_clients = Rc::clone(&shell);
        let factory = move || Client { shell: Rc::clone(&of_clients), timer: None };
        let listening = ListenOptions::new().max_connections(options.most);
        let port = listening.listen_tcp(reactor.context(), address, factory)?;
        let process = ProcessOptions::new(&options.program[0]).args(&options.program[1..]);
        let mut process = match options.terminal {
            Some(size) => process.pseudo_terminal(size),
            None => process.stdin(Stdio::null()),
        };
        let id = process.spawn(reactor.context(), Program(Rc::clone(&shell)))?;
        let mut shell = shell.borrow_mut();
        (shell.process, shell.takes_input) = (Some(id), options.terminal.is_some());
        Ok(port)
    }

    pub(crate) fn run(mut arguments: Parser) -> Result<(), Failure> {
        let (mut values, mut most, mut pty, mut demo) = (Vec::new(), 100, false, false);
        let mut size = WindowSize::default();
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("pty") => pty = true,
                Long("rows") => size.rows = arguments.value()?.parse()?,
                Long("columns") => size.columns = arguments.value()?.parse()?,
                Long("most") => most = support::at_least_one(&mut arguments)? as usize,
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
            return run_demo(reactor);
        } else if values.len() < 2 {
            return Err(Failure::Usage("HOST:PORT or PROGRAM is missing".to_owned()));
        }
        let address = values.remove(0).string()?;
        let options = Options { program: values, terminal: pty.then_some(size), most };
        let port = serve(&mut reactor, &address, options)?;
        say(format_args!("listening on {}", port.address()));
        Ok(reactor.run()?)
    }

    /// A client of the demo: the first types a word, and the last that has received the answer ends the program.
    struct DemoClient {
        number: u32,
        waiting: Rc<Cell<u32>>,
    }

    impl LineHandler for DemoClient {
        type Line = str;

        fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
            if self.number == 1 {
                lines.send_line("hello");
            }
        }

        fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
            say(format_args!("client {}: received '{line}'", self.number));
            if line == "HELLO" {
                self.waiting.set(self.waiting.get() - 1);
                if self.waiting.get() == 0 {
                    lines.write(b"\x04"); // Ctrl-D
                }
            }
        }
    }

    fn run_demo(mut reactor: Reactor) -> Result<(), Failure> {
        let program = ["tr", "a-z", "A-Z"].map(OsString::from).to_vec();
        let options = Options { program, terminal: Some(WindowSize::default()), most: 2 };
        let port = serve(&mut reactor, "127.0.0.1:0", options)?;
        let waiting = Rc::new(Cell::new(2));
        for number in [1, 2] {
            let waiting = Rc::clone(&waiting);
            let client = move || LineReceiver::new(DemoClient { number, waiting: waiting.clone() });
            reactor.connect_tcp(port.address(), client)?;
        }
        Ok(reactor.run()?)
    }
}
