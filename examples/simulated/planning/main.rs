//! Capacity planning of a chat in the simulation: latencies and queues by the number of clients and servers.
//!
//! ```text
//! cargo run --release --example planning                  # 100 servers, an hour, up to 100,000 clients
//! cargo run --release --example planning -- --quick       # a minute, up to 5,000 clients: some seconds
//! cargo run --release --example planning -- --calibrate   # compares its costs with this machine
//! ```
//!
//! Servers, clients, the network and the clock are simulated, so one machine is enough. The servers run the code that
//! real servers would run: a chat in rooms, each of which has a home server. The sizes of rooms are unequal. Each
//! client sends lines at random times, and all members of the room receive them. The latency is measured for each
//! line and each receiver. Lines that were not received at the end are counted.
//!
//! A server has one processor, and its work takes simulated time; data that arrives in the meantime is queued. The costs
//! were measured with this chat over loopback, including the kernel's work: a turn, a read, a write, a callback, and
//! the data. Clients run on other machines and have no costs. The network is that of a data centre, without the
//! latency between it and its users.
//!
//! `--calibrate` compares the costs with a real server under the same loads, from one client that receives its own
//! line to a flood of lines to a hundred clients. It prints the number of writes of both servers, the processor time
//! of the real server's thread, the simulated time, and costs that fit this machine better. The default costs are those
//! of a virtual EPYC with Linux 6.18, on which the simulated server took 0.8 to 1.35 times the time of the real one. The
//! main cause of the difference is the single price of a KiB: it is 0.4 to 0.6 µs in the flood, and 0.8 µs for lines
//! of many senders.
//!
//! The capacity of one server, with all clients on it and many lines:
//!
//!     cargo run --release --example planning -- --nodes 1 --minutes 1 --every 1 --clients 2000,5000,10000,20000
//!
//! This takes two minutes of processor time. The hour with 100 servers takes three minutes and 320 MB.
//!
//! The table on stdout is the same for the same options, including the hash of the trace. Progress and real times are
//! printed on stderr. The queue is the number of lines that a server finds in a turn. The send buffer is the largest
//! one of any connection. The picture shows each figure by the number of clients.
//!
//! Options:
//!
//!     --nodes N               the number of servers (100)
//!     --clients N,N,..        the numbers of clients, a run for each (1000,2000,5000,10000,20000,50000,100000)
//!     --minutes N             the length of a run in simulated time (60)
//!     --every SECONDS         the mean time between two lines of a client (600)
//!     --room CLIENTS          the mean number of clients in a room (12)
//!     --latency MICROSECONDS  from any machine to any other (100), and up to half of it more
//!     --turn NANOSECONDS      the cost of a turn of the reactor (1200)
//!     --call NANOSECONDS      the cost of a system call that writes nothing (800)
//!     --write NANOSECONDS     the cost of a system call that writes (3400)
//!     --callback NANOSECONDS  the cost of a callback (100)
//!     --kibibyte NANOSECONDS  the cost of reading or writing 1,024 bytes (600)
//!     --seed N                the seed of all random choices (1)
//!     --svg FILE              the file of the picture (planning.svg)
//!     --quick                 the same as --minutes 1 --clients 1000,2000,5000; or three small loads
//!     --calibrate             compares the costs with a real server
//!     --help                  this text

#[cfg(unix)]
mod calibration;
mod chat;
mod experiment;
mod gauge;
#[cfg(unix)]
mod load;
mod plot;
mod population;

#[cfg(unix)]
use calibration::calibrate;
use experiment::{Figures, HEADER, run};
use lexopt::Parser;
use lexopt::prelude::*;
use plot::{Panel, Series};
use population::MAX_CLIENTS;
use ropewalk_simulation::{Costs, Link};
use std::fs::File;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use support::Failure;

/// The default numbers of clients, and those of `--quick`.
const CLIENTS: [u32; 7] = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000];
const FEW: [u32; 3] = [1_000, 2_000, 5_000];

/// The options that all runs share.
pub(crate) struct Setting {
    pub(crate) nodes: u32,
    pub(crate) span: Duration,
    pub(crate) every: Duration,
    pub(crate) room: u32,
    pub(crate) link: Link,
    pub(crate) costs: Costs,
    pub(crate) seed: u64,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            nodes: 100,
            span: Duration::from_secs(3600),
            every: Duration::from_secs(600),
            room: 12,
            link: Link::LOCAL,
            costs: Costs::default(),
            seed: 1,
        }
    }
}

/// The limit for `--nodes`. More servers take gigabytes of memory.
const MOST_NODES: u32 = 10_000;

