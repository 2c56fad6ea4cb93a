//! Programs that are recorded and replayed: the callbacks must be the same.

mod damage;
mod datagrams;
mod differences;
mod names;
#[cfg(all(unix, feature = "process"))]
mod processes;
mod redaction;
#[cfg(unix)]
mod signals;
mod simulated;

mod streams;
mod support;
mod threads;
