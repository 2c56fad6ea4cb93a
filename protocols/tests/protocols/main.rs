//! The protocols, on real connections and driven by hand.

mod costs;
mod echo;
mod framing;
mod lines;
mod pauses;
#[path = "../support/recorder.rs"]
mod recorder;
#[path = "../support/mod.rs"]
mod support;
