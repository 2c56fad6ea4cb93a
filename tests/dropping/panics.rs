//! Values that panic when they are dropped.

use crate::LATER;
use crate::support::*;
use ropewalk::{
    Address, Context, DatagramProtocol, DatagramTransport, Factory, Producer, Protocol, Reactor,
    ReactorGone, Reason, Sender, Transport,
};
use std::cell::Cell;
use std::io::Write;
use std::panic::panic_any;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Panics when it is dropped, with a payload that does the same.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic_any(Spark);
    }
}

struct Spark;

impl Drop for Spark {
    fn drop(&mut self) {
        panic!("a panic on purpose");
    }
}

impl Protocol for Bomb {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let producer = Self(Arc::clone(&self.0));
        transport.register_push_producer(producer).expect("it is the first");
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

impl DatagramProtocol for Bomb {
    fn datagram_received(&mut self, _: &mut DatagramTransport<'_>, _: &[u8], _: &Address) {}
}

impl Producer for Bomb {
    fn resume_producing(&mut self, _transport: &mut Transport<'_>) {}
}

impl Factory for Bomb {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(Self(Arc::clone(&self.0))))
    }
}

/// Returns a reactor that holds two bombs of each kind, and their number.
fn full_of(count: &Arc<AtomicUsize>) -> (Reactor, Sender<Bomb>, usize) {
    let bomb = || Bomb(Arc::clone(count));
    let (mut reactor, address) = up(bomb());
    let clients = [client(address), client(address)];
    turn_until(&mut reactor, "made", |reactor| reactor.context().connections().count() == 2);
    turns(&mut reactor, 2);
    drop(clients);
    let handle = reactor.handle();
    let context = reactor.context();
    context.listen_tcp("127.0.0.1:0", bomb()).unwrap();
    context.listen_tcp("nowhere", bomb()).unwrap_err();
    context.listen_tcp("nowhere", bomb()).unwrap_err();
    let receivers = [bomb(), bomb()].map(|bomb| context.channel(move |_, _: Bomb| _ = &bomb));
    for _ in 0..2 {
        context.listen_udp("127.0.0.1:0", bomb()).unwrap();
        let held = bomb();
        context.call_later(LATER, move |_| drop(held));
        let held = bomb();
        let timer = context.call_later(LATER, move |_| drop(held));
        context.cancel(timer);
        let held = bomb();
        handle.call(move |_| drop(held)).unwrap();
        receivers[0].send(bomb()).unwrap();
    }
    let [sender, _] = receivers;
    // Two protocols with a producer each, one listener with its factory set, one with its factory pending, and 14 more.
    (reactor, sender, 2 * 2 + 2 + 14)
}

#[test]
fn abandoned_reactor_drops_each_value_separately() {
    let count = Arc::default();
    let (reactor, sender, bombs) = full_of(&count);
    reactor.abandon();
    assert_eq!(count.load(Ordering::Relaxed), bombs);
    assert_eq!(sender.waiting(), 0);
}

#[test]
fn dropped_reactor_drops_each_value_separately() {
    let count = Arc::default();
    let (reactor, _sender, bombs) = full_of(&count);
    drop(reactor);
    assert_eq!(count.load(Ordering::Relaxed), bombs);
}

#[test]
fn abandoned_reactor_refuses_messages() {
    let mut reactor = Reactor::new().unwrap();
    let sender = reactor.context().channel(|_, _: &str| {});
    let early = reactor.context().channel(|_, _: &str| {});
    reactor.turn(Some(Duration::ZERO)).unwrap();
    let pending = reactor.context().channel(|_, _: &str| {});
    for sender in [&sender, &early, &pending] {
        sender.send("one").unwrap();
    }
    reactor.abandon();
    for sender in [&sender, &early, &pending] {
        assert_eq!(sender.send("two"), Err(ReactorGone));
        assert_eq!(sender.waiting(), 0);
    }
}

#[test]
fn messages_sent_by_drops_end() {
    /// The sender, the count of drops, and whether a drop is sending.
    struct Again(Sender<Self>, Arc<AtomicUsize>, Arc<AtomicBool>);
    impl Drop for Again {
        fn drop(&mut self) {
            let Self(sender, dropped, sending) = self;
            // Not for a message that a send refuses, and at most a thousand times in all.
            let few = dropped.fetch_add(1, Ordering::Relaxed) < 1000;
            if few && !sending.swap(true, Ordering::Relaxed) {
                let _ = sender.send(Self(sender.clone(), dropped.clone(), sending.clone()));
                sending.store(false, Ordering::Relaxed);
            }
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut reactor = Reactor::new().unwrap();
    let sender = reactor.context().channel(|_, _: Again| {});
    for _ in 0..2 {
        assert!(sender.send(Again(sender.clone(), Arc::clone(&dropped), Arc::default())).is_ok());
    }
    reactor.abandon();
    assert_eq!(dropped.load(Ordering::Relaxed), 4, "two, and a refused one for each of them");
}

/// Panics in every method, with a payload that panics when it is dropped.
struct AlwaysPanics(Rc<Cell<usize>>);

impl Protocol for AlwaysPanics {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let producer = Self(Rc::clone(&self.0));
        transport.register_pull_producer(producer).expect("it is the first");
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {
        panic_any(Spark);
    }

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, _reason: Reason) {
        self.0.set(self.0.get() + 1);
        panic_any(Spark);
    }

    fn type_name(&self) -> &'static str {
        panic_any(Spark)
    }
}

impl Producer for AlwaysPanics {
    fn resume_producing(&mut self, _transport: &mut Transport<'_>) {
        panic_any(Spark);
    }

    fn stop_producing(&mut self, _context: &mut Context) {
        panic_any(Spark);
    }

    fn type_name(&self) -> &'static str {
        panic_any(Spark)
    }
}

#[test]
fn panic_in_type_name_is_isolated() {
    let lost = Rc::new(Cell::new(0));
    let theirs = Rc::clone(&lost);
    let (mut reactor, address) = up(move || AlwaysPanics(Rc::clone(&theirs)));
    for round in 1..=3 {
        let mut client = client(address);
        let _ = client.write_all(b"hello");
        turn_until(&mut reactor, "lost", |_| lost.get() == round);
    }
    drop(reactor);
}

#[test]
fn panics_in_drops_are_counted() {
    let count = Arc::default();
    let bomb = Bomb(Arc::clone(&count));
    let mut reactor = Reactor::new().unwrap();
    let timer = reactor.context().call_later(LATER, move |_| drop(bomb));
    reactor.context().cancel(timer);
    assert_eq!(count.load(Ordering::Relaxed), 0, "it is not dropped during the call");
    turns(&mut reactor, 1);
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert_eq!(reactor.context().statistics().panics, 1);
}
