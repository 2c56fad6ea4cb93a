//! Memory that a burst leaves behind. The test runs in a child, since it measures the whole process.

use crate::script::{Script, Wire};
use crate::support::*;
use ropewalk::{Protocol, Transport};
use std::time::Duration;

struct Silent;

impl Protocol for Silent {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

/// Returns the resident memory of this process, in KiB.
fn resident() -> usize {
    memory_of("self", "VmRSS") / 1024
}

/// Makes `connections` connections, queues `chunks` chunks on each, and ends them. Asserts that
/// their memory is returned.
#[track_caller]
fn assert_returned(connections: usize, chunks: usize) {
    let (script, mut reactor) = Script::new();
    reactor.listen_tcp("10.0.0.1:7000", || Silent).unwrap();
    let wires: Vec<_> = (0..connections).map(|_| Wire::default()).collect();
    script.accept(wires.iter().cloned().map(Ok));
    while reactor.context().statistics().made < connections as u64 {
        turn(&mut reactor);
    }
    let before = resident();
    // One chunk to each connection in turn, as in a broadcast.
    for _ in 0..chunks {
        wires.iter().for_each(|wire| reactor.context().transport(wire.id()).write(&[0; 2_000]));
        turn(&mut reactor);
    }
    assert!(resident() > before + connections * chunks * 2_000 / 1024);
    // These allocations lie above the queued data in memory, and stay.
    let timers: Vec<_> =
        (0..100).map(|_| reactor.context().call_later(Duration::from_secs(60), |_| {})).collect();
    wires.iter().for_each(|wire| reactor.context().abort(wire.id()));
    while reactor.context().statistics().lost() < connections as u64 {
        turn(&mut reactor);
    }
    assert_eq!(timers.len(), 100);
    let after = resident();
    // The first 2 KiB of each queue lie in the allocator's heap, which may keep them.
    let most = 2 * before + 2 * connections;
    assert!(after <= most, "{before} KiB before, {after} KiB after");
}

#[test]
fn burst_memory_returns_to_the_system() {
    if !is_child() {
        in_child(this_test!(), &[]);
        return;
    }
    // Short messages to many connections, and much data to fewer.
    assert_returned(10_000, 3);
    assert_returned(2_000, 64);
}
