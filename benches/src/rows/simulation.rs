//! The `simulation` row: simulated callbacks a second, and the nodes and connections that fit in
//! memory.

use super::sample::median;
use crate::Options;
use crate::child::resident;
use crate::system::OnLoadProcessor;
use crate::table::{Table, grouped};
use ropewalk::{Error, Protocol, Reactor, Transport};
use ropewalk_simulation::World;
use std::error::Error as StdError;
use std::time::{Duration, Instant};

/// The size of the simulation that must fit.
const NODES: usize = 10_000;
const CONNECTIONS: usize = 100_000;

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.write(data);
    }
}

/// Starts the ping-pong.
struct Ping;

impl Protocol for Ping {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.write(&[b'x'; 64]);
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.write(data);
    }
}

/// A silent protocol.
struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

fn serve(reactor: &mut Reactor) -> Result<(), Error> {
    reactor.listen_tcp("0.0.0.0:7000", || Echo).map(drop)
}

pub(crate) fn measure(options: &Options) -> Result<Vec<Table>, Box<dyn StdError>> {
    let _pinned = OnLoadProcessor::enter()?;
    Ok(vec![speed(options), memory(options)?])
}

fn speed(options: &Options) -> Table {
    let columns = ["connections", "callbacks/s", "simulated s a second"];
    let mut table = Table::new("Simulation: ping-pong of 64 bytes", &columns);
    let callbacks = if options.quick { 300_000 } else { 3_000_000 };
    for connections in [1, 50, 1000] {
        let rounds: Vec<_> =
            (0..options.rounds).map(|_| ping_pong(connections, callbacks)).collect();
        let rate = median(rounds.iter().map(|(rate, _)| *rate).collect());
        let pace = median(rounds.iter().map(|(_, pace)| *pace).collect());
        table.rows.push(vec![grouped(connections as f64), grouped(rate), format!("{pace:.1}")]);
    }
    table.notes.push(format!(
        "{} callbacks a round on one processor, with the hash of the trace; two nodes, 100 to 150 µs \
         apart.",
        grouped(callbacks as f64)
    ));
    table
}

/// Returns callbacks a second, and simulated seconds for each real second.
fn ping_pong(connections: usize, callbacks: u64) -> (f64, f64) {
    let mut world = World::new(1);
    world.add_node("server", serve);
    world.add_node("client", move |reactor| {
        (0..connections).try_for_each(|_| reactor.connect_tcp("server:7000", || Ping).map(drop))
    });
    let begin = Instant::now();
    while world.callbacks() < callbacks && world.step() {}
    let took = begin.elapsed().as_secs_f64();
    (world.callbacks() as f64 / took, world.now().as_secs_f64() / took)
}

fn memory(options: &Options) -> Result<Table, Box<dyn StdError>> {
    let (nodes, connections) = match options.quick {
        true => (NODES / 10, CONNECTIONS / 10),
        false => (NODES, CONNECTIONS),
    };
    let columns = ["nodes", "connections", "resident MB", "bytes a connection", "made in s"];
    let mut table = Table::new("Simulation: nodes and connections in memory", &columns);
    let before = resident("self")?;
    let begin = Instant::now();
    let mut world = World::new(1);
    for node in 0..nodes {
        world.add_node(&format!("node{node}"), serve);
    }
    let each = connections / nodes;
    let of_nodes = resident("self")? - before;
    for node in world.nodes().collect::<Vec<_>>() {
        let Some(reactor) = world.reactor(node) else { continue };
        for other in 1..=each {
            let name = format!("node{}:7000", (node.index() + other) % nodes);
            reactor.connect_tcp(name, || Quiet)?;
        }
    }
    world.run_for(Duration::from_secs(1));
    let (all, took) = (resident("self")? - before, begin.elapsed().as_secs_f64());
    assert_eq!(world.connections(), each * nodes, "all connected");
    table.rows.push(vec![
        grouped(nodes as f64),
        grouped((each * nodes) as f64),
        format!("{:.0}", all as f64 / 1e6),
        grouped((all - of_nodes) as f64 / (each * nodes) as f64),
        format!("{took:.1}"),
    ]);
    table
        .notes
        .push("The memory includes both ends of each connection, with their protocols.".into());
    Ok(table)
}
