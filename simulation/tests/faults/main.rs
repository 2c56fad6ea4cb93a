//! The faults of other event loops, in the simulation.

mod callbacks;
mod connecting;
mod datagrams;
mod lingering;
mod names;
mod pressure;
mod readiness;
#[path = "../support/scripts.rs"]
mod scripts;
mod stopping;
mod streams;
mod time;
mod weeks;
