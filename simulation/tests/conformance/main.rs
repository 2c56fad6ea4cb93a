//! Conformance of the simulation: the same scenarios run on real sockets and in the simulation, and the callbacks
//! must be the same, and as expected here. If they differ, the kernel is right.

#![cfg(target_os = "linux")]

mod actors;
mod buffers;
mod connecting;
mod datagrams;
mod ends;
mod environment;
mod flow;
mod groups;
mod listening;
mod log;
#[allow(dead_code)] // The property tests use all of it.
#[path = "../support/model.rs"]
mod model;
#[allow(dead_code)] // Only crashes use some of it.
#[path = "../support/operations.rs"]
mod operations;
mod options;
mod partition;
#[path = "../support/protocol_state.rs"]
mod protocol_state;
mod random;
#[path = "../support/random_protocol.rs"]
mod random_protocol;
mod reactor;
mod resets;
mod retransmission;
mod rules;
mod unix;
mod unix_datagrams;
