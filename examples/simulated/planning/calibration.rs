//! Calibration: the chat's server on real sockets and in the simulation, under the same loads.
//!
//! The simulated time is compared with the processor time of the real server's thread. The time until all data is
//! received contains the work of real clients, so it is not comparable.

use crate::chat::{Site, name, serve};
use crate::gauge::Gauge;
use crate::load::{Clients, Load};
use cpu_time::ThreadTime;
use rlimit::Resource;
use ropewalk::{Context, Error, Handle, Reactor};
use ropewalk_simulation::{Costs, Link, World};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use support::{Failure, show};

/// The loads, from one client that receives its own line to the most that a server can send. Each takes some tenths of a
/// second.
const LOADS: [Load; 5] = [
    Load { lines: 1, senders: 1, clients: 1, rounds: 5_000 },
    Load { lines: 1, senders: 1, clients: 200, rounds: 300 },
    Load { lines: 16, senders: 10, clients: 200, rounds: 50 },
    Load { lines: 4, senders: 4, clients: 1_000, rounds: 50 },
    Load { lines: 20_000, senders: 1, clients: 100, rounds: 1 },
];

/// Small loads, for `--quick`.
const SMALL_LOADS: [Load; 3] = [
    Load { lines: 1, senders: 1, clients: 1, rounds: 100 },
    Load { lines: 4, senders: 4, clients: 50, rounds: 10 },
    Load { lines: 1_000, senders: 1, clients: 10, rounds: 1 },
];

/// The number of measurements of a load on real sockets. The median is used: other programs make the server slower, or
/// faster if they delay the clients.
const TIMES: usize = 5;

/// The time limit for a load, some hundred times what it takes.
const LIMIT: Duration = Duration::from_secs(60);

/// The link to another process on the same machine.
const LOOPBACK: Link = Link { latency: Duration::from_micros(10), ..Link::INSTANT };

/// The head of the table.
const HEADER: &str = concat!(
    "       |          |         |            | writes of the server |   processor time, ms  | simulated\n",
    " lines |  senders | clients | deliveries |    real    simulated |     real    simulated |    / real",
);

/// Measures both servers under each load, and prints the table.
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

/// Returns the deviation of the simulated server, and costs that fit this machine better.
fn advice(costs: Costs, mut ratios: Vec<f64>) -> String {
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    let worst = ratios.iter().map(|ratio| ratio.max(1.0 / ratio)).fold(1.0, f64::max);
    let Costs { turn, call, write, callback, kibibyte } = costs;
    let [turn, call, write, callback, kibibyte] = [turn, call, write, callback, kibibyte]
        .map(|cost| (cost.as_nanos() as f64 / median).round());
    format!(
        "The largest deviation is a factor of {worst:.2}; the median of simulated / real is {median:.2}.\n\
         Costs for this machine: --turn {turn} --call {call} --write {write} --callback {callback} \
         --kibibyte {kibibyte}"
    )
}

/// The work of a server.
#[derive(Clone, Copy)]
struct Work {
    time: Duration,
    /// The number of system calls that wrote data.
    writes: u64,
}

impl Work {
    /// Returns the work up to now, with the given time.
    fn until_now(context: &mut Context, time: Duration) -> Self {
        let counts = context.connections().map(|id| context.transport(id).counts());
        Self { time, writes: counts.map(|counts| counts.writes).sum() }
    }

    fn since(self, before: Self) -> Self {
        Self { time: self.time - before.time, writes: self.writes - before.writes }
    }
}

/// Measures a load on real sockets.
fn real(load: &Load) -> Result<Work, Failure> {
    let server = Server::start()?;
    let mut reactor = Reactor::new()?;
    let clients = Clients::new(*load, server.address.clone());
    let mut measure = |rounds| {
        let (begin, before) = (Instant::now(), server.work()?);
        clients.start(reactor.context(), rounds);
        while !clients.is_complete() {
            reactor.turn(Some(Duration::from_secs(1)))?;
            if begin.elapsed() > LIMIT {
                return Err(Failure::Run(clients.progress()));
            }
        }
        Ok(server.work()?.since(before))
    };
    measure(warm_up(load))?;
    let mut works = Vec::new();
    for _ in 0..TIMES {
        works.push(measure(load.rounds)?);
    }
    server.stop()?;
    works.sort_by_key(|work| work.time);
    Ok(works[TIMES / 2])
}

/// Measures a load on simulated sockets.
fn simulated(load: &Load, costs: Costs) -> Result<Work, Failure> {
    let mut world = World::new(1).link(LOOPBACK).costs(costs);
    let server = world.add_node(&name(0), |reactor| {
        serve(reactor, 1, Site::SIMULATED, &Rc::new(Gauge::new())).map(drop)
    });
    let node = world.add_node("clients", |_| Ok(()));
    world.set_costs(node, Costs::NONE);
    let clients = Clients::new(*load, Site::SIMULATED.address(0));
    let running = "nothing stops it";
    let work = |world: &mut World| {
        let worked = world.worked(server);
        Work::until_now(world.reactor(server).expect(running).context(), worked)
    };
    let mut measure = |rounds| {
        let before = work(&mut world);
        clients.start(world.reactor(node).expect(running).context(), rounds);
        if !world.run_until(LIMIT, |_| clients.is_complete()) {
            return Err(Failure::Run(format!("{}, simulated", clients.progress())));
        }
        Ok(work(&mut world).since(before))
    };
    measure(warm_up(load))?;
    measure(load.rounds)
}

/// Returns the number of rounds before the measurement, in which buffers grow to their size.
fn warm_up(load: &Load) -> u32 {
    load.rounds.div_ceil(5)
}

/// The real server, on a thread.
struct Server {
    address: String,
    handle: Handle,
    thread: JoinHandle<Result<(), Error>>,
}

impl Server {
    fn start() -> Result<Self, Failure> {
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut reactor = Reactor::new()?;
            reactor.set_slow_callback_duration(LIMIT); // Long callbacks are intended.
            let address = serve(&mut reactor, 1, Site::LOOPBACK, &Rc::new(Gauge::new()))?;
            sender.send((address.to_string(), reactor.handle())).expect("the other thread waits");
            reactor.run()
        });
        match receiver.recv() {
            Ok((address, handle)) => Ok(Self { address, handle, thread }),
            Err(_) => join(thread).and_then(|()| Err(ended())),
        }
    }

    /// Returns the work up to now, with the processor time of the thread.
    fn work(&self) -> Result<Work, Failure> {
        let (sender, receiver) = mpsc::channel();
        let read = move |context: &mut Context| {
            let time = ThreadTime::now().as_duration();
            sender.send(Work::until_now(context, time)).expect("the other thread waits");
        };
        self.handle.call(read).map_err(|_| ended())?;
        receiver.recv().map_err(|_| ended())
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

/// Raises the limit of descriptors if it is too low: each client needs two.
fn raise_descriptor_limit(loads: &[Load]) -> Result<(), Failure> {
    let needed = 50 + 2 * loads.iter().map(|load| u64::from(load.clients)).max().unwrap_or(0);
    let raised = Resource::NOFILE.get().and_then(|(current, maximum)| match current >= needed {
        true => Ok(()),
        false => Resource::NOFILE.set(needed, maximum),
    });
    let message = "descriptors; raise the limit with `ulimit -n`";
    raised.map_err(|error| Failure::Run(format!("it needs {needed} {message} ({error})")))
}
