//! The simulated network and its sockets.

mod arrival;
mod connection;
mod datagram;
mod direction;
mod error;
mod listener;
mod names;
mod option;
mod probes;
#[cfg(all(unix, feature = "process"))]
mod process;
mod stream;
mod test_end;
mod thread_job;
mod transfer;
mod transmission;
mod turns;
mod uplink;

use crate::active_faults::ActiveFaults;
use crate::conditions::{Costs, Link};
use crate::fault::{Fault, FaultKind};
use crate::node::{Host, NodeId, PendingSource};
use crate::schedule::{Schedule, Scheduled, Time};
use crate::trace::{Trace, What};
use crate::world::Panics;
use connection::Connection;
use datagram::{DatagramInFlight, DatagramSocket};
use listener::Listener;
use names::NameQuery;
use ropewalk::Id;
use ropewalk::backend::{Event, Events, Readiness};
use slab::Slab;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use thread_job::NodeJobs;

pub(crate) use datagram::SimulatedDatagram;
pub(crate) use error::{no_descriptors, system};
#[cfg(unix)]
pub(crate) use error::{no_socket_at, wrong_type};
pub(crate) use listener::SimulatedListener;
pub use names::NameAnswer;
#[cfg(all(unix, feature = "process"))]
pub use process::SimulatedProgram;
pub(crate) use stream::SimulatedStream;
pub(crate) use uplink::Uplink;

/// The network, shared by the world and all sockets.
pub(crate) type Shared = Rc<RefCell<Net>>;

/// The latency from a node to itself.
const LOOPBACK: Time = 10_000;

/// The delay after which readiness is reported again after a short read or write.
const REPEAT_AFTER: Time = 1_000_000;

/// A cut: no segment or datagram from one set of nodes reaches another set.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) from: BTreeSet<NodeId>,
    pub(crate) to: BTreeSet<NodeId>,
}

#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) seed: u64,
    /// The time that the nodes' clocks showed when the world began.
    pub(crate) epoch: Instant,
    pub(crate) now: Time,
    /// The working node, the start of its work, and its duration so far: see `turns.rs`.
    working_node: Option<NodeId>,
    since: Time,
    pub(crate) spent: Time,
    pub(crate) schedule: Schedule,
    pub(crate) trace: Trace,
    pub(crate) panics: Panics,
    /// The default costs, and those of the working node.
    pub(crate) usual_costs: Costs,
    pub(crate) costs: Costs,

    pub(crate) hosts: Vec<Host>,
    /// The default link, and those of certain pairs of nodes.
    pub(crate) link: Link,
    pub(crate) links: BTreeMap<(NodeId, NodeId), Link>,
    /// The cuts that the caller has made.
    pub(crate) cuts: Vec<Cut>,
    pub(crate) faults: ActiveFaults,
    pub(crate) names: BTreeMap<String, NameAnswer>,
    /// Look-ups in progress, by number.
    queries: BTreeMap<Time, NameQuery>,
    queries_made: Time,
    /// Additional addresses of nodes.
    pub(crate) addresses: BTreeMap<IpAddr, NodeId>,

    pub(crate) jobs: NodeJobs,
    #[cfg(all(unix, feature = "process"))]
    pub(crate) processes: process::Processes,
    connections: Slab<Connection>,
    listeners: Slab<Listener>,
    datagrams: Slab<DatagramSocket>,
    datagrams_in_flight: Slab<DatagramInFlight>,
    serial: u32,
}

