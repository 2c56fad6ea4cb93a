//! The exhibits, in the order of the README: readiness, accepting, writing, ends, timers, threads, callbacks.

mod accept_not_looped;
mod blocking_callback;
mod borrowed_twice;
mod cancelled_sibling_fires;
mod cancelled_timers_leak;
mod channel_starves_sockets;
mod clock_jumps;
mod edge_not_drained;
mod emfile_spin;
mod eperm_on_file;
mod half_close_is_close;
mod hang_up_with_data;
mod id_reused;
mod lost_wake_up;
mod partial_write;
mod rounded_wait;
mod rst_eats_reply;
mod unbounded_send_buffer;
mod zero_delay_timer;

use crate::Exhibit;

/// All exhibits.
pub static EXHIBITS: &[Exhibit] = &[
    edge_not_drained::EXHIBIT,
    eperm_on_file::EXHIBIT,
    id_reused::EXHIBIT,
    accept_not_looped::EXHIBIT,
    emfile_spin::EXHIBIT,
    partial_write::EXHIBIT,
    unbounded_send_buffer::EXHIBIT,
    hang_up_with_data::EXHIBIT,
    half_close_is_close::EXHIBIT,
    rst_eats_reply::EXHIBIT,
    cancelled_timers_leak::EXHIBIT,
    cancelled_sibling_fires::EXHIBIT,
    zero_delay_timer::EXHIBIT,
    rounded_wait::EXHIBIT,
    clock_jumps::EXHIBIT,
    lost_wake_up::EXHIBIT,
    channel_starves_sockets::EXHIBIT,
    blocking_callback::EXHIBIT,
    borrowed_twice::EXHIBIT,
];
