//! How far the costs are off: the chat's server for real and in the simulated world, under the same loads.
//!
//! What is compared is the processor time of the real server's thread. The time until everything is received
//! is not: it contains the work of the clients, which cost nothing where they are simulated.

use crate::chat::{Site, name, serve};
use crate::gauge::Gauge;
use crate::load::{Audience, Load};
use ropewalk::{Context, Error, Handle, Reactor};
use ropewalk_simulation::{Costs, Link, World};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use support::{Failure, show};

/// From one client that speaks to itself to as much as a server can send. All rounds of one take some tenths
/// of a second.
const LOADS: [Load; 5] = [
    Load { lines: 1, speakers: 1, clients: 1, rounds: 5_000 },
    Load { lines: 1, speakers: 1, clients: 200, rounds: 300 },
    Load { lines: 16, speakers: 10, clients: 200, rounds: 50 },
    Load { lines: 4, speakers: 4, clients: 1_000, rounds: 50 },
    Load { lines: 20_000, speakers: 1, clients: 100, rounds: 1 },
];

/// Small ones, for a look at the table.
const SMALL_LOADS: [Load; 3] = [
    Load { lines: 1, speakers: 1, clients: 1, rounds: 100 },
    Load { lines: 4, speakers: 4, clients: 50, rounds: 10 },
    Load { lines: 1_000, speakers: 1, clients: 10, rounds: 1 },
];

/// How often a load is measured on real sockets. The median is taken: what else the machine does makes the
/// server slower, or faster if it holds the clients up.
const TIMES: usize = 5;

/// How long a load may take. What was not received by then is lost.
const LIMIT: Duration = Duration::from_secs(60);

/// The way to another process on the same machine.
const LOOPBACK: Link = Link { latency: Duration::from_micros(10), ..Link::INSTANT };

/// What stands above the rows.
const HEADER: &str = concat!(
    "       |          |         |            | writes of the server |  the server works, ms | simulated\n",
    " lines | speakers | clients | deliveries |    real    simulated |     real    simulated |    / real",
);

/// Measures both under each load, and prints how far they are from each other.
pub(crate) fn calibrate(costs: Costs, is_quick: bool) -> Result<(), Failure> {
    let loads = if is_quick { &SMALL_LOADS } else { &LOADS[..] };
    raise_descriptor_limit(loads)?;
    show(format_args!("{HEADER}\n"))?;
    let mut ratios = Vec::new();
    for load in loads {
        let (real, simulated) = (real(load)?, simulated(load, costs)?);
        let ratio = simulated.time.as_secs_f64() / real.time.as_secs_f64();
        show(format_args!(
            "{load} | {:>10} | {:>7} {:>12} | {:>8.1} {:>12.1} | {ratio:>9.2}\n",
            load.deliveries(),
            real.writes,
            simulated.writes,
            real.time.as_secs_f64() * 1e3,
            simulated.time.as_secs_f64() * 1e3,
        ))?;
        ratios.push(ratio);
    }
    show(format_args!("\n{}\n", advice(costs, ratios)))
}

/// How far the simulated server is off, and which costs would be nearer.
fn advice(costs: Costs, mut ratios: Vec<f64>) -> String {
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    let worst = ratios.iter().map(|ratio| ratio.max(1.0 / ratio)).fold(1.0, f64::max);
    let Costs { turn, call, write, callback, kibibyte } = costs;
    let [turn, call, write, callback, kibibyte] = [turn, call, write, callback, kibibyte]
        .map(|cost| (cost.as_nanos() as f64 / median).round());
    format!(
        "The simulated server is off by a factor of {worst:.2} at worst; its median is {median:.2} of the real one.\n\
         Nearer to this machine: --turn {turn} --call {call} --write {write} --callback {callback} \
         --kibibyte {kibibyte}"
    )
}

/// What a server has done.
#[derive(Clone, Copy)]
struct Work {
    time: Duration,
    /// Its calls that wrote something.
    writes: u64,
}

impl Work {
    /// So much by now, which took this time.
    fn until_now(context: &Context, time: Duration) -> Self {
        let counts = context.connections().filter_map(|id| context.connection_counts(id));
        Self { time, writes: counts.map(|counts| counts.writes).sum() }
    }

    fn since(self, before: Self) -> Self {
        Self { time: self.time - before.time, writes: self.writes - before.writes }
    }
}

