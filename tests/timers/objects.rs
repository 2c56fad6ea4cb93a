//! Timers of callback objects.

use crate::support::*;
use ropewalk::{
    Address, Context, DatagramProtocol, DatagramTransport, Id, Interest, Producer, Protocol,
    Reactor, Reason, TimerId, Transport, Watcher,
};
use std::cell::RefCell;
use std::io::{PipeReader, Write, pipe};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

/// The timers that were set, and those that have fired.
#[derive(Default)]
struct Timers {
    set: Vec<TimerId>,
    fired: Vec<TimerId>,
    id: Option<Id>,
    lost: Option<String>,
}

type Shared = Rc<RefCell<Timers>>;

const MS: Duration = Duration::from_millis(1);

const HOUR: Duration = Duration::from_secs(3600);

/// Runs code in `connection_made` and in `timer_fired`.
struct Timed<M, F> {
    timers: Shared,
    made: M,
    fired: F,
}

impl<M, F> Protocol for Timed<M, F>
where
    M: FnMut(&mut Transport<'_>, &mut Timers) + 'static,
    F: FnMut(&mut Transport<'_>) + 'static,
{
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.timers.borrow_mut().id = Some(transport.id());
        (self.made)(transport, &mut self.timers.borrow_mut());
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

    fn timer_fired(&mut self, transport: &mut Transport<'_>, timer: TimerId) {
        self.timers.borrow_mut().fired.push(timer);
        (self.fired)(transport);
    }

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, reason: Reason) {
        self.timers.borrow_mut().lost = Some(format!("{reason:?}"));
    }
}

/// Returns a reactor with a connection that runs this code, and the other end.
fn timed(
    made: impl FnMut(&mut Transport<'_>, &mut Timers) + 'static,
    fired: impl FnMut(&mut Transport<'_>) + 'static,
) -> (Reactor, Shared, UnixStream) {
    let mut reactor = Reactor::new().unwrap();
    let timers = Shared::default();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let protocol = Timed { timers: Rc::clone(&timers), made, fired };
    reactor.context().adopt_connection(ours, protocol).unwrap();
    turn(&mut reactor);
    (reactor, timers, theirs)
}

#[test]
fn timer_fires_at_its_protocol_with_its_id() {
    let made = |transport: &mut Transport<'_>, timers: &mut Timers| {
        let late = transport.set_timer(2 * MS);
        let cancelled = transport.set_timer(MS);
        let early = transport.set_timer(HOUR);
        assert!(transport.reset_timer(early, MS));
        assert!(transport.cancel_timer(cancelled) && !transport.cancel_timer(cancelled));
        timers.set = vec![early, late];
    };
    let (mut reactor, timers, _peer) = timed(made, |transport| transport.write(b"x"));
    turn_until(&mut reactor, "both timers", |_| timers.borrow().fired.len() == 2);
    let timers = timers.borrow();
    assert_eq!(timers.fired, timers.set);
    assert!(timers.set.iter().all(|&timer| !reactor.context().is_active(timer)));
}

#[test]
fn timers_are_removed_with_their_connection() {
    let made = |transport: &mut Transport<'_>, timers: &mut Timers| {
        timers.set = (0..3).map(|_| transport.set_timer(HOUR)).collect();
    };
    let (mut reactor, timers, peer) = timed(made, |_| {});
    let all = timers.borrow().set.clone();
    assert!(all.iter().all(|&timer| reactor.context().is_active(timer)));
    drop(peer);
    turn_until(&mut reactor, "the end", |_| timers.borrow().lost.is_some());
    assert!(all.iter().all(|&timer| !reactor.context().is_active(timer)));
}

#[test]
fn timer_of_a_closing_connection_does_not_fire() {
    let made = |transport: &mut Transport<'_>, timers: &mut Timers| {
        timers.set = vec![transport.set_timer(Duration::ZERO)];
        transport.write(&vec![0; 4 * 1024 * 1024]); // More than the socket takes.
        transport.close();
        let late = transport.set_timer(Duration::ZERO);
        assert!(!transport.context().is_active(late));
    };
    let (mut reactor, timers, mut peer) = timed(made, |_| {});
    let first = timers.borrow().set[0];
    turn_until(&mut reactor, "the timer", |reactor| !reactor.context().is_active(first));
    assert!(timers.borrow().lost.is_none(), "the connection is still closing");
    peer.set_nonblocking(true).unwrap();
    turn_until(&mut reactor, "the end", |_| {
        drain(&mut peer);
        timers.borrow().lost.is_some()
    });
    assert_eq!(timers.borrow().fired, []);
}

/// Reads all that has arrived.
fn drain(peer: &mut UnixStream) {
    let mut buffer = [0; 65536];
    while std::io::Read::read(peer, &mut buffer).is_ok_and(|count| count > 0) {}
}

#[test]
fn panic_in_timer_fired_resets_one_connection() {
    let made = |transport: &mut Transport<'_>, _: &mut Timers| _ = transport.set_timer(MS);
    let (mut reactor, timers, _peer) = timed(made, |_| panic!("expected by the test"));
    turn_until(&mut reactor, "the end", |_| timers.borrow().lost.is_some());
    assert_eq!(timers.borrow().lost.as_deref(), Some("Panicked"));
}

