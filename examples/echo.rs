//! Sends back to each client what it sends: a whole server in a dozen lines.
//!
//!     cargo run --example echo 127.0.0.1:7000
//!
//! Poke it in other terminals with
//!
//!     cargo run --example connect 127.0.0.1:7000
//!     cargo run --release --example echo_client 127.0.0.1:7000
//!
//! The first sends back every line that you type, the second measures how fast that goes. Here you
//! see who comes and goes. Ctrl-C ends it.
//!
//! Options:
//!
//!     HOST:PORT      where to listen (127.0.0.1:7000; port 0 lets the system choose)
//!     --reactors N   how many threads serve (1), each with a reactor of its own
//!     --help         this text

#[path = "support/stdout.rs"]
mod stdout;
mod support;

use lexopt::prelude::*;
use ropewalk::ReactorGroup;
use ropewalk_protocols::Echo;
use std::process::ExitCode;

fn main() -> ExitCode {
    support::main(include_str!("echo.rs"), |mut arguments| {
        let (mut listen, mut reactors) = ("127.0.0.1:7000".to_owned(), 1);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("reactors") => reactors = support::at_least_one(&mut arguments)?,
                Value(address) => listen = address.string()?,
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("info");
        let mut group = ReactorGroup::new(reactors as usize)?;
        group.stop_on_signals()?;
        let port = group.listen_tcp(listen, |_member| || Echo)?;
        stdout::say(format_args!("listening on {}", port.address()));
        Ok(group.run()?)
    })
}
