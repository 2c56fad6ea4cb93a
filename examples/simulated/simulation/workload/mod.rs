//! A workload for the chat in the simulation: a server and clients on other nodes, with checks of the lines that the
//! clients receive under any faults.
//!
//! An observer for each room is connected to the server over a Unix socket, which no network fault reaches. It records
//! the lines of the room in order. The lines that a client receives in a room must be a part of that record without
//! gaps, except for its own lines.

mod client;
mod observer;
mod record;

use client::Client;
use record::Record;
use ropewalk_simulation::{NodeId, Plan, Random, World};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

const ROOMS: [&str; 4] = ["lobby", "red", "green", "blue"];

/// The number of clients on a node.
const CLIENTS: u32 = 3;

/// The time until everything is delivered or given up: longer than the system retransmits data.
const DRAIN: Duration = Duration::from_secs(1200);

/// The numbers of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Report {
    pub(crate) connections: u64,
    pub(crate) failed: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) private: u64,
    pub(crate) lost: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, failed, sent, received, private, lost } = self;
        writeln!(
            f,
            "connections       {connections:>9}  ({failed} attempts failed, {lost} were lost)"
        )?;
        writeln!(f, "lines sent        {sent:>9}")?;
        writeln!(f, "lines received    {received:>9}")?;
        write!(f, "private lines     {private:>9}")
    }
}

/// The state that the clients, the observers and the checks share.
#[derive(Clone, Debug, Default)]
struct Shared {
    record: Rc<RefCell<Record>>,
    /// True when clients send no new lines.
    is_ending: Rc<Cell<bool>>,
    /// The last number. Numbers are unique, so that no two connections and no two lines are equal.
    numbers: Rc<Cell<u64>>,
}

impl Shared {
    fn number(&self) -> u64 {
        self.numbers.set(self.numbers.get() + 1);
        self.numbers.get()
    }

    fn update<T>(&self, update: impl FnOnce(&mut Record) -> T) -> T {
        update(&mut self.record.borrow_mut())
    }
}

/// Runs the workload in the empty `world`: a server and `nodes` nodes with clients.
///
/// # Errors
///
/// Fails if a client has received a line that it should not receive, or has missed one.
pub(crate) fn run(
    world: &mut World,
    nodes: u32,
    plan: &Plan,
    length: Duration,
) -> Result<Report, String> {
    let shared = Shared::default();
    let all = add_nodes(world, nodes, &shared);
    world.add_faults(plan);
    world.run_for(length);
    // All lines are delivered to the clients that are still connected.
    shared.is_ending.set(true);
    world.run_for(DRAIN);
    if let Some(reactor) = world.reactor(all[0]) {
        let observers = shared.update(|record| record.observers.clone());
        observers
            .iter()
            .for_each(|observer| reactor.context().transport(*observer).write(b"/who\n"));
    }
    world.run_for(Duration::from_secs(1));
    shared.update(|record| record.check())?;
    for node in all {
        if let Some(reactor) = world.reactor(node) {
            reactor.context().stop();
        }
    }
    world.run_for(DRAIN);
    match world.connections() {
        0 => Ok(shared.record.borrow().report),
        left => Err(format!("{left} connections are left in the network")),
    }
}

/// Adds the nodes. The first is the server's.
fn add_nodes(world: &mut World, nodes: u32, shared: &Shared) -> Vec<NodeId> {
    let seed = world.seed();
    let server = shared.clone();
    let mut all = vec![world.add_node("server", move |reactor| observer::serve(reactor, &server))];
    for node in 1..=nodes {
        let shared = shared.clone();
        all.push(world.add_node(&format!("node{node}"), move |reactor| {
            for client in 0..CLIENTS {
                let random = Random::new(seed ^ u64::from(node * CLIENTS + client) << 20);
                let name = format!("n{node}c{client}");
                Client::new(&name, random, &shared).connect_later(reactor.context());
            }
            Ok(())
        }));
    }
    all
}
