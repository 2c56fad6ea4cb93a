//! The simulated world: nodes, their costs, faults, and panics.

mod costs;
mod handles;
mod jobs;
mod journals;
mod nodes;
mod outages;
mod overlaps;
mod panics;
mod replaying;
#[allow(dead_code)] // The tests of faults use all of it.
#[path = "../support/scripts.rs"]
mod scripts;
