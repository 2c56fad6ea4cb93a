//! One run of the chat, and its figures.

use crate::Setting;
use crate::chat::{Site, name, serve};
use crate::gauge::Gauge;
use crate::population::{BEGIN, Script, connect};
use ropewalk::Reactor;
use ropewalk_simulation::{Costs, NodeId, TraceHash, World};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;
use support::Failure;

/// The time limit for lines in flight at the end.
const DRAIN: Duration = Duration::from_secs(600);

/// The number of progress messages of a run.
const PARTS: u32 = 10;

/// The figures of a run.
pub(crate) struct Figures {
    pub(crate) clients: u32,
    /// Lines per second.
    pub(crate) sent: f64,
    pub(crate) received: f64,
    /// In milliseconds: the median, the percentiles 99 and 99.9, and the maximum.
    pub(crate) latency: [f64; 4],
    /// The lines that a server finds in a turn: the percentile 99.9, and the maximum.
    pub(crate) queue: [u64; 2],
    /// The largest send buffer of a connection in bytes.
    pub(crate) send_buffer: usize,
    /// The load of the busiest server, from 0 to 1.
    pub(crate) busiest: f64,
    pub(crate) callbacks: u64,
    /// The number of lines that were not received.
    pub(crate) missed: u64,
    pub(crate) trace: TraceHash,
}

/// Runs the chat. `progress` is called with the completed part, from 0 to 1.
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
    let received = gauge.received.get() as f64 / seconds;
    world.run_until(DRAIN, |_| gauge.received.get() == gauge.due.get());

    if gauge.lost.get() > 0 {
        return Err(Failure::Run(format!("{} connections were lost", gauge.lost.get())));
    }
    let latency = gauge.latency.borrow();
    let queue = gauge.queue.borrow();
    let milliseconds = |nanos: u64| nanos as f64 / 1e6;
    Ok(Figures {
        clients,
        sent: gauge.sent.get() as f64 / seconds,
        received,
        latency: [0.5, 0.99, 0.999, 1.0].map(|part| milliseconds(latency.value_at_quantile(part))),
        queue: [0.999, 1.0].map(|part| queue.value_at_quantile(part)),
        send_buffer: gauge.send_buffer.get(),
        busiest,
        callbacks: world.callbacks(),
        missed: gauge.due.get() - gauge.received.get(),
        trace: world.trace(),
    })
}

/// Makes a world with the servers and the clients. Returns the servers' nodes.
fn populate(setting: &Setting, clients: u32, gauge: &Rc<Gauge>) -> (World, Vec<NodeId>) {
    let mut world = World::new(setting.seed).link(setting.link).costs(setting.costs);
    let mut servers = Vec::new();
    for server in 0..setting.nodes {
        let (all, gauge) = (setting.nodes, gauge.clone());
        let program =
            move |reactor: &mut Reactor| serve(reactor, all, Site::SIMULATED, &gauge).map(drop);
        servers.push(world.add_node(&name(server), program));
    }
    let first = world.reactor(servers[0]).expect("it has just started");
    let epoch = first.context().now();
    let script = Rc::new(Script::new(setting, clients, epoch, gauge));
    for server in 0..setting.nodes {
        let script = script.clone();
        let node = world.add_node(&format!("clients-{server}"), move |reactor| {
            connect(reactor, server, &script);
            Ok(())
        });
        world.set_costs(node, Costs::NONE);
    }
    (world, servers)
}

/// The head of the table.
pub(crate) const HEADER: &str = concat!(
    "        | lines per second |       ms to the receiver    | lines a turn  |",
    "   send |  busiest |            |\n",
    "clients |   sent  received |    p50    p99  p99.9     max |  p99.9    max |",
    " buffer |   server |  callbacks | trace",
);

/// Formats a row of the table.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, sent, received, latency, queue, send_buffer, callbacks, .. } = self;
        let (queue, longest, busiest) = (queue[0], queue[1], self.busiest * 100.0);
        let [p50, p99, p999, max] = latency;
        write!(f, "{clients:>7} | {sent:>6.1} {received:>9.0} |")?;
        write!(f, " {p50:>6.2} {p99:>6.2} {p999:>6.2} {max:>7.2} |")?;
        write!(
            f,
            " {queue:>6} {longest:>6} | {send_buffer:>6} | {busiest:>6.3} % | {callbacks:>10} | "
        )?;
        f.write_str(&self.trace.to_string()[..8])?;
        match self.missed {
            0 => Ok(()),
            missed => write!(f, "; {missed} lines were not received"),
        }
    }
}