/// A load on real sockets.
fn real(load: &Load) -> Result<Work, Failure> {
    let server = Server::start()?;
    let mut reactor = Reactor::new()?;
    let audience = Audience::new(*load, server.address.clone());
    let mut play = |rounds| {
        let (begin, before) = (Instant::now(), server.work()?);
        audience.play(reactor.context(), rounds);
        while !audience.is_done() {
            reactor.turn(Some(Duration::from_secs(1)))?;
            if begin.elapsed() > LIMIT {
                return Err(Failure::Run(audience.progress()));
            }
        }
        Ok(server.work()?.since(before))
    };
    play(warm_up(load))?;
    let mut works = Vec::new();
    for _ in 0..TIMES {
        works.push(play(load.rounds)?);
    }
    server.stop()?;
    works.sort_by_key(|work| work.time);
    Ok(works[TIMES / 2])
}

/// The same load on simulated ones.
fn simulated(load: &Load, costs: Costs) -> Result<Work, Failure> {
    let mut world = World::new(1).link(LOOPBACK).costs(costs);
    let server = world.add_node(&name(0), |reactor| {
        serve(reactor, 1, Site::SIMULATED, &Rc::new(Gauge::new())).map(drop)
    });
    let clients = world.add_node("clients", |_| Ok(()));
    world.set_costs(clients, Costs::NONE);
    let audience = Audience::new(*load, Site::SIMULATED.address(0));
    let running = "it never stops";
    let work = |world: &mut World| {
        let worked = world.worked(server);
        Work::until_now(world.reactor(server).expect(running).context(), worked)
    };
    let mut play = |rounds| {
        let before = work(&mut world);
        audience.play(world.reactor(clients).expect(running).context(), rounds);
        if !world.run_until(LIMIT, |_| audience.is_done()) {
            return Err(Failure::Run(format!("{}, simulated", audience.progress())));
        }
        Ok(work(&mut world).since(before))
    };
    play(warm_up(load))?;
    play(load.rounds)
}

/// The rounds that are not measured, in which buffers grow to their size.
fn warm_up(load: &Load) -> u32 {
    load.rounds.div_ceil(5)
}

/// The real server, on a thread of its own.
struct Server {
    address: String,
    handle: Handle,
    thread: JoinHandle<Result<(), Error>>,
}

impl Server {
    fn start() -> Result<Self, Failure> {
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut reactor = Reactor::new()?;
            reactor.set_slow_callback_duration(LIMIT); // Some are slow on purpose.
            let address = serve(&mut reactor, 1, Site::LOOPBACK, &Rc::new(Gauge::new()))?;
            tell.send((address.to_string(), reactor.handle())).expect("the other thread waits");
            reactor.run()
        });
        match told.recv() {
            Ok((address, handle)) => Ok(Self { address, handle, thread }),
            Err(_) => join(thread).and_then(|()| Err(ended())),
        }
    }

    /// What it has done by now, and the processor time of its thread.
    fn work(&self) -> Result<Work, Failure> {
        let (tell, told) = mpsc::channel();
        let look = move |context: &mut Context| {
            let time = clock_gettime(ClockId::ThreadCPUTime);
            let time = Duration::new(time.tv_sec as u64, time.tv_nsec as u32);
            tell.send(Work::until_now(context, time)).expect("the other thread waits");
        };
        self.handle.call(look).map_err(|_| ended())?;
        told.recv().map_err(|_| ended())
    }

    fn stop(self) -> Result<(), Failure> {
        self.handle.stop().map_err(|_| ended())?;
        join(self.thread)
    }
}

fn ended() -> Failure {
    Failure::Run("the server has ended".to_owned())
}

fn join(thread: JoinHandle<Result<(), Error>>) -> Result<(), Failure> {
    let ended = thread.join().map_err(|_| Failure::Run("the server panicked".to_owned()))?;
    Ok(ended?)
}

/// Raises the limit of descriptors if it is too low: two for each client, and some for the rest.
fn raise_descriptor_limit(loads: &[Load]) -> Result<(), Failure> {
    let needed = 50 + 2 * loads.iter().map(|load| u64::from(load.clients)).max().unwrap_or(0);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum });
    let message = "descriptors; raise the limit with `ulimit -n`";
    raised.map_err(|error| Failure::Run(format!("it needs {needed} {message} ({error})")))
}
