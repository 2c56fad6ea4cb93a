//! A chat server.
//!
//!     cargo run --example chat
//!
//! Join it in other terminals:
//!
//!     cargo run -p chat_client
//!     nc 127.0.0.1 7001
//!
//! The server asks for a name. After that a line is sent to all members of the room, and a line that
//! begins with `/` is a command; `/help` lists them. The server logs connections that are made and lost.
//! Ctrl-C ends it.
//!
//! Options:
//!
//!     --listen HOST:PORT   where to listen (127.0.0.1:7001; port 0 lets the system choose)
//!     --max-length BYTES   the limit for a line (1024)
//!     --write-limit BYTES  the limit for a client's send buffer; a client above it is disconnected (1048576)
//!     --burst LINES        the number of lines that a client may send at once (1000)
//!     --rate LINES         the number of lines per second after that (100)
//!     --connections N      the limit for connections from an address (50; 0 is no limit)
//!     --joins N            the limit for joins from an address in a minute (60; 0 is no limit)
//!     --limit-loopback     apply these two to this machine's own addresses as well
//!     --name-timeout SECONDS
//!                          the limit for the time until a name is given (60; 0 is no limit)
//!     --grace SECONDS      the grace period at the end, for clients to read queued lines (8)
//!     --reactors N         the number of threads (1), each with a reactor of its own
//!     --journal FILE       record what the reactor does in a file; ropewalk-journal reads it
//!     --record FILE        record all input in a file, users' bytes included
//!     --replay FILE        run a recording again, with the options of the recorded program and without sockets
//!     --demo               the server and three clients in one process; ends by itself
//!     --help               this text

use lexopt::Parser;
use lexopt::prelude::*;
use ropewalk::{Address, Context, Reason};
use ropewalk_chat::{Chat, Network};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use support::{Failure, Taped, say};

/// The default grace period. Many supervisors kill a service after ten seconds, and closing thousands of connections
/// takes time after the grace period.
const GRACE: Duration = Duration::from_secs(8);

