//! The protocols, on real connections and fed by hand.

mod echo;
mod framing;
mod lines;
#[path = "../support/recorder.rs"]
mod recorder;
#[path = "../support/mod.rs"]
mod support;
