//! A reactor inside another loop: its descriptor and its timeout.

use crate::support::*;
use ropewalk::{Context, Id, Interest, Reactor, Watcher};
use std::cell::Cell;
use std::io::Write;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::time::Duration;

/// A reactor that turns when its descriptor is readable.
struct Inner {
    reactor: Reactor,
    turns: Rc<Cell<usize>>,
}

impl Watcher for Inner {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.reactor.descriptor().unwrap()
    }

    fn readable(&mut self, _context: &mut Context, _id: Id) {
        self.turns.set(self.turns.get() + 1);
        self.reactor.turn(Some(Duration::ZERO)).unwrap();
    }
}

/// Returns a reactor that watches another one, and the number of turns that the other one has made.
fn nested(mut inner: Reactor) -> (Reactor, Rc<Cell<usize>>) {
    inner.turn(Some(Duration::ZERO)).unwrap();
    let turns = Rc::new(Cell::new(0));
    let mut outer = Reactor::new().unwrap();
    let watcher = Inner { reactor: inner, turns: Rc::clone(&turns) };
    outer.context().watch(watcher, Interest::Readable).unwrap();
    (outer, turns)
}

#[test]
fn embedded_reactor_serves_its_connections() {
    let log = Log::default();
    let (inner, address) = up(recorders(&log, echo));
    let (mut outer, _) = nested(inner);
    let mut client = client(address);
    for _ in 0..10 {
        client.write_all(b"ping").unwrap();
        assert_eq!(read_turning(&mut outer, &client, 4), b"ping");
    }
    drop(client);
    turn_until(&mut outer, "lost", |_| log.lost() == 1);
}

#[test]
fn descriptor_is_readable_only_with_events() {
    let (inner, turns) = {
        let reactor = Reactor::new().unwrap();
        let handle = reactor.handle();
        let (outer, turns) = nested(reactor);
        ((outer, handle), turns)
    };
    let (mut outer, handle) = inner;
    for _ in 0..3 {
        outer.turn(Some(Duration::ZERO)).unwrap();
    }
    assert_eq!(turns.get(), 0);
    handle.call(|_| {}).unwrap();
    turn_until(&mut outer, "woken", |_| turns.get() > 0);
    let seen = turns.get();
    for _ in 0..3 {
        outer.turn(Some(Duration::ZERO)).unwrap();
    }
    assert!(turns.get() <= seen + 1, "the descriptor stays readable");
}
