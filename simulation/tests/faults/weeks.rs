//! Twelve weeks of mixed traffic, which reveal wrapped timer wheels, overflowing counters and leaks.
//!
//! `cargo test` runs one week, with fewer events. All twelve need an optimized build:
//!
//! ```console
//! $ cargo test -p ropewalk-simulation --profile explore --test faults weeks -- --include-ignored
//! ```

use crate::scripts::*;
use ropewalk::{
    Address, ConnectOptions, Context, DatagramProtocol, DatagramTransport, Handle, Id, KeepAlive,
    ListenOptions,
};
use ropewalk_simulation::{Fault, FaultKind, NodeId, Plan, Random, World};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// The usual idle time is two hours. A lost peer should be detected before it returns.
const KEEP_ALIVE: KeepAlive =
    KeepAlive { idle: Duration::from_secs(600), interval: Duration::from_secs(75), count: 9 };

/// The maximum delay of a timer on an idle node.
const MAX_DELAY: Duration = Duration::from_millis(20);

/// The records of all nodes.
#[derive(Clone, Default)]
struct Log(Rc<Counts>);

#[derive(Default)]
struct Counts {
    /// The number of ticks of each interval, by its length in milliseconds.
    ticks: RefCell<std::collections::BTreeMap<u128, u64>>,
    far: Cell<u64>,
    sent: Cell<u64>,
    came: Cell<u64>,
    called: Arc<AtomicU64>,
    calls: Cell<u64>,
}

impl Log {
    /// Calls `then` each `interval` from now on, and asserts that it is punctual. Intervals count from the due
    /// time.
    fn every(&self, context: &mut Context, interval: Duration, then: fn(&Self, &mut Context)) {
        self.tick(context, context.now() + interval, interval, then);
    }

    fn tick(
        &self,
        context: &mut Context,
        due: Instant,
        interval: Duration,
        then: fn(&Self, &mut Context),
    ) {
        let log = self.clone();
        context.call_at(due, move |context| {
            let late = context.now().checked_duration_since(due).expect("it is not early");
            assert!(late < MAX_DELAY, "the timer of each {interval:?} is {late:?} late");
            *log.0.ticks.borrow_mut().entry(interval.as_millis()).or_default() += 1;
            then(&log, context);
            log.tick(context, due + interval, interval, then);
        });
    }

    /// Sets a timer that fires once, after a long time.
    fn once(&self, context: &mut Context, delay: Duration) {
        let (log, due) = (self.clone(), context.now() + delay);
        context.call_later(delay, move |context| {
            let late = context.now().checked_duration_since(due).expect("it is not early");
            assert!(late < MAX_DELAY, "the timer of {delay:?} is {late:?} late");
            log.0.far.set(log.0.far.get() + 1);
        });
    }
}

impl DatagramProtocol for Log {
    fn datagram_received(
        &mut self,
        _transport: &mut DatagramTransport<'_>,
        _data: &[u8],
        _sender: &Address,
    ) {
        self.0.came.set(self.0.came.get() + 1);
    }
}

/// Connects, disconnects after a while, and connects again.
fn connect_repeatedly(context: &mut Context, script: Script, mut random: Random) {
    let id = context.connect_tcp("server:7000", script.clone()).expect("there is a server");
    let (stay_connected, away) = (
        random.duration(Duration::ZERO, Duration::from_secs(120)),
        random.duration(Duration::from_secs(1), Duration::from_secs(240)),
    );
    context.call_later(stay_connected, move |context| {
        context.transport(id).write(b"goodbye");
        context.close(id);
        context.call_later(away, move |context| connect_repeatedly(context, script, random));
    });
}

/// Stays connected, and reconnects a minute after a loss.
fn stay_connected(context: &mut Context, script: Script) {
    let options = ConnectOptions::new().keep_alive(KEEP_ALIVE);
    let id = options.connect_tcp(context, "server:7000", script.clone());
    let id = id.expect("there is a server");
    check_connection(context, script, id);
}

fn check_connection(context: &mut Context, script: Script, id: Id) {
    context.call_later(Duration::from_secs(60), move |context| {
        if context.transport(id).peer() != Address::Unknown {
            return check_connection(context, script, id);
        }
        stay_connected(context, script);
    });
}

/// Calls another node repeatedly.
fn call(context: &mut Context, log: Log, handle: Handle) {
    context.call_later(Duration::from_secs(50), move |context| {
        let called = Arc::clone(&log.0.called);
        handle.call(move |_| _ = called.fetch_add(1, Ordering::Relaxed)).expect("it is there");
        log.0.calls.set(log.0.calls.get() + 1);
        call(context, log, handle);
    });
}

