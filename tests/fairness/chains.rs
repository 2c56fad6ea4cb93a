//! Callbacks each of which causes the next one, without end: timers and sockets are served in between.

#![cfg(unix)]

use crate::support::*;
use crate::unix;
use ropewalk::{
    Address, Context, DatagramProtocol, DatagramTransport, Error, Factory, Id, Interest,
    ListenOptions, Producer, Protocol, Reactor, Reason, Transport, Watcher,
};
use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

/// The length of a chain. Without a count it would be endless.
const ROUNDS: usize = 5_000;

/// The most rounds in one turn: the budget of 256, and as many that were requested before the first.
const MOST: usize = 2 * 256;

/// Counts the rounds of a chain.
#[derive(Clone, Default)]
struct Count(Rc<Cell<usize>>);

impl Count {
    /// Counts a round. Returns true if another is to follow.
    fn count_round(&self) -> bool {
        self.0.set(self.0.get() + 1);
        self.0.get() < ROUNDS
    }

    /// Turns until the chain has ended, and asserts that it was spread over turns with a timer in each.
    fn assert_spread_over_turns(&self, reactor: &mut Reactor) {
        fn again(context: &mut Context, fired: Rc<Cell<usize>>) {
            fired.set(fired.get() + 1);
            context.call_later(Duration::ZERO, move |context| again(context, fired));
        }
        let fired = Rc::new(Cell::new(0));
        again(reactor.context(), Rc::clone(&fired));
        let (mut before, mut most) = (self.0.get(), 0);
        turn_until(reactor, "the chain has ended", |_| {
            most = most.max(self.0.get() - before);
            before = self.0.get();
            before == ROUNDS
        });
        assert!(most <= MOST, "{most} in one turn");
        assert!(fired.get() >= ROUNDS / MOST, "a timer fired {} times", fired.get());
    }
}

fn connection() -> UnixStream {
    UnixStream::pair().expect("a pair").0
}

/// Aborts its connection when it is made, and adopts another when it is lost.
struct Aborter(Count);

impl Protocol for Aborter {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.abort();
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

    fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: Reason) {
        if self.0.count_round() {
            let next = Self(self.0.clone());
            transport.context().adopt_connection(connection(), next).unwrap();
        }
    }
}

#[test]
fn abort_and_adopt_chain_leaves_turns() {
    let (mut reactor, count) = (Reactor::new().unwrap(), Count::default());
    reactor.context().adopt_connection(connection(), Aborter(count.clone())).unwrap();
    count.assert_spread_over_turns(&mut reactor);
}

/// Detaches its connection when it is made, and adopts it again.
struct Passer(Count);

impl Protocol for Passer {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        if self.0.count_round() {
            let (next, id) = (Self(self.0.clone()), transport.id());
            let socket = transport.context().transport(id).detach().unwrap().socket;
            transport.context().adopt_connection(socket, next).unwrap();
        }
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

#[test]
fn detach_and_adopt_chain_leaves_turns() {
    let (mut reactor, count) = (Reactor::new().unwrap(), Count::default());
    reactor.context().adopt_connection(connection(), Passer(count.clone())).unwrap();
    count.assert_spread_over_turns(&mut reactor);
}

/// Starts an attempt to connect and closes it, repeatedly.
struct Connector(Count);

impl Connector {
    fn attempt(self, context: &mut Context) {
        let id = context.connect_tcp("127.0.0.1:1", self).unwrap();
        context.close(id);
    }
}

impl Factory for Connector {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        None
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, _error: Error) {
        if self.0.count_round() {
            Self(self.0.clone()).attempt(context);
        }
    }
}

#[test]
fn connect_and_close_chain_leaves_turns() {
    let (mut reactor, count) = (Reactor::new().unwrap(), Count::default());
    Connector(count.clone()).attempt(reactor.context());
    count.assert_spread_over_turns(&mut reactor);
}

/// Closes its socket when it starts, and opens another when it has stopped.
struct Rebinder(Count);

impl DatagramProtocol for Rebinder {
    fn start_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        transport.close();
    }

    fn datagram_received(&mut self, _: &mut DatagramTransport<'_>, _: &[u8], _: &Address) {}

    fn stop_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        if self.0.count_round() {
            let next = Self(self.0.clone());
            transport.context().listen_udp("127.0.0.1:0", next).unwrap();
        }
    }
}

