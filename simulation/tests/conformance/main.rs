//! One suite, run over real sockets and in the simulation: whatever a scene's protocols hear must be the
//! same, and it must be what is written here. Where the two differ, the kernel is right.

#![cfg(target_os = "linux")]

#[allow(dead_code)] // Some of it is for those who crash.
#[path = "../support/acting.rs"]
mod acting;
mod actors;
#[allow(dead_code)] // The properties need more of it.
#[path = "../support/books.rs"]
mod books;
mod buffers;
mod connecting;
mod datagrams;
mod ends;
mod flow;
mod ground;
mod groups;
mod listening;
mod log;
mod options;
mod parting;
mod random;
mod reactor;
mod resets;
mod rules;
mod silence;
#[path = "../support/talker.rs"]
mod talker;
mod unix;
mod unix_datagrams;
