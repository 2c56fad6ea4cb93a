//! The exhibits, in the order of the README: readiness, accepting, writing, ends, timers, threads, callbacks.

mod accept_not_looped;
mod edge_not_drained;
mod id_reused;
mod partial_write;
mod rst_eats_reply;

use crate::Exhibit;

/// All exhibits.
pub static EXHIBITS: &[Exhibit] = &[
    edge_not_drained::EXHIBIT,
    accept_not_looped::EXHIBIT,
    id_reused::EXHIBIT,
    partial_write::EXHIBIT,
    rst_eats_reply::EXHIBIT,
];
