//! The same protocols in a simulated world.
//!
//! A protocol is a function of what happens to it. Here everything happens that can happen to it, as fast as
//! the processor goes, and again from the same seed: a [`World`] has any number of nodes, each with a reactor
//! of its own that runs the code of the real one, a network between them with every [`Fault`] that a network
//! can commit, and clocks that go as fast as things happen. Protocols, factories and timers run unchanged,
//! and cannot tell.
//!
//! # Where to find what
//!
//! | You want to | see |
//! |---|---|
//! | test one protocol, or a client with a server | the testing [`kit`] |
//! | play a system, many nodes of it | [`World`] |
//! | have things go wrong | [`Plan`], [`FaultKind`] |
//! | see what happened | [`World::on_record`], [`Record`] |
//! | play it from many seeds | [`Exploration`] |
//! | know that two runs went the same way | [`twice()`], [`World::trace`] |
//! | find what a failure needs | [`shrink()`] |
//! | learn what is found, and what a check misses | the chapter [`finding_bugs`] |
//!
//! # How it works
//!
//! The reactor reaches the system through one narrow place ([`ropewalk::backend`]); here stands another world
//! in its stead. One agenda holds all that is going to happen, in the order of its time, and what is due
//! at the same instant in the order in which it was planned. There are no threads. Each connection, each
//! datagram socket and each plan of faults draws from a stream of random numbers of its own, so that
//! taking one fault out leaves the rest as it was.
//!
//! | File | What |
//! |---|---|
//! | `world/` | nodes, the loop, outages, faults and panics |
//! | `schedule.rs` | what is going to happen, in order |
//! | `backend.rs` | the world, as a reactor sees it |
//! | `node.rs`, `unix_names.rs`, `conditions.rs` | hosts, their names and clocks, and what the network and the system do to them |
//! | `net/` | the network: `connection.rs` (what a connection is), `direction.rs`, `transmission.rs`, `arrival.rs` (segments and loss), `probes.rs` (windows, keep-alive), `stream.rs`, `transfer.rs` (sockets of connections), `uplink.rs` (bandwidth), `turns.rs` (costs and turns), `listener.rs`, `datagram/`, `option.rs`, `error.rs` |
//! | `fault.rs`, `plan.rs` | what can go wrong, and plans of it |
//! | `active_faults.rs` | what follows from all that are in force |
//! | `explore.rs`, `selection.rs` | the same from many seeds, and which of it is to be played |
//! | `failure.rs`, `shrink.rs` | what has failed, and the least that still fails |
//! | `finding_bugs.rs` | a chapter on what all this finds |
//! | `trace.rs`, `twice.rs` | what happened, as lines and as a hash, and whether it does again |
//! | `random.rs` | chance, from a seed |
//! | `kit/` | the testing kit: `harness.rs` (a world in which nothing takes time), `test_end.rs` (the test's end), `recording.rs` (what the protocols are told), `connection.rs`, `observing.rs`, `server.rs`, `reconnecting.rs`, `pair.rs`, `split.rs` |

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

pub use conditions::{Costs, Link};
pub use explore::Exploration;
pub use fault::{Fault, FaultKind};
pub use node::NodeId;
pub use plan::{Plan, Planned, kinds};
pub use random::Random;
pub use selection::seeds;
pub use shrink::shrink;
pub use trace::{Record, TraceHash, What};
pub use twice::{Divergence, twice};
pub use world::World;
