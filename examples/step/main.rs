//! A reactor that is stepped by hand: an echo or a chat with real sockets, one event at a time.
//!
//!     cargo run --example step
//!
//! It prints the connections, the queues, the timers and the last records of the journal, and waits for a command:
//!
//!     ENTER           the next step: one wait, timer, event, call or flush
//!     turn            the rest of this turn, or the next turn
//!     until NAME      steps until a callback of this name, such as data_received
//!     until #1.1      steps until this connection is served
//!     fire N          the timer with this number is due now
//!     connect         a client of this program connects
//!     send K TEXT     client K sends a line
//!     read K          prints what client K has received
//!     end K           client K ends its side
//!     close K         client K closes
//!     help, quit
//!
//! Clients may also come from elsewhere: `nc 127.0.0.1 7000`.
//!
//! Options:
//!
//!     HOST:PORT      where to listen (127.0.0.1:7000; port 0 lets the system choose)
//!     --chat         a chat in place of an echo
//!     --script FILE  commands, one on each line; they are printed with their results
//!     --help         this text

mod clients;
mod screen;
mod session;

use lexopt::prelude::*;
use ropewalk::Reactor;
use ropewalk_chat::Chat;
use ropewalk_protocols::Echo;
use session::Session;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use support::{Failure, show};

fn main() -> ExitCode {
    support::main(include_str!("main.rs"), |mut arguments| {
        let (mut listen, mut chat, mut script) = (None, false, None);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("chat") => chat = true,
                Long("script") => script = Some(PathBuf::from(arguments.value()?)),
                Value(address) => support::once(&mut listen, address)?,
                argument => return Err(support::other(argument)),
            }
        }
        let listen = support::address(listen, "127.0.0.1:7000")?;
        support::log_from("warn");
        let mut reactor = Reactor::new()?;
        let port = match chat {
            // With the limits of addresses, the time to give a name is limited too: a timer to watch.
            true => reactor.listen_tcp(listen, Chat::new().limit_loopback().factory())?,
            false => reactor.listen_tcp(listen, || Echo)?,
        };
        let session = Session::new(reactor, port.address().clone());
        match script {
            Some(path) => run(session, BufReader::new(support::open(&path)?), true, false),
            None => run(session, io::stdin().lock(), false, io::stdout().is_terminal()),
        }
    })
}

/// Reads commands until they end.
fn run(
    mut session: Session,
    mut commands: impl BufRead,
    echoes: bool,
    clears: bool,
) -> Result<(), Failure> {
    let mut output = session.begin();
    loop {
        if clears {
            show(format_args!("\x1b[2J\x1b[H"))?;
        }
        show(format_args!("{output}\n{}step> ", session.screen()))?;
        let mut line = String::new();
        if commands.read_line(&mut line)? == 0 {
            return show(format_args!("\n"));
        }
        if echoes {
            show(format_args!("{}\n", line.trim_end()))?;
        }
        match session.obey(line.trim()) {
            Some(text) => output = text,
            None => return Ok(()),
        }
    }
}
