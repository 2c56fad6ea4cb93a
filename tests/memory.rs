//! What a burst leaves behind. Alone in its program, since it looks at the memory of the whole of it.
#![cfg(target_os = "linux")]

#[path = "support/script.rs"]
mod script;

use ropewalk::{Protocol, Reactor, Transport};
use script::{Script, Wire};
use std::time::Duration;

const CONNECTIONS: usize = 2_000;

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

#[test]
fn the_memory_of_a_burst_goes_back_to_the_system_when_its_readers_are_gone() {
    let (script, mut reactor) = Script::new();
    reactor.listen_tcp("10.0.0.1:7000", || Silent).unwrap();
    // Their sockets take nothing.
    let wires: Vec<_> = (0..CONNECTIONS).map(|_| Wire::default()).collect();
    script.accept(wires.iter().cloned().map(Ok));
    while reactor.context().statistics().made < CONNECTIONS as u64 {
        turn(&mut reactor);
    }
    let before = resident();
    // A piece to each of them in turn, as a broadcast does.
    for _ in 0..64 {
        wires.iter().for_each(|wire| reactor.context().write(wire.id(), &[0; 2_000]));
        turn(&mut reactor);
    }
    assert!(resident() > before + CONNECTIONS * 128_000 / 1024);
    // What is allocated now lies above what waited, and stays.
    let timers: Vec<_> =
        (0..100).map(|_| reactor.context().call_later(Duration::from_secs(60), |_| {})).collect();
    wires.iter().for_each(|wire| reactor.context().abort(wire.id()));
    turn(&mut reactor);
    assert_eq!(timers.len(), 100);
    let after = resident();
    assert!(after <= 2 * before, "{before} KiB before, {after} KiB after");
}
