//! Memory that a burst leaves behind. The test runs in a child, since it measures the whole process.

use crate::script::{Script, Wire};
use crate::support::*;
use ropewalk::{Protocol, Reactor, Transport};
use std::time::Duration;

struct Silent;

impl Protocol for Silent {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

/// How much memory this process has, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn turn(reactor: &mut Reactor) {
    reactor.turn(Some(Duration::ZERO)).unwrap();
}

/// So many connections are made, sent so many pieces that their sockets do not take, and ended.
#[track_caller]
fn goes_back(connections: usize, pieces: usize) {
    let (script, mut reactor) = Script::new();
    reactor.listen_tcp("10.0.0.1:7000", || Silent).unwrap();
    let wires: Vec<_> = (0..connections).map(|_| Wire::default()).collect();
    script.accept(wires.iter().cloned().map(Ok));
    while reactor.context().statistics().made < connections as u64 {
        turn(&mut reactor);
    }
    let before = resident();
    // A piece to each of them in turn, as a broadcast does.
    for _ in 0..pieces {
        wires.iter().for_each(|wire| reactor.context().write(wire.id(), &[0; 2_000]));
        turn(&mut reactor);
    }
    assert!(resident() > before + connections * pieces * 2_000 / 1024);
    // What is allocated now lies above what waited, and stays.
    let timers: Vec<_> =
        (0..100).map(|_| reactor.context().call_later(Duration::from_secs(60), |_| {})).collect();
    wires.iter().for_each(|wire| reactor.context().abort(wire.id()));
    while reactor.context().statistics().lost() < connections as u64 {
        turn(&mut reactor);
    }
    assert_eq!(timers.len(), 100);
    let after = resident();
    // The first 2 KiB of each lie in the allocator's heap, which may keep them.
    let most = 2 * before + 2 * connections;
    assert!(after <= most, "{before} KiB before, {after} KiB after");
}

#[test]
fn burst_memory_returns_to_the_system() {
    if !is_child() {
        in_child(this_test!(), &[]);
        return;
    }
    // A few lines to a crowd, and much to fewer.
    goes_back(10_000, 3);
    goes_back(2_000, 64);
}
