//! Deterministic simulation of networks and nodes for [Ropewalk](ropewalk).
//!
//! A [`World`] has any number of nodes, each with a reactor of its own that runs the same code as on real sockets,
//! a network between them with every kind of [`Fault`], and simulated clocks. Everything is repeated exactly from
//! the same seed. Protocols, factories and timers run unchanged.
//!
//! # Where to start
//!
//! | To | see |
//! |---|---|
//! | test one protocol, or a client with a server | the testing [`kit`] |
//! | simulate a system of many nodes | [`World`] |
//! | inject faults | [`Plan`], [`FaultKind`] |
//! | see what happened | [`World::on_record`], [`Record`] |
//! | run from many seeds | [`Exploration`] |
//! | check that two runs are identical | [`twice()`], [`World::trace`] |
//! | find the fewest faults that cause a failure | [`shrink()`] |
//! | learn what the simulation finds, and what a check misses | the chapter [`finding_bugs`] |
//!
//! # How it works
//!
//! The reactor reaches the system through one trait ([`ropewalk::backend`]); this crate implements it. One
//! schedule holds all future events, ordered by time, and events of the same instant in the order in which they
//! were scheduled. There are no threads. Each connection, each datagram socket and each plan of faults draws from
//! a random stream of its own, so removing one fault leaves the rest unchanged.
//!
//! | File | Contents |
//! |---|---|
//! | `world/` | nodes, the event loop, outages, faults, panics |
//! | `schedule.rs` | future events, ordered |
//! | `backend.rs` | the backend of a node's reactor |
//! | `node.rs`, `unix_names.rs`, `conditions.rs` | hosts: names, addresses, ports, clocks; network and system conditions |
//! | `net/` | the network: `connection.rs`, `direction.rs`, `transmission.rs`, `arrival.rs` (connections and segments), `probes.rs` (windows, keep-alive), `stream.rs`, `transfer.rs`, `listener.rs`, `datagram/` (sockets), `uplink.rs` (bandwidth), `turns.rs` (costs and turns), `names.rs` (look-ups), `thread_job.rs` (jobs), `process/` (processes), `option.rs`, `error.rs` |
//! | `fault.rs`, `plan.rs` | faults, and plans of faults |
//! | `active_faults.rs` | the combined effects of the faults in force |
//! | `explore.rs`, `selection.rs` | runs from many seeds, and the selection by environment variables |
//! | `failure.rs`, `shrink.rs` | reports of failures, and their reduction |
//! | `finding_bugs.rs` | a chapter on what the simulation finds |
//! | `trace.rs`, `twice.rs` | records, their hash, and the comparison of two runs |
//! | `random.rs` | random numbers from a seed |
//! | `kit/` | the testing kit: `harness.rs` (a world without latency), `test_end.rs` (the test's end of a connection), `recording.rs` (recorded callbacks), `connection.rs`, `observing.rs`, `server.rs`, `reconnecting.rs`, `pair.rs`, `split.rs` |

mod active_faults;
mod backend;
mod conditions;
mod explore;
mod failure;
mod fault;
pub mod finding_bugs;
pub mod kit;
mod net;
mod node;
mod plan;
mod random;
mod schedule;
mod selection;
mod shrink;
mod trace;
mod twice;
#[cfg(unix)]
mod unix_names;
mod world;

pub use backend::NodeBackend;
pub use conditions::{Costs, Link};
pub use explore::Exploration;
pub use fault::{Fault, FaultKind};
pub use net::NameAnswer;
#[cfg(all(unix, feature = "process"))]
pub use net::SimulatedProgram;
pub use node::NodeId;
pub use plan::{Plan, Planned, kinds};
pub use random::Random;
pub use selection::seeds;
pub use shrink::shrink;
pub use trace::{Record, TraceHash, What};
pub use twice::{Divergence, twice};
pub use world::World;