impl Net {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            epoch: Instant::now(),
            now: 0,
            working_node: None,
            since: 0,
            spent: 0,
            schedule: Schedule::default(),
            trace: Trace::new(),
            panics: Panics::default(),
            usual_costs: Costs::default(),
            costs: Costs::default(),
            hosts: Vec::new(),
            link: Link::default(),
            links: BTreeMap::new(),
            cuts: Vec::new(),
            faults: ActiveFaults::default(),
            names: BTreeMap::new(),
            queries: BTreeMap::new(),
            queries_made: 0,
            addresses: BTreeMap::new(),
            jobs: NodeJobs::default(),
            #[cfg(all(unix, feature = "process"))]
            processes: Default::default(),
            connections: Slab::new(),
            listeners: Slab::new(),
            datagrams: Slab::new(),
            datagrams_in_flight: Slab::new(),
            serial: 0,
        }
    }

    /// Returns the time of a node's clock.
    pub(crate) fn clock(&self, node: NodeId) -> Instant {
        self.epoch + Duration::from_nanos(self.host(node).clock.at(self.at()))
    }

    pub(crate) fn host(&self, node: NodeId) -> &Host {
        &self.hosts[node.index()]
    }

    pub(crate) fn host_mut(&mut self, node: NodeId) -> &mut Host {
        &mut self.hosts[node.index()]
    }

    /// Returns the node that has an address, as seen from `from`.
    pub(crate) fn node_of(&self, from: NodeId, ip: IpAddr) -> Option<NodeId> {
        if self.host(from).has(ip) || ip.is_unspecified() {
            return Some(from);
        }
        if let Some(node) = self.addresses.get(&ip) {
            return Some(*node);
        }
        let number = match ip {
            IpAddr::V4(ip) if ip.octets()[0] == 10 => u32::from(ip) & 0xff_ffff,
            IpAddr::V6(ip) if ip.segments()[0] == 0xfd00 => {
                u32::from(ip.segments()[6]) << 16 | u32::from(ip.segments()[7])
            }
            _ => return None,
        };
        let index = number.checked_sub(1)?;
        let node = NodeId(index);
        self.hosts.get(node.index()).filter(|host| host.has(ip)).map(|_| node)
    }

    fn new_serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    pub(crate) fn note(&mut self, node: NodeId, id: Option<Id>, what: What<'_>) {
        let time = self.at();
        let name = &self.hosts[node.index()].name;
        self.trace.note(time, Some((node, name)), id, what);
    }

    pub(crate) fn note_world(&mut self, what: What<'_>) {
        let time = self.at();
        self.trace.note(time, None, None, what);
    }

    /// Adds an event source for a node's reactor, and plans a turn.
    pub(crate) fn notify(&mut self, node: NodeId, pending: PendingSource) {
        self.hosts[node.index()].pending.push(pending);
        self.schedule_turn(node);
    }

    /// Moves the pending events of a node's reactor into `events`.
    pub(crate) fn take_events(&mut self, node: NodeId, events: &mut Events) {
        let mut pending = std::mem::take(&mut self.host_mut(node).pending);
        for pending in pending.drain(..) {
            let event = match pending {
                PendingSource::Woken => Some(Event::WOKEN),
                PendingSource::End(key, side) => self.take_end_event(key, side),
                PendingSource::Listener(key) => self.take_listener_event(key),
                PendingSource::Datagram(key) => self.take_datagram_event(key),
                #[cfg(all(unix, feature = "process"))]
                PendingSource::Pipe(process, index) => self.take_pipe_event(process, index),
                #[cfg(all(unix, feature = "process"))]
                PendingSource::Process(process) => self.take_process_event(process),
            };
            events.extend(event);
        }
        // The memory is reused.
        self.host_mut(node).pending = pending;
    }

    /// Returns true if segments get from one node to another now.
    pub(crate) fn passes(&self, from: NodeId, to: NodeId) -> bool {
        let cut = |cut: &Cut| cut.from.contains(&from) && cut.to.contains(&to);
        let is_parted = || self.cuts.iter().any(cut) || self.faults.separate(from, to);
        self.host(to).is_up && (from == to || !is_parted())
    }

    /// Computes a node's conditions from the faults in force.
    pub(crate) fn update_conditions(&mut self, node: NodeId) {
        let (conditions, drift) = (self.faults.conditions(node), self.faults.drift(node));
        let now = self.now;
        let host = self.host_mut(node);
        let before = std::mem::replace(&mut host.conditions, conditions);
        let stall_ends = before.stalled && !host.conditions.stalled;
        let drifts = host.clock.set_drift(now, drift);
        if before.bandwidth != host.conditions.bandwidth {
            self.bandwidth_changed(node, before.bandwidth);
        }
        if stall_ends || drifts {
            self.schedule_turn(node); // Its next turn is planned again.
        }
    }

    /// Applies the effect that a fault has once, when it begins.
    pub(crate) fn apply_once(&mut self, fault: &Fault) {
        match fault.kind {
            FaultKind::HalfOpen => self.sever(fault.node),
            FaultKind::Jump => {
                let by = nanos(Duration::from_secs(3600)) as f64 * fault.severity;
                self.host_mut(fault.node).clock.jump(by as Time);
                self.schedule_turn(fault.node);
            }
            _ => {}
        }
    }

    fn link(&self, from: NodeId, to: NodeId) -> Link {
        if self.links.is_empty() {
            return self.link;
        }
        self.links.get(&(from, to)).copied().unwrap_or(self.link)
    }

    /// Processes an event of the network.
    pub(crate) fn process(&mut self, at: Time, what: Scheduled) {
        self.finish_work();
        self.now = at;
        match what {
            Scheduled::RepeatEvents(key, side) => self.repeat_events(key, side),
            Scheduled::Answer(number) => self.arrive_answer(number),
            Scheduled::Arrival(key, side) => self.arrive(key, side),
            Scheduled::Datagram(slot) => self.arrive_datagram(slot),
            Scheduled::Departure(node) => self.first_departed(NodeId(node)),
            Scheduled::RepeatDatagramEvents(key) => self.repeat_datagram_events(key),
            Scheduled::KeepAlive(key, side) => self.keep_alive(key, side),
            Scheduled::Probe(key, side) => self.probe(key, side),
            #[cfg(all(unix, feature = "process"))]
            Scheduled::Process(number) => self.wake_process(number),
            Scheduled::Refusal(key) => self.receive_refusal(key),
            Scheduled::Writable(key, side) => self.notify_writable(key, side),
            Scheduled::Window(key, side) => self.open_window(key, side),
            Scheduled::Fault(..) | Scheduled::Job(_) | Scheduled::Start(_) | Scheduled::Turn(_) => {
                unreachable!("the world processes these events")
            }
        }
    }

    /// Crashes a node: its sockets are removed without notifying their peers.
    pub(crate) fn crash(&mut self, node: NodeId) {
        self.note(node, None, What::Crashes);
        self.host_mut(node).clear();
        self.clear_uplink(node);
        self.crash_connections(node);
        self.crash_queries(node);
        self.listeners.retain(|_, listener| listener.node != node);
        self.datagrams.retain(|_, socket| socket.node != node);
        drop(self.take_jobs(node));
        #[cfg(all(unix, feature = "process"))]
        self.crash_processes(node);
    }
}

/// Returns a duration in nanoseconds, saturated.
pub(crate) fn nanos(span: Duration) -> Time {
    Time::try_from(span.as_nanos()).unwrap_or(Time::MAX / 4)
}

/// Returns an event, if there is any readiness to report.
fn event(id: Option<Id>, readiness: Readiness) -> Option<Event> {
    (readiness != Readiness::default()).then_some(Event::ready(id?, readiness))
}
