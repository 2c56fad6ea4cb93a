//! Ropewalk measured against its peers: `cargo run --profile measured -p ropewalk-bench -- --help`.

mod arguments;
mod child;
mod digest;
mod load;
mod output;
mod progress;
mod rows;
mod servers;
mod system;
mod table;

use arguments::{Order, Serve};
use output::{complain, show};
use rows::Row;
use rustix::process::{Signal, set_parent_process_death_signal};
use servers::{SERVERS, Server};
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use system::OnLoadProcessor;
use table::grouped;

/// How long and how often to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// All of it in under a minute.
    pub(crate) quick: bool,
    /// Only servers whose names are here, and the bare loop; all of them when empty.
    pub(crate) only: &'static [String],
    /// How often each is measured, in turns with the others.
    pub(crate) rounds: usize,
}

impl Options {
    /// Whether the user has named this server.
    pub(crate) fn names(&self, server: &Server) -> bool {
        self.only.iter().any(|name| name == server.name)
    }
}

/// `--help`; the rows and the servers are listed behind it.
const HELP: &str = "\
Measures Ropewalk against its peers: each server on one processor, the load on the other.

    ropewalk-bench [ROW...]                       measure, all rows unless some are named
    ropewalk-bench serve WORK HOST:PORT           serve until killed
    ropewalk-bench load SHAPE HOST:PORT           put a load on any server

When it measures, progress goes to stderr and tables to stdout. Options:

    --quick             all rows in less than a minute, and less exact
    --rounds N          how often each server is measured, in turns (5; 2 if quick)
    --only NAME,NAME    only these servers, and the bare loop
    --markdown          tables in Markdown

`serve echo` sends back what comes. `serve broadcast` sends each line to every other connection, as it
is. `serve digest` answers each 64 bytes with a digest of them, which takes it about 20 microseconds.
All print `listening on HOST:PORT`; port 0 is a free one. Options:

    --with NAME         the server (ropewalk)
    --on N,N            run on these processors only

`load echo`, `load digest`, `load fan-out` and `load connect` measure such a server and check what it
sends. Options:

    --seconds S         for so long, after a fifth of it to warm up (3)
    --connections N     echo, digest: how many clients (50); connect: how many at a time (64)
    --size BYTES        echo: of a message (64)
    --deep N            echo, digest: messages of a client under way (1)
    --receivers N       fan-out: those that only listen (200)
    --senders N         fan-out: those that send, and hear each other (10)
    --lines N           fan-out: of 64 bytes, that each sends at once (16)

";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_closed(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("ropewalk-bench: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    system::raise_descriptor_limit()?;
    match arguments::read(lexopt::Parser::from_env())? {
        Order::Help => help()?,
        Order::Measure { rows, options, markdown } => measure(&rows, &options, markdown)?,
        Order::Serve(order) => serve(&order)?,
        Order::Load { shape, address, duration } => load(shape, address, duration)?,
    }
    Ok(())
}

fn help() -> io::Result<()> {
    let rows = rows::ROWS.iter().map(|row| format!("    {:<20}{}\n", row.name, row.what));
    let servers = SERVERS.iter().map(|server| format!("    {:<20}{}\n", server.name, server.what));
    let (rows, servers): (String, String) = (rows.collect(), servers.collect());
    show(format_args!("{HELP}Rows:\n\n{rows}\nServers:\n\n{servers}"))
}

/// Prints each table when it is there: a run takes minutes.
fn measure(rows: &[&Row], options: &Options, markdown: bool) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    if !is_measured_profile() {
        complain(format_args!(
            "not the profile `measured`: figures of this build are not those that are published\n"
        ));
    }
    let wanted = |server: &Server| options.only.is_empty() || options.names(server);
    if SERVERS.iter().any(|server| server.python && wanted(server)) {
        complain(format_args!(
            "looking for Python, Twisted and uvloop; the first time it fetches them\n"
        ));
        // Each server that cannot run for the want of it says so in its place.
        if let Err(error) = servers::python::environment() {
            complain(format_args!("without them: {error}\n"));
        }
    }
    for (place, row) in rows.iter().enumerate() {
        let (place, count) = (place + 1, rows.len());
        complain(format_args!("[{place}/{count}] {}: {}\n", row.name, row.what));
        for table in (row.measure)(options)? {
            match markdown {
                true => show(format_args!("{}\n", table.markdown()))?,
                false => show(format_args!("{}\n", table.plain()))?,
            }
        }
    }
    complain(format_args!("done in {} s\n", start.elapsed().as_secs()));
    Ok(())
}

/// Whether this was built with the profile for figures. Cargo names the directory of a build after it.
fn is_measured_profile() -> bool {
    let program = std::env::current_exe().unwrap_or_default();
    program.parent().is_some_and(|directory| directory.ends_with("measured"))
}

fn serve(order: &Serve) -> Result<(), Box<dyn Error>> {
    if order.attached {
        set_parent_process_death_signal(Some(Signal::KILL))?;
    }
    if !order.processors.is_empty() {
        system::run_on(&order.processors)?;
    }
    match servers::serve(order.server, order.work, order.address)? {}
}

/// A fifth of the time goes to warming up.
fn load(shape: load::Shape, address: SocketAddr, duration: Duration) -> Result<(), Box<dyn Error>> {
    let _pinned = OnLoadProcessor::enter()?;
    let mut load = load::connect(shape, address).map_err(|error| format!("{address}: {error}"))?;
    load.run(duration / 5)?;
    let stretch = load.run(duration)?;
    load.finish()?;
    let what = match shape {
        load::Shape::Echo(_) => "messages",
        load::Shape::FanOut(_) => "deliveries",
        load::Shape::Connect(_) => "connections",
    };
    let seconds = stretch.elapsed.as_secs_f64();
    let count = grouped(stretch.count as f64);
    let (rate, bytes) = (grouped(stretch.rate()), grouped(stretch.bytes as f64 / seconds / 1e6));
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| stretch.latency(share));
    let busy = stretch.busy() * 100.0;
    show(format_args!(
        "{count} {what} in {seconds:.2} s, all as they should be\n\
         {rate} {what}/s, {bytes} MB/s\n\
         half of them within {p50:.1?}, 99 % within {p99:.1?}, 99.9 % within {p999:.1?}\n\
         the load was busy {busy:.0} % of the time\n"
    ))?;
    Ok(())
}
