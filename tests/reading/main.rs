//! Received data: all of it, in order, and only while reading is enabled.

mod delivery;
mod ends;
mod pausing;
#[path = "../support/mod.rs"]
mod support;

use ropewalk::Transport;
use support::*;

/// Returns a hook that pauses reading on the first data.
fn pause_once() -> impl FnMut(&mut Transport<'_>, &Event) + Clone + 'static {
    let mut paused = false;
    move |transport, event| {
        if matches!(event, Event::Data(_)) && !paused {
            paused = true;
            transport.pause();
            assert!(transport.is_paused());
        }
    }
}