#[test]
fn datagram_socket_chain_leaves_turns() {
    let (mut reactor, count) = (Reactor::new().unwrap(), Count::default());
    reactor.listen_udp("127.0.0.1:0", Rebinder(count.clone())).unwrap();
    count.assert_spread_over_turns(&mut reactor);
}

/// Starts a watch and ends it, repeatedly.
struct ClosingWatcher(Count, UnixStream);

impl ClosingWatcher {
    fn watch(self, context: &mut Context) {
        let id = context.watch(self, Interest::Readable).unwrap();
        context.close(id);
    }
}

impl Watcher for ClosingWatcher {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.1.as_fd()
    }

    fn lost(&mut self, context: &mut Context, _id: Id, _reason: Reason) {
        if self.0.count_round() {
            Self(self.0.clone(), connection()).watch(context);
        }
    }
}

#[test]
fn watch_chain_leaves_turns() {
    let (mut reactor, count) = (Reactor::new().unwrap(), Count::default());
    ClosingWatcher(count.clone(), connection()).watch(reactor.context());
    count.assert_spread_over_turns(&mut reactor);
}

/// Registers another producer for the same connection when it is paused or stopped.
struct Relay(Count, Id);

impl Relay {
    fn next(&self, context: &mut Context) {
        if self.0.count_round() {
            context.transport(self.1).unregister_producer();
            let next = Self(self.0.clone(), self.1);
            context.transport(self.1).register_push_producer(next).unwrap();
        }
    }
}

impl Producer for Relay {
    fn resume_producing(&mut self, _transport: &mut Transport<'_>) {}

    fn pause_producing(&mut self, transport: &mut Transport<'_>) {
        self.next(transport.context());
    }

    fn stop_producing(&mut self, context: &mut Context) {
        self.next(context);
    }
}

#[test]
fn producer_chain_in_pause_leaves_turns() {
    let (log, count) = (Log::default(), Count::default());
    let (mut reactor, address) = up(recorders(&log, only_record));
    let _client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    reactor.context().transport(id).write(&pattern(2 * MUCH));
    turn_until(&mut reactor, "paused", |_| log.count(|event| *event == Event::PauseWriting) == 1);
    reactor.context().transport(id).register_push_producer(Relay(count.clone(), id)).unwrap();
    count.assert_spread_over_turns(&mut reactor);
}

#[test]
fn producer_chain_in_stop_leaves_turns() {
    let (log, count) = (Log::default(), Count::default());
    let (mut reactor, address) = up(recorders(&log, only_record));
    drop(client(address));
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    let id = log.ids()[0];
    reactor.context().transport(id).register_push_producer(Relay(count.clone(), id)).unwrap();
    count.assert_spread_over_turns(&mut reactor);
}

/// Passes itself another descriptor for each that it receives.
struct DescriptorReceiver(Count, Rc<UnixStream>, Rc<std::fs::File>);

impl Protocol for DescriptorReceiver {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

    fn descriptors_received(
        &mut self,
        _transport: &mut Transport<'_>,
        _data: &[u8],
        _descriptors: Vec<OwnedFd>,
    ) {
        if self.0.count_round() {
            unix::pass(&self.1, b"x", &self.2, 1);
        }
    }
}

#[test]
fn descriptor_chain_leaves_turns() {
    let (folder, count) = (unix::Folder::new(), Count::default());
    let (path, mut reactor) = (folder.path("socket"), Reactor::new().unwrap());
    let file = Rc::new(unix::file_with(&folder, "text"));
    let peer: Rc<Cell<Option<Rc<UnixStream>>>> = Rc::default();
    let (theirs, counter, passed) = (Rc::clone(&peer), count.clone(), Rc::clone(&file));
    let factory =
        move || DescriptorReceiver(counter.clone(), theirs.take().unwrap(), Rc::clone(&passed));
    let options = ListenOptions::new().descriptors(true);
    options.listen_unix(reactor.context(), &*path, factory).unwrap();
    let client = Rc::new(unix::unix_client(&path));
    unix::pass(&client, b"x", &file, 1);
    peer.set(Some(client));
    count.assert_spread_over_turns(&mut reactor);
}
