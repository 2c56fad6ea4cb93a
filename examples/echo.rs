//! An echo server in a dozen lines: each client receives what it sends.
//!
//!     cargo run --example echo 127.0.0.1:7000
//!
//! Try it in other terminals:
//!
//!     cargo run -p netcat 127.0.0.1:7000
//!     cargo run --release --example echo_client 127.0.0.1:7000
//!
//! The first prints every line that you type again; the second measures the server. The server logs
//! connections that are made and lost. Ctrl-C ends it.
//!
//! Options:
//!
//!     HOST:PORT      where to listen (127.0.0.1:7000; port 0 lets the system choose)
//!     --reactors N   the number of threads (1), each with a reactor of its own
//!     --journal FILE record what the reactor does in a file; ropewalk-journal reads it
//!     --help         this text

use lexopt::prelude::*;
use ropewalk_protocols::Echo;
use std::path::PathBuf;
use std::process::ExitCode;
use support::say;

fn main() -> ExitCode {
    support::main(include_str!("echo.rs"), |mut arguments| {
        let (mut listen, mut reactors, mut journal) = (None, 1, None);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("reactors") => reactors = support::reactors(&mut arguments)?,
                Long("journal") => journal = Some(PathBuf::from(arguments.value()?)),
                Value(address) => support::once(&mut listen, address)?,
                argument => return Err(support::other(argument)),
            }
        }
        let listen = support::address(listen, "127.0.0.1:7000")?;
        support::log_from("info");
        let mut group = support::group(reactors)?;
        if let Some(journal) = journal {
            support::write_journals(&mut group, &journal)?;
        }
        let port = group.listen_tcp(listen, |_member| || Echo)?;
        say(format_args!("listening on {}", port.address()));
        Ok(group.run()?)
    })
}
