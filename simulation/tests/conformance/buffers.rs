//! How much a socket holds that nobody receives. Kernels differ a little in what a datagram takes of it.

use crate::actors::silent;
use crate::ground::{Client, Server, apart};
use ropewalk::{DatagramOptions, SocketOption};
use std::ops::RangeInclusive;

/// How many datagrams of a length wait at a socket that is sent many more, with this option.
#[track_caller]
fn held(length: usize, option: Option<SocketOption>, expected: RangeInclusive<usize>) {
    let line = format!("server: as many as expected, {expected:?}");
    apart(&["client: started", &line], |ground| {
        let options = match &option {
            Some(option) => DatagramOptions::new().option(option.clone()),
            None => DatagramOptions::new(),
        };
        let address = (ground.ip(Server), 0);
        let port = ground.bind_with(Server, "server", address, &options, silent).unwrap();
        let client = ground.bind(Client, "client", silent);
        ground.settle();
        ground.hold(Server);
        for _ in 0..1000 {
            ground
                .at(Client)
                .datagram(client.id())
                .send_to(&vec![b'x'; length], port.address().clone());
        }
        ground.release();
        ground.settle();
        let count = ground.log().take("server").len() - 1;
        let fits = if expected.contains(&count) { "as many as expected" } else { "others" };
        let more =
            if expected.contains(&count) { format!("{expected:?}") } else { count.to_string() };
        ground.note("server", fits);
        ground.note("server", more);
    });
}

#[test]
fn datagrams_take_memory_beside_their_bytes() {
    held(1, None, 200..=300);
    held(500, None, 140..=190);
    held(1000, None, 80..=100);
    held(5000, None, 22..=27);
    held(20_000, None, 9..=11);
}

#[test]
fn one_datagram_fits_into_the_smallest_buffer() {
    held(5000, Some(SocketOption::ReceiveBuffer(1000)), 1..=1);
    held(1, Some(SocketOption::ReceiveBuffer(20_000)), 40..=55);
}