/// The lines of the demo, with their clients. One line is sent per [`STEP`].
const SCRIPT: [(&str, &str); 11] = [
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

/// The time from one line of the demo to the next, so that a reader can follow.
const STEP: Duration = Duration::from_millis(100);

/// A client of the demo. It prints the lines that it receives.
struct DemoClient {
    name: &'static str,
}

impl LineHandler for DemoClient {
    type Line = str;

    fn line_received(&mut self, _lines: &mut LineTransport<'_>, line: &str) {
        say(format_args!("{:>24} | {line}", format!("{} receives", self.name)));
    }

    fn connection_lost(&mut self, _lines: &mut LineTransport<'_>, reason: Reason) {
        say(format_args!("{:>24} | the connection ended: {reason}", self.name));
    }
}

/// Connects three clients that send the script, and stops the reactor after the last line.
fn play(context: &mut Context, server: &Address) -> Result<(), ropewalk::Error> {
    for name in ["alice", "bob", "carol"] {
        let client = context.connect_tcp(server, move || LineReceiver::new(DemoClient { name }))?;
        for (step, (_, line)) in (1..).zip(SCRIPT).filter(|(_, (speaker, _))| *speaker == name) {
            context.call_later(STEP * step, move |context| {
                say(format_args!("{:>24} | {line}", format!("{name} sends")));
                context.transport(client).write(format!("{line}\n").as_bytes());
            });
        }
    }
    context.call_later(STEP * (SCRIPT.len() as u32 + 2), |context| context.stop());
    Ok(())
}

/// The options on the command line.
struct Options {
    listen: String,
    demo: bool,
    reactors: usize,
    grace: Duration,
    journal: Option<PathBuf>,
    record: Option<PathBuf>,
    replay: Option<PathBuf>,
    chat: ChatOptions,
}

#[derive(Clone, Copy)]
struct ChatOptions {
    max_length: usize,
    write_limit: usize,
    burst: u32,
    rate: u32,
    connections: u32,
    joins: u32,
    name_timeout: Duration,
    limit_loopback: bool,
}

impl Default for Options {
    fn default() -> Self {
        let chat = ChatOptions {
            max_length: 1_024,
            write_limit: 1_048_576,
            burst: 1_000,
            rate: 100,
            connections: 50,
            joins: 60,
            name_timeout: Duration::from_secs(60),
            limit_loopback: false,
        };
        let listen = "127.0.0.1:7001".to_owned();
        let (journal, record, replay) = (None, None, None);
        Self { listen, demo: false, reactors: 1, grace: GRACE, journal, record, replay, chat }
    }
}

impl ChatOptions {
    fn apply(self, chat: Chat) -> Chat {
        let chat = chat.max_length(self.max_length).write_limit(self.write_limit);
        let chat = chat.flood_limit(self.burst, self.rate);
        let chat = chat.address_limits(self.connections, self.joins);
        let chat = chat.name_timeout(self.name_timeout);
        if self.limit_loopback { chat.limit_loopback() } else { chat }
    }
}

fn main() -> ExitCode {
    support::main(include_str!("chat.rs"), |arguments| run(&options(arguments)?))
}

fn options(mut arguments: Parser) -> Result<Options, Failure> {
    let mut options = Options::default();
    while let Some(argument) = arguments.next()? {
        let chat = &mut options.chat;
        match argument {
            Long("listen") => options.listen = arguments.value()?.string()?,
            Long("max-length") => {
                chat.max_length = support::at_least_one(&mut arguments)? as usize;
            }
            Long("write-limit") => {
                chat.write_limit = support::at_least_one(&mut arguments)? as usize;
            }
            Long("burst") => chat.burst = support::at_least_one(&mut arguments)?,
            Long("rate") => chat.rate = support::at_least_one(&mut arguments)?,
            Long("connections") => chat.connections = arguments.value()?.parse()?,
            Long("joins") => chat.joins = arguments.value()?.parse()?,
            Long("limit-loopback") => chat.limit_loopback = true,
            Long("name-timeout") => chat.name_timeout = seconds(&mut arguments)?,
            Long("grace") => options.grace = seconds(&mut arguments)?,
            Long("reactors") => options.reactors = support::reactors(&mut arguments)?,
            Long("journal") => options.journal = Some(arguments.value()?.into()),
            Long("record") => options.record = Some(arguments.value()?.into()),
            Long("replay") => options.replay = Some(arguments.value()?.into()),
            Long("demo") => options.demo = true,
            argument => return Err(support::other(argument)),
        }
    }
    Ok(options)
}

fn seconds(arguments: &mut Parser) -> Result<Duration, lexopt::Error> {
    Ok(Duration::from_secs(arguments.value()?.parse()?))
}

fn run(options: &Options) -> Result<(), Failure> {
    let &Options { demo, chat, .. } = options;
    // In the demo, logs would stand between the lines.
    support::log_from(if demo { "warn" } else { "info" });
    if let Some(path) = &options.replay {
        let (taped, arguments) = support::replay(path)?;
        return run_taped(taped, &self::options(Parser::from_args(arguments))?);
    }
    if let Some(path) = &options.record {
        if options.reactors > 1 || options.journal.is_some() {
            let text = "--record is for one reactor without --journal";
            return Err(Failure::Usage(text.to_owned()));
        }
        return run_taped(support::record(path)?, options);
    }
    let mut group = support::group(options.reactors)?;
    group.set_grace(options.grace);
    if let Some(journal) = &options.journal {
        support::write_journals(&mut group, journal)?;
    }
    let listen = if demo { "127.0.0.1:0" } else { &*options.listen };
    // Each reactor has a chat for its own clients; the network links them.
    let network = Network::new();
    let port = group.listen_tcp(listen, move |member| {
        chat.apply(Chat::linked(&network, member.context())).factory()
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
        say(format_args!("join in other terminals: cargo run -p chat_client {address}"));
    }
    Ok(group.run()?)
}

/// Runs a chat that is recorded or replayed: the same program in both cases.
fn run_taped(taped: Taped, options: &Options) -> Result<(), Failure> {
    taped.run(|reactor| {
        reactor.set_grace(options.grace);
        let listen = if options.demo { "127.0.0.1:0" } else { &*options.listen };
        let port = reactor.listen_tcp(listen, options.chat.apply(Chat::new()).factory())?;
        say(format_args!("listening on {}", port.address()));
        if options.demo {
            play(reactor.context(), port.address())?;
        }
        Ok(())
    })
}