/// Returns the faults: every second day, the idle node is unreachable for half an hour, longer than the timeout.
fn partitions(weeks: u32, idler: NodeId) -> Plan {
    let mut plan = Plan::none();
    let fault = Fault { kind: FaultKind::Partition, node: idler, other: idler, severity: 1.0 };
    for begin in (1..u64::from(weeks) * 7).step_by(2) {
        let begin = HOUR * 24 * begin as u32;
        plan.add(begin, begin + HOUR / 2, fault.clone());
    }
    plan
}

/// Runs `weeks` weeks, with timers and datagrams at intervals that are `slow` times as long, and `clients` that
/// reconnect.
fn weeks(weeks: u32, slow: u32, clients: u64) {
    let mut world = World::new(12);
    let (log, server, visitors) = (Log::default(), Script::echo(), Script::sending("hello"));
    let (shared, ours) = (server.clone(), log.clone());
    let node = world.add_node("server", move |reactor| {
        let context = reactor.context();
        let options = ListenOptions::new().keep_alive(KEEP_ALIVE);
        options.listen_tcp(context, "0.0.0.0:7000", shared.clone())?;
        context.listen_udp("0.0.0.0:7000", ours.clone())?;
        ours.every(context, Duration::from_millis(1_333) * slow, |_, _| {});
        ours.every(context, HOUR * 24, |_, _| {});
        for delay in [WEEK - HOUR, WEEK * 12 - HOUR, WEEK * 52] {
            ours.once(context, delay);
        }
        Ok(())
    });
    let handle = world.reactor(node).expect("it is up").handle();

    let idle = Script::silent();
    let (ours, shared) = (log.clone(), idle.clone());
    let idler = run_on_node(&mut world, "idle", move |context| {
        stay_connected(context, shared.clone());
        call(context, ours.clone(), handle.clone());
        ours.every(context, Duration::from_secs(17) * slow, |_, _| {});
    });
    let (ours, shared) = (log.clone(), visitors.clone());
    let client = run_on_node(&mut world, "clients", move |context| {
        for seed in 0..clients {
            connect_repeatedly(context, shared.clone(), Random::new(seed));
        }
        let socket = context.listen_udp("0.0.0.0:0", ours.clone()).expect("there is a port");
        send(context, ours.clone(), socket.id(), Duration::from_secs(11) * slow);
    });

    let plan = partitions(weeks, idler);
    world.add_faults(&plan);
    world.run_for(WEEK * weeks);
    check(&mut world, weeks, &log, [node, idler, client]);
    assert!(log.0.sent.get() >= (WEEK * weeks / slow).as_secs() / 11);
    check_visits(weeks, clients, &visitors);
    check_idle(plan.len(), &idle);
    assert!(server.record.alive.get() as u64 <= clients + 2);
}

fn send(context: &mut Context, log: Log, socket: Id, interval: Duration) {
    context.datagram(socket).send_to(b"tick", "10.0.0.1:7000");
    log.0.sent.set(log.0.sent.get() + 1);
    context.call_later(interval, move |context| send(context, log, socket, interval));
}

fn check_idle(partitions: usize, idle: &Script) {
    // Each partition was detected, and the idle node reconnected.
    assert_eq!(idle.record.reasons(), vec!["TimedOut"; partitions]);
    assert_eq!((idle.record.made.get(), idle.record.alive.get()), (partitions + 1, 1));
}

fn check_visits(weeks: u32, clients: u64, visitors: &Script) {
    let visits = visitors.record.reasons();
    // A visit, and the time until the next one, take three minutes on average.
    assert!(visits.len() as u64 > 3000 * clients * u64::from(weeks), "{} visits", visits.len());
    assert!(visits.iter().all(|reason| reason == "Closed"));
    assert!(visitors.record.alive.get() as u64 <= clients);
}

fn check(world: &mut World, weeks: u32, log: &Log, nodes: [NodeId; 3]) {
    let (span, counts) = (WEEK * weeks, &*log.0);
    for (interval, ticks) in &*counts.ticks.borrow() {
        let expected = span.as_millis() / interval;
        let missed = expected.abs_diff(u128::from(*ticks));
        assert!(missed <= 1, "{ticks} of {expected} ticks of {interval} ms");
    }
    assert_eq!(counts.far.get(), if weeks >= 12 { 2 } else { 1 });
    assert!(counts.sent.get() - counts.came.get() <= 1);
    assert_eq!(counts.calls.get(), counts.called.load(Ordering::Relaxed));
    for node in nodes {
        let context = world.reactor(node).expect("it is up").context();
        assert!(context.connections().count() <= 10, "connections are left");
        assert_eq!(context.statistics().queued, 0);
    }
    assert!(world.connections() <= 10, "{} are left in the network", world.connections());
}

#[test]
fn a_week_of_mixed_traffic_leaks_nothing() {
    weeks(1, 7, 2);
}

#[test]
#[ignore = "twelve weeks take some seconds in an optimized build"]
fn twelve_weeks_of_mixed_traffic_leak_nothing() {
    weeks(12, 1, 8);
}
