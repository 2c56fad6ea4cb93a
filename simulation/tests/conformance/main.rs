//! One suite, run over real sockets and in the simulation: whatever a scene's protocols hear must be the
//! same, and it must be what is written here. Where the two differ, the kernel is right.

#![cfg(target_os = "linux")]

mod actors;
mod buffers;
mod connecting;
mod datagrams;
mod ends;
mod flow;
mod ground;
mod groups;
mod listening;
mod log;
#[allow(dead_code)] // The properties need more of it.
#[path = "../support/model.rs"]
mod model;
#[allow(dead_code)] // Some of it is for those who crash.
#[path = "../support/operations.rs"]
mod operations;
mod options;
mod parting;
#[path = "../support/protocol_state.rs"]
mod protocol_state;
mod random;
#[path = "../support/random_protocol.rs"]
mod random_protocol;
mod reactor;
mod resets;
mod rules;
mod silence;
mod unix;
mod unix_datagrams;
