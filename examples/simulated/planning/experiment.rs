//! One run: a chat of so many clients, and what came of it.

use crate::Setting;
use crate::chat::{Site, name, serve};
use crate::crowd::{BEGIN, Script, gather};
use crate::gauge::Gauge;
use ropewalk::Reactor;
use ropewalk_simulation::{Costs, NodeId, TraceHash, World};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;
use support::Failure;

/// How long we wait at the end for what is still on its way.
const LAST_WORDS: Duration = Duration::from_secs(600);

/// How often we tell how far it is.
const PARTS: u32 = 10;

/// What came of it.
pub(crate) struct Figures {
    pub(crate) clients: u32,
    /// Lines a second.
    pub(crate) said: f64,
    pub(crate) heard: f64,
    /// In milliseconds: that of half of all lines, of 99 %, of 99.9 %, and of all.
    pub(crate) latency: [f64; 4],
    /// How many lines waited for a server when it turned to them: 99.9 % of the times, and always.
    pub(crate) queue: [u64; 2],
    /// The most bytes that waited for one connection.
    pub(crate) waiting: usize,
    /// Which part of the time the busiest server worked, from 0 to 1.
    pub(crate) busiest: f64,
    pub(crate) callbacks: u64,
    /// What was heard too late to be counted.
    pub(crate) missed: u64,
    pub(crate) trace: TraceHash,
}

/// Has it happen. `progress` is told which part is over, from 0 to 1.
pub(crate) fn run(
    setting: &Setting,
    clients: u32,
    mut progress: impl FnMut(f64),
) -> Result<Figures, Failure> {
    let gauge = Rc::new(Gauge::new());
    let (mut world, servers) = populate(setting, clients, &gauge);
    world.run_for(BEGIN);
    gauge.begin();
    let before: Vec<_> = servers.iter().map(|server| world.worked(*server)).collect();
    for part in 0..PARTS {
        progress(f64::from(part) / f64::from(PARTS));
        world.run_for(setting.span / PARTS);
    }
    let seconds = setting.span.as_secs_f64();
    let worked = servers.iter().zip(before).map(|(server, before)| world.worked(*server) - before);
    let busiest = worked.max().unwrap_or_default().as_secs_f64() / seconds;
    let heard = gauge.heard.get() as f64 / seconds;
    world.run_until(LAST_WORDS, |_| gauge.heard.get() == gauge.due.get());

    if gauge.broken.get() > 0 {
        return Err(Failure::Run(format!("{} connections broke", gauge.broken.get())));
    }
    let latency = gauge.latency.borrow();
    let queue = gauge.queue.borrow();
    let milliseconds = |nanos: u64| nanos as f64 / 1e6;
    Ok(Figures {
        clients,
        said: gauge.said.get() as f64 / seconds,
        heard,
        latency: [0.5, 0.99, 0.999, 1.0].map(|part| milliseconds(latency.value_at_quantile(part))),
        queue: [0.999, 1.0].map(|part| queue.value_at_quantile(part)),
        waiting: gauge.waiting.get(),
        busiest,
        callbacks: world.callbacks(),
        missed: gauge.due.get() - gauge.heard.get(),
        trace: world.trace(),
    })
}

/// A world with so many clients, spread over servers, which are told as well.
fn populate(setting: &Setting, clients: u32, gauge: &Rc<Gauge>) -> (World, Vec<NodeId>) {
    let mut world = World::new(setting.seed).link(setting.link).costs(setting.costs);
    let mut servers = Vec::new();
    for server in 0..setting.nodes {
        let (all, gauge) = (setting.nodes, gauge.clone());
        let program =
            move |reactor: &mut Reactor| serve(reactor, all, Site::SIMULATED, &gauge).map(drop);
        servers.push(world.add_node(&name(server), program));
    }
    let first = world.reactor(servers[0]).expect("nothing is the matter with it");
    let epoch = first.context().now();
    let script = Rc::new(Script::new(setting, clients, epoch, gauge));
    for server in 0..setting.nodes {
        let script = script.clone();
        let crowd = world.add_node(&format!("crowd-{server}"), move |reactor| {
            gather(reactor, server, &script);
            Ok(())
        });
        world.set_costs(crowd, Costs::NONE);
    }
    (world, servers)
}

/// What stands above the rows.
pub(crate) const HEADER: &str = concat!(
    "        |   lines a second |       ms from said to heard | lines waiting |",
    "  bytes |  busiest |            |\n",
    "clients |   said     heard |    p50    p99  p99.9     max |  p99.9    max |",
    "   wait |   server |  callbacks | trace",
);

/// A row of the table.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, said, heard, latency, queue, waiting, callbacks, .. } = self;
        let (queue, longest, busiest) = (queue[0], queue[1], self.busiest * 100.0);
        let [half, most, nearly_all, all] = latency;
        write!(f, "{clients:>7} | {said:>6.1} {heard:>9.0} |")?;
        write!(f, " {half:>6.2} {most:>6.2} {nearly_all:>6.2} {all:>7.2} |")?;
        write!(
            f,
            " {queue:>6} {longest:>6} | {waiting:>6} | {busiest:>6.3} % | {callbacks:>10} | "
        )?;
        f.write_str(&self.trace.to_string()[..8])?;
        match self.missed {
            0 => Ok(()),
            missed => write!(f, "; {missed} were not heard in the end"),
        }
    }
}