fn main() -> ExitCode {
    support::main(include_str!("main.rs"), |mut arguments| {
        let mut setting = Setting::default();
        let (mut clients, mut svg) = (CLIENTS.to_vec(), "planning.svg".to_owned());
        let (mut calibrates, mut is_quick) = (false, false);
        while let Some(argument) = arguments.next()? {
            let costs = &mut setting.costs;
            match argument {
                Long("nodes") => {
                    setting.nodes = support::up_to(MOST_NODES, "servers", &mut arguments)?
                }
                Long("clients") => clients = arguments.value()?.parse_with(list)?,
                Long("minutes") => {
                    setting.span = Duration::from_secs(60) * support::at_least_one(&mut arguments)?;
                }
                Long("every") => {
                    let seconds = support::at_least_one(&mut arguments)?;
                    setting.every = Duration::from_secs(seconds.into());
                }
                Long("room") => setting.room = support::at_least_one(&mut arguments)?,
                Long("latency") => setting.link = link(&mut arguments)?,
                Long("turn") => costs.turn = nanoseconds(&mut arguments)?,
                Long("call") => costs.call = nanoseconds(&mut arguments)?,
                Long("write") => costs.write = nanoseconds(&mut arguments)?,
                Long("callback") => costs.callback = nanoseconds(&mut arguments)?,
                Long("kibibyte") => costs.kibibyte = nanoseconds(&mut arguments)?,
                Long("calibrate") => calibrates = true,
                Long("seed") => setting.seed = arguments.value()?.parse()?,
                Long("svg") => svg = arguments.value()?.string()?,
                Long("quick") => {
                    is_quick = true;
                    (setting.span, clients) = (Duration::from_secs(60), FEW.to_vec());
                }
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("warn");
        match calibrates {
            true => calibrate(setting.costs, is_quick),
            false => plan(&setting, &clients, &svg),
        }
    })
}

/// Reads `--latency`.
fn link(arguments: &mut Parser) -> Result<Link, lexopt::Error> {
    let latency = Duration::from_micros(arguments.value()?.parse::<u32>()?.into());
    Ok(Link { latency, jitter: latency / 2, ..Link::LOCAL })
}

/// The processor time of one thread is known on Unix only.
#[cfg(not(unix))]
fn calibrate(_costs: Costs, _is_quick: bool) -> Result<(), Failure> {
    Err(Failure::Usage("--calibrate needs Unix".to_owned()))
}

/// Reads a cost.
fn nanoseconds(arguments: &mut Parser) -> Result<Duration, lexopt::Error> {
    Ok(Duration::from_nanos(arguments.value()?.parse::<u32>()?.into()))
}

/// Parses numbers that are not 0, with commas between them.
fn list(text: &str) -> Result<Vec<u32>, String> {
    let number = |text: &str| match text.parse() {
        Ok(0) => Err("the number of clients must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}: {text}")),
    };
    text.split(',').map(number).collect()
}

/// Runs the chat with each number of clients, prints the table, and writes the picture.
fn plan(setting: &Setting, clients: &[u32], svg: &str) -> Result<(), Failure> {
    let Setting { nodes, span, every, room, .. } = setting;
    if let Some(many) = clients.iter().find(|clients| clients.div_ceil(*nodes) > MAX_CLIENTS) {
        let message =
            format!("{many} clients are more than {MAX_CLIENTS} for each of {nodes} servers");
        return Err(Failure::Usage(message));
    }
    // Fails before the runs if the file cannot be written.
    let failed = |error| Failure::Run(format!("{svg}: {error}"));
    let mut file = File::create(svg).map_err(failed)?;
    let (minutes, every) = (span.as_secs() / 60, every.as_secs());
    support::show(format_args!(
        "servers: {nodes}, minutes: {minutes}, mean clients in a room: {room}\n"
    ))?;
    support::show(format_args!(
        "mean time between two lines of a client: {every} s\n\n{HEADER}\n"
    ))?;
    let mut all = Vec::new();
    for &clients in clients {
        let begin = Instant::now();
        let figures = run(setting, clients, |share| {
            support::complain(format_args!("{clients} clients: {:.0} %", share * 100.0));
        })?;
        support::complain(format_args!(
            "{clients} clients: {:.1} s",
            begin.elapsed().as_secs_f64()
        ));
        support::show(format_args!("{figures}\n"))?;
        all.push(figures);
    }
    file.write_all(picture(setting, &all).as_bytes()).map_err(failed)?;
    support::show(format_args!("\nwritten to {svg}\n"))?;
    Ok(())
}

/// Draws the figures by the number of clients.
fn picture(setting: &Setting, all: &[Figures]) -> String {
    let series = |name, value: fn(&Figures) -> f64| Series {
        name,
        points: all.iter().map(|figures| (f64::from(figures.clients), value(figures))).collect(),
    };
    let panels = [
        Panel {
            title: "Throughput, lines a second",
            series: vec![series("received", |all| all.received), series("sent", |all| all.sent)],
        },
        Panel {
            title: "Latency from sending to receiving, ms",
            series: vec![
                series("max", |all| all.latency[3]),
                series("p99.9", |all| all.latency[2]),
                series("p99", |all| all.latency[1]),
                series("p50", |all| all.latency[0]),
            ],
        },
        Panel {
            title: "Queues: lines that a server finds in a turn",
            series: vec![
                series("max", |all| all.queue[1] as f64),
                series("p99.9", |all| all.queue[0] as f64),
            ],
        },
        Panel {
            title: "Load of the busiest server, %",
            series: vec![series("load", |all| all.busiest * 100.0)],
        },
    ];
    let Setting { nodes, span, every, .. } = setting;
    let (minutes, every) = (span.as_secs() / 60, every.as_secs());
    let title =
        format!("servers: {nodes}, minutes: {minutes}, a line of each client every {every} s");
    plot::draw(&format!("A simulated chat: {title}"), "clients", &panels)
}
