//! How many clients does a chat bear, and how many servers does it need? A plan, made by having it happen.
//!
//! ```text
//! cargo run --release --example planning                  # 100 servers, an hour, up to 100,000 clients
//! cargo run --release --example planning -- --quick       # a minute, up to 5,000 clients: some seconds
//! cargo run --release --example planning -- --calibrate   # how far its costs are off on this machine
//! ```
//!
//! It needs one machine and no network: servers, clients and what lies between them are simulated, and so is
//! the time, which goes as fast as things happen. What the servers run is the code that would run on real
//! ones: a chat in rooms, each of which has a home on one of the servers. The rooms are of unequal sizes.
//! Everybody says something now and then, all in the room hear it, and how long that took is measured, for
//! each line and each listener; whoever has not heard it at the end is missed.
//!
//! A server has one processor, whose work takes time, and what comes meanwhile waits. The costs are what
//! was measured of this chat over loopback, with what the kernel does for it: a turn, a read, a write, a callback,
//! and the data. Clients are machines of their own, and cost nothing. The network is that of one data centre;
//! what lies between it and its users comes on top, as it does with any server.
//!
//! `--calibrate` measures how far the costs are off. One server runs for real and one in the simulated world, under
//! the same loads, from a line that one client says to itself to a flood of lines to a hundred. It prints how
//! many writes both needed, how long the real one worked (the processor time of its thread) and how long the
//! simulated one, and costs that are nearer to this machine. The costs here are those of a virtual EPYC with
//! Linux 6.18, on which the simulated server worked 0.8 to 1.35 times as long as the real one, beside other programs
//! but at a raised priority. What remains is above all that a KiB has one price: in the flood it costs 0.4 to
//! 0.6 µs, in the lines of many speakers 0.8 µs.
//!
//! To find out what one server bears, give it everybody, and have them talk:
//!
//!     cargo run --release --example planning -- --nodes 1 --minutes 1 --every 1 --clients 2000,5000,10000,20000
//!
//! It keeps a processor busy for two minutes, and the hour with 100 servers for three, in which it takes
//! some 320 MB.
//!
//! It prints a table, which is the same again from the same options, down to the hash of all that happened. How
//! far it is, and how long that took, is told on stderr. Lines wait for a server until it turns to them;
//! those that it finds then are counted, each time. Bytes wait for a connection until they are
//! sent; the most that did are told. The picture shows how everything grows with the number of clients.
//!
//! Options:
//!
//!     --nodes N               how many servers (100)
//!     --clients N,N,..        how many clients, a run for each (1000,2000,5000,10000,20000,50000,100000)
//!     --minutes N             for how long they talk (60)
//!     --every SECONDS         how often each of them says something, on average (600)
//!     --room PEOPLE           how many are in a room, on average (12)
//!     --latency MICROSECONDS  from any machine to any other (100), and up to half of it more
//!     --turn NANOSECONDS      what a turn of the reactor costs a server (1200)
//!     --call NANOSECONDS      what a system call that writes nothing costs it (800)
//!     --write NANOSECONDS     what one that writes costs it (3400)
//!     --callback NANOSECONDS  what a callback costs it (100)
//!     --kibibyte NANOSECONDS  what 1,024 bytes cost it that are read or written (600)
//!     --seed N                what chance is drawn from (1)
//!     --svg FILE              where the picture goes (planning.svg)
//!     --quick                 the same as --minutes 1 --clients 1000,2000,5000; or three small loads
//!     --calibrate             has no plan made, but tells how far the costs are off
//!     --help                  this text

#[cfg(unix)]
mod calibration;
mod chat;
mod crowd;
mod experiment;
mod gauge;
#[cfg(unix)]
mod load;
mod plot;

#[cfg(unix)]
use calibration::calibrate;
use crowd::MOST;
use experiment::{Figures, HEADER, run};
use lexopt::Parser;
use lexopt::prelude::*;
use plot::{Panel, Series};
use ropewalk_simulation::{Costs, Link};
use std::fs::File;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use support::Failure;

/// How many a run has unless told otherwise, and if it is to be quick.
const CLIENTS: [u32; 7] = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000];
const FEW: [u32; 3] = [1_000, 2_000, 5_000];

