//! A simulated world: nodes, the network between them, and their time.

mod faults;
mod journal;
mod outage;
mod panics;
#[cfg(all(unix, feature = "process"))]
mod process;
mod run;
mod thread_job;

pub(crate) use panics::Panics;

use crate::backend::{NodeBackend, Wakeups};
use crate::conditions::{Costs, Link};
use crate::fault::Fault;
use crate::net::{NameAnswer, Net, Shared};
use crate::node::{Host, NodeId};
use crate::schedule::Time;
use crate::trace::{Record, TraceHash};
use ropewalk::{Error, Reactor};
use std::cell::RefCell;
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What a node does when it starts: it listens, connects, sets timers.
type Program = Box<dyn FnMut(&mut Reactor) -> Result<(), Error>>;

type MakeReactor = Box<dyn FnMut(NodeId, NodeBackend) -> Reactor>;

/// A simulated world, made from a seed: nodes with their own reactors, a network, and simulated clocks.
///
/// Nodes run the same code as on real sockets. All random choices are drawn from the seed, so a world made from
/// the same seed repeats the same run exactly.
///
/// ```
/// use ropewalk::{Protocol, Transport};
/// use ropewalk_simulation::World;
/// use std::{cell::Cell, rc::Rc, time::Duration};
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// struct Ask(Rc<Cell<usize>>);
/// impl Protocol for Ask {
///     fn connection_made(&mut self, transport: &mut Transport<'_>) {
///         transport.write(b"hello");
///     }
///     fn data_received(&mut self, _transport: &mut Transport<'_>, data: &[u8]) {
///         self.0.set(self.0.get() + data.len());
///     }
/// }
///
/// let mut world = World::new(1);
/// world.add_node("server", |reactor| reactor.listen_tcp("0.0.0.0:7000", || Echo).map(drop));
/// let received = Rc::new(Cell::new(0));
/// let ask = received.clone();
/// world.add_node("client", move |reactor| {
///     let ask = ask.clone();
///     reactor.connect_tcp("server:7000", move || Ask(ask.clone())).map(drop)
/// });
/// world.run_for(Duration::from_secs(1));
/// assert_eq!(received.get(), 5);
/// ```
///
/// # Nodes
///
/// A node has a name, by which other nodes find it, an IPv4 and an IPv6 address, and a program: a function that
/// receives a new reactor when the node starts, and again when it restarts after it [crashed](Self::crash) or was
/// [killed](Self::kill). State that survives a crash, as on a disk, has to be stored outside of the program.
///
/// A node's time advances while it works ([`Costs`]); events that arrive meanwhile wait.
///
/// # A panic fails the run
///
/// A reactor catches panics of callbacks, so that a panic ends only its connection. In a world, the panic is then
/// raised again by the method of `World` that was running, with the node, the callback and the message. So
/// protocols may contain assertions. The same applies to timers, calls from other threads, drops, nodes that have
/// stopped or crashed, and the drop of the world. Intended panics have to be [allowed](Self::allow_panics).
///
/// # Differences from the system
///
/// Sockets behave like Linux's as far as a program can observe: buffers and windows, half-close, resets,
/// retransmission and its timeout, keep-alive, full listener queues, addresses in use, both families on one IPv6
/// socket, multicast groups, Unix names. Errors have the same kinds, numbers and texts. `tests/conformance` runs
/// the same scenes on real sockets and here, and compares the callbacks. Surprising behaviour of the system:
///
/// - A client is connected before it is accepted. So it may receive `connection_made` although the server never
///   sees the connection, because its queue is full or its listener is closed.
/// - A connection attempt that is closed before the answer is not seen by the server. On loopback it is immediate.
/// - A reset after the peer's end is noticed by writes only.
/// - An abort of a Unix connection is an end of stream for the peer, and a reset only if data was unread.
/// - A refused datagram is reported to a connected socket only.
///
/// The simulation differs from the system as follows. Buffers do not grow. A port is free as soon as its
/// connection is over (there is no TIME-WAIT). A Unix listener without a name receives none. A host has one
/// interface beside the loopback. Datagrams are reordered if a [`Link`] has jitter. Descriptors cannot be passed
/// or watched, and there are no raw sockets: these operations return
/// [`Unsupported`](std::io::ErrorKind::Unsupported). A process runs a program of the world (`World::set_program`,
/// with the feature `process`).
pub struct World {
    net: Shared,
    pub(crate) wakeups: Arc<Wakeups>,
    pub(crate) nodes: Vec<Node>,
    /// Makes the reactors of nodes that start.
    pub(crate) make_reactor: MakeReactor,
    /// All planned faults. The network has those in force.
    pub(crate) faults: Vec<Fault>,
    /// What receives the journals of the nodes.
    pub(crate) journals: Option<journal::Journals>,
    /// Turns are made in steps.
    pub(crate) by_steps: bool,
}

