//! Sent data: all of it, in order, within limits, and how sending ends.

mod chunks;
mod closing;
mod drop_oldest;
mod gathering;
mod limits;
mod marks;
#[cfg(target_os = "linux")]
mod memory;
mod numbered;
mod order;
mod resets;
#[path = "../support/script/mod.rs"]
mod script;
mod short_writes;
mod slow_readers;
mod statistics;
#[path = "../support/mod.rs"]
mod support;

use ropewalk::Transport;
use std::io::Read;
use std::net::TcpStream;
use std::thread;
use support::*;

/// Reads to the end in another thread.
fn reading(mut client: TcpStream) -> thread::JoinHandle<std::io::Result<Vec<u8>>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        client.read_to_end(&mut all).map(|_| all)
    })
}

/// Returns a hook that runs `act` in `data_received`.
fn on_data(
    act: impl Fn(&mut Transport<'_>) + Clone + 'static,
) -> impl FnMut(&mut Transport<'_>, &Event) + Clone + 'static {
    move |transport, event| {
        if matches!(event, Event::Data(_)) {
            act(transport);
        }
    }
}
