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
//!     --connections N      how many connections one address may have (50; 0 is no limit)
//!     --joins N            how many may join from one address in a minute (60; 0 is no limit)
//!     --name-timeout SECONDS
//!                          how long a connection may go on without a name (60; 0 is no limit)
//!     --grace SECONDS      how long clients have at the end to read what is queued for them (8)
//!     --limit-loopback     apply these three to this machine's own addresses as well
//!     --reactors N         how many threads serve (1), each with a reactor of its own
//!     --demo               the server and three clients in one process; ends by itself
//!     --help               this text

use lexopt::prelude::*;
use ropewalk::{Address, Context, Reason};
use ropewalk_chat::{Chat, Network};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use std::process::ExitCode;
use std::time::Duration;
use support::say;

/// How long the end waits for clients to read what is queued for them, unless `--grace` sets it. To close thousands of
/// connections takes time as well, and many supervisors kill a service after ten seconds.
const GRACE: Duration = Duration::from_secs(8);

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
        say(format_args!("{:>24} | {line}", format!("{} hears", self.name)));
    }

    fn connection_lost(&mut self, _lines: &mut LineTransport<'_>, reason: Reason) {
        say(format_args!("{:>24} | the connection ended: {reason}", self.name));
    }
}

/// Lets three clients play their parts, and ends the run after the last line.
fn play(context: &mut Context, server: &Address) -> Result<(), ropewalk::Error> {
    for name in ["alice", "bob", "carol"] {
        let actor = context.connect_tcp(server, move || LineReceiver::new(Actor { name }))?;
        for (moment, (_, line)) in (1..).zip(PLAY).filter(|(_, (speaker, _))| *speaker == name) {
            context.call_later(MOMENT * moment, move |context| {
                say(format_args!("{:>24} | {line}", format!("{name} types")));
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
        let (mut max_length, mut write_limit) = (1_024, 1_048_576);
        let (mut burst, mut rate, mut reactors) = (1_000, 100, 1);
        let (mut connections, mut joins, mut limit_loopback) = (50, 60, false);
        let (mut name_timeout, mut grace) = (Duration::from_secs(60), GRACE);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("listen") => listen = arguments.value()?.string()?,
                Long("max-length") => max_length = support::at_least_one(&mut arguments)? as usize,
                Long("write-limit") => {
                    write_limit = support::at_least_one(&mut arguments)? as usize
                }
                Long("burst") => burst = support::at_least_one(&mut arguments)?,
                Long("rate") => rate = support::at_least_one(&mut arguments)?,
                Long("connections") => connections = arguments.value()?.parse()?,
                Long("joins") => joins = arguments.value()?.parse()?,
                Long("name-timeout") => {
                    name_timeout = Duration::from_secs(arguments.value()?.parse()?);
                }
                Long("grace") => grace = Duration::from_secs(arguments.value()?.parse()?),
                Long("limit-loopback") => limit_loopback = true,
                Long("reactors") => reactors = support::reactors(&mut arguments)?,
                Long("demo") => demo = true,
                argument => return Err(support::other(argument)),
            }
        }
        // The demo is to be read; the logs would stand in the middle of it.
        support::log_from(if demo { "warn" } else { "info" });
        let mut group = support::group(reactors)?;
        group.set_grace(grace);
        let listen = if demo { "127.0.0.1:0" } else { &*listen };
        // Each reactor has a chat for its own clients, and together they are one.
        let network = Network::new();
        let port = group.listen_tcp(listen, move |member| {
            let chat = Chat::linked(&network, member.context());
            let chat = chat.max_length(max_length).write_limit(write_limit);
            let chat = chat.flood_limit(burst, rate).address_limits(connections, joins);
            let chat = chat.name_timeout(name_timeout);
            if limit_loopback { chat.limit_loopback().factory() } else { chat.factory() }
        })?;
        say(format_args!("listening on {}", port.address()));
        if demo {
            let server = port.address().clone();
            let played = group.each(move |member| match member.index() {
                0 => play(member.context(), &server),
                _ => Ok(()),
            });
            played.into_iter().collect::<Result<(), _>>()?;
        } else {
            let address = support::reachable(port.address());
            say(format_args!("join in other terminals: cargo run --example chat_client {address}"));
        }
        Ok(group.run()?)
    })
}