#[test]
fn stale_id_and_listener_set_no_timer() {
    let (mut reactor, timers, peer) = timed(|_, _| {}, |_| {});
    let port = reactor.listen_tcp("127.0.0.1:0", || Timed {
        timers: Shared::default(),
        made: |_: &mut Transport<'_>, _: &mut Timers| {},
        fired: |_: &mut Transport<'_>| {},
    });
    drop(peer);
    turn_until(&mut reactor, "the end", |_| timers.borrow().lost.is_some());
    let id = timers.borrow().id.unwrap();
    for id in [id, port.unwrap().id()] {
        let timer = reactor.context().set_timer(id, HOUR);
        assert!(!reactor.context().is_active(timer) && !reactor.context().cancel(timer));
    }
}

#[test]
fn timer_waits_for_a_held_connection_made() {
    const MANY: usize = 600; // More callbacks than a turn makes.
    let mut reactor = Reactor::new().unwrap();
    let (timers, mut peers, mut last) = (Shared::default(), Vec::new(), None);
    for _ in 0..MANY {
        let (ours, theirs) = UnixStream::pair().unwrap();
        peers.push(theirs);
        let made = |_: &mut Transport<'_>, _: &mut Timers| {};
        let fired = |_: &mut Transport<'_>| {};
        let protocol = Timed { timers: Rc::clone(&timers), made, fired };
        last = Some(reactor.context().adopt_connection(ours, protocol).unwrap());
    }
    let timer = reactor.context().set_timer(last.unwrap(), Duration::ZERO);
    turn_until(&mut reactor, "the timer", |reactor| !reactor.context().is_active(timer));
    assert_eq!(timers.borrow().fired, [timer]);
}

/// A producer that writes one byte each time that its timer fires.
struct Ticking {
    left: u8,
    /// Its timers. The last one is set when it is unregistered.
    timers: Rc<RefCell<Vec<TimerId>>>,
}

impl Producer for Ticking {
    fn resume_producing(&mut self, transport: &mut Transport<'_>) {
        if self.left == 3 {
            self.timers.borrow_mut().push(transport.set_timer(MS));
        }
    }

    fn timer_fired(&mut self, transport: &mut Transport<'_>, timer: TimerId) {
        assert_eq!(self.timers.borrow().last(), Some(&timer));
        transport.write(&[self.left]);
        self.left -= 1;
        self.timers.borrow_mut().push(transport.set_timer(MS));
        if self.left == 0 {
            transport.unregister_producer();
        }
    }
}

#[test]
fn producers_timer_reaches_the_producer_until_unregistered() {
    let all: Rc<RefCell<Vec<TimerId>>> = Rc::default();
    let theirs = Rc::clone(&all);
    let made = move |transport: &mut Transport<'_>, _: &mut Timers| {
        let producer = Ticking { left: 3, timers: Rc::clone(&theirs) };
        transport.register_pull_producer(producer).unwrap();
        transport.write_eof(); // once the last byte has been sent
    };
    let (mut reactor, timers, mut peer) = timed(made, |_| {});
    turn_until(&mut reactor, "the last byte", |_| all.borrow().len() == 4);
    assert!(!reactor.context().is_active(all.borrow()[3]), "removed with the producer");
    let mut received = Vec::new();
    std::io::Read::read_to_end(&mut peer, &mut received).unwrap();
    assert_eq!(received, [3, 2, 1]);
    let own = reactor.context().set_timer(timers.borrow().id.unwrap(), MS);
    turn_until(&mut reactor, "a later timer", |reactor| !reactor.context().is_active(own));
    assert_eq!(timers.borrow().fired, [own], "the protocol's");
}

struct Beacon(Shared);

impl DatagramProtocol for Beacon {
    fn start_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        let timer = transport.set_timer(HOUR);
        assert!(transport.reset_timer(timer, MS));
        let other = transport.set_timer(HOUR);
        assert!(transport.cancel_timer(other));
        self.0.borrow_mut().set = vec![timer, transport.set_timer(HOUR)];
    }

    fn datagram_received(&mut self, _: &mut DatagramTransport<'_>, _: &[u8], _: &Address) {}

    fn timer_fired(&mut self, transport: &mut DatagramTransport<'_>, timer: TimerId) {
        self.0.borrow_mut().fired.push(timer);
        transport.close();
    }
}

#[test]
fn datagram_protocol_has_timers() {
    let mut reactor = Reactor::new().unwrap();
    let timers = Shared::default();
    reactor.context().listen_udp("127.0.0.1:0", Beacon(Rc::clone(&timers))).unwrap();
    turn_until(&mut reactor, "the timer", |_| !timers.borrow().fired.is_empty());
    turn(&mut reactor);
    let timers = timers.borrow();
    assert_eq!(timers.fired, timers.set[..1]);
    assert!(!reactor.context().is_active(timers.set[1]), "removed with the socket");
}

struct Waits(PipeReader, Shared);

impl Watcher for Waits {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn timer_fired(&mut self, context: &mut Context, id: Id, timer: TimerId) {
        self.1.borrow_mut().fired.push(timer);
        context.close(id);
    }
}

#[test]
fn watcher_has_timers() {
    let mut reactor = Reactor::new().unwrap();
    let ((reader, mut writer), timers) = (pipe().unwrap(), Shared::default());
    let id = reactor.context().watch(Waits(reader, Rc::clone(&timers)), Interest::Nothing).unwrap();
    let timer = reactor.context().set_timer(id, MS);
    let later = reactor.context().set_timer(id, HOUR);
    turn_until(&mut reactor, "the timer", |_| timers.borrow().fired == [timer]);
    turn(&mut reactor);
    assert!(!reactor.context().is_active(later));
    assert!(writer.write_all(b"x").is_err(), "the watcher was dropped");
}
