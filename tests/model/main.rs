//! Operations at random on connections over real sockets, compared with a model of what must arrive:
//! writes, write marks, producers, files, slow readers, descriptors, half-closes, closes, resets, panics and
//! stops. Every byte that arrives is the one that the model expects, an orderly end comes behind the last of
//! them, no callback comes that may not, and every connection ends.
//!
//! | Variable | What it does |
//! |---|---|
//! | `ROPEWALK_SEEDS` | other seeds: one, as in `17`, or from one up to another, as in `0..20000` |
//!
//! What the system does between two turns is not drawn from the seed, so a seed may have to be played
//! several times until it fails again.

#![cfg(unix)]

mod actor;
mod expected;
mod model;
mod operations;
mod play;
mod raw;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/unix.rs"]
mod unix;

use ropewalk_simulation::seeds;

#[test]
fn whatever_is_done_in_whatever_order_what_was_written_arrives_and_all_ends() {
    for seed in seeds(0..300) {
        if let Err(wrong) = play::play(seed) {
            panic!("{wrong}\nseed {seed}: to play it again, set ROPEWALK_SEEDS={seed}");
        }
    }
}
