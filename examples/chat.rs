//! A chat room, and you are in it.
//!
//!     cargo run --example chat
//!
//! Join it in other terminals, as often as you like:
//!
//!     cargo run --example chat_client
//!     nc 127.0.0.1 7001
//!
//! It asks for a name. After that all that you type is said to the room, and a line that begins with
//! `/` is a command; `/help` lists them. Here you see who comes and goes. Ctrl-C ends it.
//!
//! Options:
//!
//!     --listen HOST:PORT   where to listen (127.0.0.1:7001; port 0 lets the system choose)
//!     --max-length BYTES   how long a line may be (1024)
//!     --write-limit BYTES  how much may wait for one who reads too slowly to keep up (1048576)
//!     --burst LINES        how many lines one may send at once (1000)
//!     --rate LINES         how many a second after that (100)
//!     --demo               the server and three clients in one reactor; ends by itself
//!     --help               this text

#[path = "support/stdout.rs"]
mod stdout;
mod support;

use lexopt::Parser;
use lexopt::prelude::*;
use ropewalk::{Address, Context, Reactor, Reason};
use ropewalk_protocols::chat::Chat;
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use std::num::NonZero;
use std::process::ExitCode;
use std::time::Duration;
use support::Failure;

/// What happens in the demo: who says what, one line each moment.
const PLAY: [(&str, &str); 11] = [
    ("alice", "alice"),
    ("bob", "bob"),
    ("carol", "carol"),
    ("alice", "Good evening!"),
    ("bob", "Hello alice. /help lists what one can do here."),
    ("carol", "/me listens"),
    ("bob", "/msg alice between you and me: is carol a program?"),
    ("alice", "/who"),
    ("carol", "/join engine-room"),
    ("alice", "She has left."),
    ("bob", "/quit"),
];

/// How long a moment lasts in it.
const MOMENT: Duration = Duration::from_millis(100);

/// One of those in the demo: prints what he hears.
struct Actor {
    name: &'static str,
}

impl LineHandler for Actor {
    type Line = str;

    fn line_received(&mut self, _lines: &mut LineTransport<'_>, line: &str) {
        println!("{:>24} | {line}", format!("{} hears", self.name));
    }

    fn connection_lost(&mut self, _lines: &mut LineTransport<'_>, reason: Reason) {
        println!("{:>24} | the connection ended: {reason}", self.name);
    }
}

/// Lets three clients play their parts, and ends the run after the last line.
fn play(context: &mut Context, server: &Address) -> Result<(), Failure> {
    for name in ["alice", "bob", "carol"] {
        let actor = context.connect_tcp(server, move || LineReceiver::new(Actor { name }))?;
        for (moment, (_, line)) in (1..).zip(PLAY).filter(|(_, (speaker, _))| *speaker == name) {
            context.call_later(MOMENT * moment, move |context| {
                println!("{:>24} | {line}", format!("{name} types"));
                context.write(actor, format!("{line}\n").as_bytes());
            });
        }
    }
    context.call_later(MOMENT * (PLAY.len() as u32 + 2), |context| context.stop());
    Ok(())
}

fn main() -> ExitCode {
    support::main(include_str!("chat.rs"), |mut arguments| {
        let (mut listen, mut demo) = ("127.0.0.1:7001".to_owned(), false);
        let (mut chat, mut burst, mut rate) = (Chat::new(), 1_000, 100);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("listen") => listen = arguments.value()?.string()?,
                Long("max-length") => chat = chat.max_length(arguments.value()?.parse()?),
                Long("write-limit") => chat = chat.write_limit(arguments.value()?.parse()?),
                Long("burst") => burst = at_least_one(&mut arguments)?,
                Long("rate") => rate = at_least_one(&mut arguments)?,
                Long("demo") => demo = true,
                argument => return Err(support::other(argument)),
            }
        }
        let chat = chat.flood_limit(burst, rate);
        // The demo is to be read; the logs would stand in the middle of it.
        support::log_from(if demo { "warn" } else { "info" });
        let mut reactor = Reactor::new()?;
        reactor.stop_on_signals()?;
        let listen = if demo { "127.0.0.1:0" } else { &*listen };
        let port = reactor.listen_tcp(listen, chat.factory())?;
        stdout::say(format_args!("listening on {}", port.address()));
        if demo {
            play(reactor.context(), port.address())?;
        } else {
            let address = port.address();
            stdout::say(format_args!(
                "join in other terminals: cargo run --example chat_client {address}"
            ));
        }
        Ok(reactor.run()?)
    })
}

fn at_least_one(arguments: &mut Parser) -> Result<u32, lexopt::Error> {
    arguments.value()?.parse().map(NonZero::get)
}
