//! Fairness: every kind of work is bounded in a turn, and nothing starves.

mod budgets;
mod chains;
mod floods;
mod pending;
#[cfg(unix)]
#[path = "../support/producers.rs"]
mod producers;
#[path = "../support/datagrams.rs"]
mod recorder;
#[path = "../support/script/mod.rs"]
mod script;
#[path = "../support/mod.rs"]
mod support;
#[cfg(unix)]
#[path = "../support/unix.rs"]
mod unix;
mod work;
