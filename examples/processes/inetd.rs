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
    use ropewalk::{ListenOptions, Port, ProcessOptions, Reactor};
    use ropewalk_socketserver::ProcessServer;
    use std::ffi::OsString;
    use std::process::Stdio;
    use support::{DemoClient, Failure, say};

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
        [most, waiting]: [u32; 2],
    ) -> Result<Port, Failure> {
        let server = ProcessServer::new(move |_client| {
            let options = ProcessOptions::new(&program[0]).args(&program[1..]);
            options.stderr(Stdio::inherit())
        });
        let options = ListenOptions::new().max_connections(waiting as usize);
        let server = server.max_children(most as usize);
        Ok(options.listen_tcp(reactor.context(), address, server)?)
    }
}
