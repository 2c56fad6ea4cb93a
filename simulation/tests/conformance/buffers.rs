//! Sizes of sockets' buffers. Kernels differ slightly in the memory of a datagram.

use crate::actors::silent;
use crate::environment::{Client, Server, run_with_two_reactors};
use ropewalk::{DatagramOptions, SocketOption};
use std::ops::RangeInclusive;

/// Returns how many datagrams of a length a socket queues with this option.
#[track_caller]
fn held(length: usize, option: Option<SocketOption>, expected: RangeInclusive<usize>) {
    let line = format!("server: as many as expected, {expected:?}");
    run_with_two_reactors(&["client: started", &line], |environment| {
        let options = match &option {
            Some(option) => DatagramOptions::new().option(option.clone()),
            None => DatagramOptions::new(),
        };
        let address = (environment.ip(Server), 0);
        let port = environment.bind_with(Server, "server", address, &options, silent).unwrap();
        let client = environment.bind(Client, "client", silent);
        environment.settle();
        environment.hold(Server);
        for _ in 0..1000 {
            environment
                .at(Client)
                .datagram(client.id())
                .send_to(&vec![b'x'; length], port.address().clone());
        }
        environment.release();
        environment.settle();
        let count = environment.log().take("server").len() - 1;
        let fits = if expected.contains(&count) { "as many as expected" } else { "others" };
        let more =
            if expected.contains(&count) { format!("{expected:?}") } else { count.to_string() };
        environment.note("server", fits);
        environment.note("server", more);
    });
}

#[test]
fn datagrams_take_additional_memory() {
    held(1, None, 200..=300);
    held(500, None, 140..=190);
    held(1000, None, 80..=100);
    held(5000, None, 22..=27);
    held(20_000, None, 9..=11);
}

#[test]
fn the_smallest_buffer_holds_one_datagram() {
    held(5000, Some(SocketOption::ReceiveBuffer(1000)), 1..=1);
    held(1, Some(SocketOption::ReceiveBuffer(20_000)), 40..=55);
}
