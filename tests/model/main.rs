//! Random operations on connections over real sockets, compared with a model of what must arrive: writes, marks,
//! producers, files, slow readers, descriptors, half-closes, closes, resets, panics and stops. Every byte that
//! arrives is the expected one, an orderly end follows the last of them, no callback is out of place, and every
//! connection ends.
//!
//! | Variable | Effect |
//! |---|---|
//! | `ROPEWALK_SEEDS` | other seeds: one, as in `17`, or from one up to another, as in `0..20000` |
//!
//! The seed does not decide what the system does between two turns, so a failing seed may need several runs to
//! fail again.

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
fn random_operations_lose_no_byte_and_all_end() {
    for seed in seeds(0..300) {
        if let Err(wrong) = play::play(seed) {
            panic!("{wrong}\nseed {seed}: to repeat it, set ROPEWALK_SEEDS={seed}");
        }
    }
}