/// A node, with the state that the caller has requested. Its actual state also depends on the faults in force: see
/// [`World::update_node`].
pub(crate) struct Node {
    pub(crate) program: Program,
    pub(crate) reactor: Option<Reactor>,
    /// The machine should be on: it was not crashed by the caller since it was started.
    pub(crate) machine_on: bool,
    /// The program should run: it was not crashed or killed since it was started, and has not ended by itself.
    pub(crate) program_on: bool,
    /// When the program, which could not start, is tried again.
    pub(crate) retry_at: Option<Time>,
}

impl World {
    /// Returns an empty world. All random choices are drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            net: Rc::new(RefCell::new(Net::new(seed))),
            wakeups: Arc::default(),
            nodes: Vec::new(),
            make_reactor: Box::new(|_, backend| Reactor::with_backend(backend)),
            faults: Vec::new(),
            journals: None,
            by_steps: false,
        }
    }

    /// Sets the link between all nodes. Default: [`Link::LOCAL`].
    #[must_use]
    pub fn link(self, link: Link) -> Self {
        self.net.borrow_mut().link = link;
        self
    }

    /// Sets the costs of all work: see [`Costs`]. A node can have [its own](Self::set_costs).
    #[must_use]
    pub fn costs(self, costs: Costs) -> Self {
        self.net.borrow_mut().usual_costs = costs;
        self
    }

    /// Sets the link between two nodes, in both directions.
    pub fn set_link(&mut self, one: NodeId, other: NodeId, link: Link) {
        let mut net = self.net.borrow_mut();
        net.links.insert((one, other), link);
        net.links.insert((other, one), link);
    }

    /// Sets the costs of work on one node, for example on a fast node, or on one that stands for a thousand
    /// machines that do not wait for each other.
    pub fn set_costs(&mut self, node: NodeId, costs: Costs) {
        self.net.borrow_mut().host_mut(node).costs = Some(costs);
    }

    /// Has the reactors of nodes that start from now on made by `make`, from the backends of the nodes: for a backend
    /// that wraps another one. Default: [`Reactor::with_backend`].
    ///
    /// ```
    /// use ropewalk::Reactor;
    /// use ropewalk_simulation::World;
    ///
    /// let mut world = World::new(1);
    /// world.set_reactor(|node, backend| {
    ///     println!("{node:?} starts");
    ///     Reactor::with_backend(backend) // Or with a wrapper of it.
    /// });
    /// ```
    pub fn set_reactor(&mut self, make: impl FnMut(NodeId, NodeBackend) -> Reactor + 'static) {
        self.make_reactor = Box::new(make);
    }

    /// Adds a node and starts it. All nodes can look its name up.
    ///
    /// If the program fails, it is tried again after a second, with a new reactor.
    pub fn add_node(
        &mut self,
        name: &str,
        program: impl FnMut(&mut Reactor) -> Result<(), Error> + 'static,
    ) -> NodeId {
        let node = {
            let mut net = self.net.borrow_mut();
            let node = NodeId(net.hosts.len() as u32);
            let host = Host::new(node.0, name);
            let answer = NameAnswer::at_once([host.ipv4.into(), host.ipv6.into()]);
            net.names.insert(name.to_owned(), answer);
            net.hosts.push(host);
            node
        };
        self.nodes.push(Node {
            program: Box::new(program),
            reactor: None,
            machine_on: true,
            program_on: true,
            retry_at: None,
        });
        self.net.borrow_mut().update_conditions(node);
        self.update_node(node);
        node
    }

    /// Assigns addresses to a name, or removes the name if there are none.
    pub fn set_name(&mut self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        let answer = NameAnswer::at_once(addresses);
        self.set_name_answer(name, answer);
    }

    /// Sets what the name server answers to a name: when each address arrives, and how the answer ends.
    ///
    /// ```
    /// use ropewalk_simulation::{NameAnswer, World};
    ///
    /// let mut world = World::new(1);
    /// world.set_name_answer("example.org", NameAnswer::new().hangs());
    /// world.add_node("client", |reactor| {
    ///     reactor.context().resolve("example.org:443", |_, found| {
    ///         let error = found.unwrap_err();
    ///         assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    ///     })?;
    ///     Ok(())
    /// });
    /// world.run_for(std::time::Duration::from_secs(60));
    /// ```
    pub fn set_name_answer(&mut self, name: &str, answer: NameAnswer) {
        self.net.borrow_mut().names.insert(name.to_owned(), answer);
    }

    /// Returns the seed.
    pub fn seed(&self) -> u64 {
        self.net.borrow().seed
    }

    /// Returns a node's IPv4 address.
    pub fn ipv4(&self, node: NodeId) -> IpAddr {
        self.net.borrow().host(node).ipv4.into()
    }

    /// Returns a node's IPv6 address.
    pub fn ipv6(&self, node: NodeId) -> IpAddr {
        self.net.borrow().host(node).ipv6.into()
    }

    /// Returns a node's name.
    pub fn name(&self, node: NodeId) -> String {
        self.net.borrow().host(node).name.clone()
    }

    /// Returns all nodes, in the order in which they were added.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// Returns how long a node has worked since it was added, by its [`Costs`]. The rest of the time it was idle.
    pub fn worked(&self, node: NodeId) -> Duration {
        let mut net = self.net.borrow_mut();
        net.finish_work(); // Work outside of turns counts as well.
        Duration::from_nanos(net.host(node).worked)
    }

    /// Returns the time since the world began.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.net.borrow().now)
    }

    /// Returns a node's reactor, or `None` if the node is not running.
    pub fn reactor(&mut self, node: NodeId) -> Option<&mut Reactor> {
        {
            // The reactor handles the caller's requests in its next turn.
            let mut net = self.net.borrow_mut();
            net.begin_work(node);
            net.schedule_turn(node);
        }
        self.nodes[node.index()].reactor.as_mut()
    }

    /// Calls `watcher` for each record of the trace.
    ///
    /// ```
    /// use ropewalk_simulation::World;
    ///
    /// let mut world = World::new(1);
    /// world.on_record(|record| {
    ///     if record.name == "server" {
    ///         println!("{record}");
    ///     }
    /// });
    /// ```
    pub fn on_record(&mut self, watcher: impl FnMut(&Record<'_>) + 'static) {
        self.net.borrow_mut().trace.set_watcher(Box::new(watcher));
    }

    /// Returns the hash of the trace so far.
    pub fn trace(&self) -> TraceHash {
        self.net.borrow().trace.hash()
    }

    /// Returns the number of records in the trace so far.
    pub fn records(&self) -> u64 {
        self.net.borrow().trace.records()
    }

    /// Returns the number of callbacks so far.
    pub fn callbacks(&self) -> u64 {
        self.net.borrow().trace.callbacks()
    }

    /// Returns the number of connections in the network, including those with segments still in flight.
    pub fn connections(&self) -> usize {
        self.net.borrow().connections()
    }

    /// Removes a node's reactor.
    pub(crate) fn take_reactor(&mut self, node: NodeId) -> Option<Reactor> {
        self.nodes[node.index()].reactor.take()
    }

    pub(crate) fn net(&self) -> &Shared {
        &self.net
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("nodes", &self.nodes.len())
            .field("now", &self.now())
            .field("trace", &self.trace())
            .finish_non_exhaustive()
    }
}
