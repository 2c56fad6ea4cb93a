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
    /// All rows in less than a minute.
    pub(crate) quick: bool,
    /// Only these servers, and the bare loop. Empty: all of them.
    pub(crate) only: &'static [String],
    /// How often each server is measured, in turn with the others.
    pub(crate) rounds: usize,
}

impl Options {
    /// Returns true if the user named this server.
    pub(crate) fn names(&self, server: &Server) -> bool {
        self.only.iter().any(|name| name == server.name)
    }
}

/// The text of `--help`. The rows and the servers follow it.
const HELP: &str = "\
Measures Ropewalk against its peers: each server on one processor, the load on the other.

    ropewalk-bench [ROW...]                       measure these rows (default: all)
    ropewalk-bench serve WORK HOST:PORT           serve until killed
    ropewalk-bench load SHAPE HOST:PORT           put a load on any server

Measuring prints progress on stderr and tables on stdout. Options:

    --quick             all rows in less than a minute, less precisely
    --rounds N          how often each server is measured, in turn (default: 5; with --quick: 2)
    --only NAME,NAME    only these servers, and the bare loop
    --markdown          print the tables in Markdown

`serve echo` sends its input back. `serve broadcast` sends each line to every other connection,
unchanged. `serve digest` answers each 64 bytes with a digest, which takes about 20 microseconds. All
print `listening on HOST:PORT`; with port 0 the system chooses a free port. Options:

    --with NAME         the server (default: ropewalk)
    --on N,N            run on these processors only

`load echo`, `load digest`, `load fan-out` and `load connect` measure such a server, and check its
output. Options:

    --seconds S         duration, after a warm-up of a fifth of it (default: 3)
    --connections N     echo, digest: clients (default: 50); connect: clients at a time (default: 64)
    --size BYTES        echo: bytes of a message (default: 64)
    --deep N            echo, digest: messages of a client in flight (default: 1)
    --receivers N       fan-out: clients that only receive (default: 200)
    --senders N         fan-out: clients that send, and receive each other's lines (default: 10)
    --lines N           fan-out: lines of 64 bytes that each sends at once (default: 16)

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

/// Prints each table as soon as it is complete, since a run takes minutes.
fn measure(rows: &[&Row], options: &Options, markdown: bool) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    if !is_measured_profile() {
        complain(format_args!(
            "not the profile `measured`: do not compare these figures with the published ones\n"
        ));
    }
    let wanted = |server: &Server| options.only.is_empty() || options.names(server);
    if SERVERS.iter().any(|server| server.python && wanted(server)) {
        complain(format_args!(
            "looking for Python, Twisted and uvloop; the first time they are downloaded\n"
        ));
        // Each server that cannot run for this reason is named in its table.
        if let Err(error) = servers::python::environment() {
            complain(format_args!("not available: {error}\n"));
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
    complain(format_args!("finished in {} s\n", start.elapsed().as_secs()));
    Ok(())
}

/// Returns true if this was built with the profile for published figures. Cargo names the build
/// directory after it.
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

/// Puts load on a server. A fifth of the time is the warm-up.
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
        "{count} {what} in {seconds:.2} s, all of them correct\n\
         {rate} {what}/s, {bytes} MB/s\n\
         50 % within {p50:.1?}, 99 % within {p99:.1?}, 99.9 % within {p999:.1?}\n\
         the load was busy {busy:.0} % of the time\n"
    ))?;
    Ok(())
}
