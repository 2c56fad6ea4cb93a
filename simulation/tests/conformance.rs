//! One suite, run over real sockets and in the simulation: whatever a scene's protocols hear must be the
//! same, and it must be what is written here. Where the two differ, the kernel is right.

#![cfg(target_os = "linux")]

#[allow(dead_code)] // Some of it is for those who crash.
#[path = "support/acting.rs"]
mod acting;
#[path = "conformance/actors.rs"]
mod actors;
#[allow(dead_code)] // The properties need more of it.
#[path = "support/books.rs"]
mod books;
#[path = "conformance/buffers.rs"]
mod buffers;
#[path = "conformance/connecting.rs"]
mod connecting;
#[path = "conformance/datagrams.rs"]
mod datagrams;
#[path = "conformance/ends.rs"]
mod ends;
#[path = "conformance/flow.rs"]
mod flow;
#[path = "conformance/ground.rs"]
mod ground;
#[path = "conformance/groups.rs"]
mod groups;
#[path = "conformance/listening.rs"]
mod listening;
#[path = "conformance/log.rs"]
mod log;
#[path = "conformance/options.rs"]
mod options;
#[path = "conformance/parting.rs"]
mod parting;
#[path = "conformance/random/mod.rs"]
mod random;
#[path = "conformance/reactor.rs"]
mod reactor;
#[path = "conformance/resets.rs"]
mod resets;
#[path = "conformance/rules.rs"]
mod rules;
#[path = "conformance/silence.rs"]
mod silence;
#[path = "support/talker.rs"]
mod talker;
#[path = "conformance/unix.rs"]
mod unix;
#[path = "conformance/unix_datagrams.rs"]
mod unix_datagrams;