/// What is the same for all runs.
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

/// More take gigabytes of memory before anything is said.
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

/// What lies between two machines.
fn link(arguments: &mut Parser) -> Result<Link, lexopt::Error> {
    let latency = Duration::from_micros(arguments.value()?.parse::<u32>()?.into());
    Ok(Link { latency, jitter: latency / 2, ..Link::LOCAL })
}

/// The processor time of one thread is known on Unix only.
#[cfg(not(unix))]
fn calibrate(_costs: Costs, _is_quick: bool) -> Result<(), Failure> {
    Err(Failure::Usage("--calibrate needs Unix".to_owned()))
}

/// What something costs: seconds at most.
fn nanoseconds(arguments: &mut Parser) -> Result<Duration, lexopt::Error> {
    Ok(Duration::from_nanos(arguments.value()?.parse::<u32>()?.into()))
}

/// Numbers that are not 0, with commas between them.
fn list(text: &str) -> Result<Vec<u32>, String> {
    let number = |text: &str| match text.parse() {
        Ok(0) => Err("nobody is no chat".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}: {text}")),
    };
    text.split(',').map(number).collect()
}

/// Runs the chat with each number of clients, and tells what came of it.
fn plan(setting: &Setting, clients: &[u32], svg: &str) -> Result<(), Failure> {
    let Setting { nodes, span, every, room, .. } = setting;
    if let Some(many) = clients.iter().find(|clients| clients.div_ceil(*nodes) > MOST) {
        let message = format!("{many} clients are more than {MOST} for each of {nodes} servers");
        return Err(Failure::Usage(message));
    }
    // That it cannot be written is said before the hour, not after it.
    let failed = |error| Failure::Run(format!("{svg}: {error}"));
    let mut file = File::create(svg).map_err(failed)?;
    let (minutes, every) = (span.as_secs() / 60, every.as_secs());
    support::show(format_args!(
        "servers: {nodes}, minutes: {minutes}, people in a room: {room}, on average\n"
    ))?;
    support::show(format_args!(
        "everybody says something every {every} s, on average\n\n{HEADER}\n"
    ))?;
    let mut all = Vec::new();
    for &clients in clients {
        let begin = Instant::now();
        let figures = run(setting, clients, |share| {
            support::complain(format_args!("{clients} clients: {:.0} %", share * 100.0));
        })?;
        support::complain(format_args!(
            "{clients} clients: took {:.1} s",
            begin.elapsed().as_secs_f64()
        ));
        support::show(format_args!("{figures}\n"))?;
        all.push(figures);
    }
    file.write_all(picture(setting, &all).as_bytes()).map_err(failed)?;
    support::show(format_args!("\nwritten to {svg}\n"))?;
    Ok(())
}

/// How it all grows.
fn picture(setting: &Setting, all: &[Figures]) -> String {
    let series = |name, value: fn(&Figures) -> f64| Series {
        name,
        points: all.iter().map(|figures| (f64::from(figures.clients), value(figures))).collect(),
    };
    let panels = [
        Panel {
            title: "Throughput, lines a second",
            series: vec![series("heard", |all| all.heard), series("said", |all| all.said)],
        },
        Panel {
            title: "From being said to being heard, ms",
            series: vec![
                series("max", |all| all.latency[3]),
                series("p99.9", |all| all.latency[2]),
                series("p99", |all| all.latency[1]),
                series("p50", |all| all.latency[0]),
            ],
        },
        Panel {
            title: "Queues: lines that wait for a server",
            series: vec![
                series("max", |all| all.queue[1] as f64),
                series("p99.9", |all| all.queue[0] as f64),
            ],
        },
        Panel {
            title: "How busy the busiest server is, %",
            series: vec![series("busy", |all| all.busiest * 100.0)],
        },
    ];
    let Setting { nodes, span, every, .. } = setting;
    let (minutes, every) = (span.as_secs() / 60, every.as_secs());
    let title =
        format!("servers: {nodes}, minutes: {minutes}, a line from everybody every {every} s");
    plot::draw(&format!("A simulated chat: {title}"), "clients", &panels)
}
