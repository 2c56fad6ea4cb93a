//! A simulated world: nodes, the network between them, and their time.

mod faults;
mod outage;
mod panics;
mod run;

pub(crate) use panics::Panics;

use crate::backend::Wakeups;
use crate::conditions::{Costs, Link};
use crate::fault::Fault;
use crate::net::{Net, Shared};
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

/// A simulated world, made from a seed: nodes that have reactors of their own, a network, and a clock that
/// goes as fast as things happen.
///
/// The code of the nodes is the code that runs on real sockets, and cannot tell. All that is left to
/// chance is drawn from the seed, so a world made from the same seed goes the same way again.
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
/// let heard = Rc::new(Cell::new(0));
/// let ask = heard.clone();
/// world.add_node("client", move |reactor| {
///     let ask = ask.clone();
///     reactor.connect_tcp("server:7000", move || Ask(ask.clone())).map(drop)
/// });
/// world.run_for(Duration::from_secs(1));
/// assert_eq!(heard.get(), 5);
/// ```
///
/// # What a node is
///
/// It has a name, which is also what the others find it by, an IPv4 and an IPv6 address, and a program: a
/// function that is given a new reactor when the node starts, and again whenever it starts anew after a
/// [crash](Self::crash), as of the power, or after it was [killed](Self::kill). What is to survive a crash has to lie outside of it, as on a disk.
///
/// A node works for itself: while it does, its time goes on ([`Costs`]), and what comes meanwhile waits.
///
/// # A panic fails the run
///
/// A reactor catches the panics of callbacks, so that each costs no more than its connection. Here it does
/// the same, and then the panic goes on, out of the method of `World` that was running, with the node,
/// the callback and the message. So a protocol may hold assertions. That holds for timers, calls from other
/// threads, drops, nodes that have stopped or crashed, and for what happens when the world is dropped.
/// Panics that are meant to be have to be [allowed](Self::allow_panics).
///
/// # What is like the system, and what is not
///
/// Sockets behave as Linux's do as far as a program can tell: buffers and windows, the ends of either
/// side, resets, retransmission and its end, keep-alive, full queues of listeners, addresses in use, both
/// families behind one IPv6 socket, groups, Unix names; and errors have the same kinds, numbers and words.
/// `tests/conformance` plays the same scenes on real sockets and here, and compares what the protocols
/// heard. A few things in which the system may surprise:
///
/// - Whoever connects is connected before he is accepted, so he may be told of his connection by a server
///   that never hears of him: if its queue is full, or its listener is closed.
/// - Who gives up before there is an answer is not heard of. On loopback there is one at once.
/// - A reset after the peer's end is met only by those who write.
/// - An abort over a Unix socket is an end to the peer, and a reset only if something was unread.
/// - A refusal that a datagram brings about is told to a connected socket alone.
///
/// What is not like the system: buffers do not grow by themselves, a port is free again as soon as its
/// connection is over (there is no TIME-WAIT), a Unix socket that listens without a name is given none,
/// and a host has one interface beside the loopback. Datagrams overtake each other where a [`Link`] has
/// jitter. There are no descriptors to pass or to watch, and no raw sockets: they are
/// [`Unsupported`](std::io::ErrorKind::Unsupported) here.
pub struct World {
    net: Shared,
    pub(crate) wakeups: Arc<Wakeups>,
    pub(crate) nodes: Vec<Node>,
    /// Those that have been planned; those in force are the network's.
    pub(crate) faults: Vec<Fault>,
}

/// A node, with what has been asked of it. Whether its machine is on and its program runs follows from that and
/// from the faults in force: see [`World::update_node`].
pub(crate) struct Node {
    pub(crate) program: Program,
    pub(crate) reactor: Option<Reactor>,
    /// Its machine is to be on: it was not crashed by the caller since it was started.
    pub(crate) machine_on: bool,
    /// Its program is to run: it was neither crashed nor killed since, nor has it ended in order.
    pub(crate) program_on: bool,
    /// When the program is tried again, which could not start.
    pub(crate) retry_at: Option<Time>,
}

impl World {
    /// An empty world, in which all that is left to chance is drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            net: Rc::new(RefCell::new(Net::new(seed))),
            wakeups: Arc::default(),
            nodes: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Sets what lies between any two nodes: [`Link::LOCAL`] unless set.
    #[must_use]
    pub fn link(self, link: Link) -> Self {
        self.net.borrow_mut().link = link;
        self
    }

    /// Sets how long everything takes: see [`Costs`]. Those of a node can be [its own](Self::set_costs).
    #[must_use]
    pub fn costs(self, costs: Costs) -> Self {
        self.net.borrow_mut().usual_costs = costs;
        self
    }

    /// Sets what lies between two nodes, both ways.
    pub fn set_link(&mut self, one: NodeId, other: NodeId, link: Link) {
        let mut net = self.net.borrow_mut();
        net.links.insert((one, other), link);
        net.links.insert((other, one), link);
    }

    /// Sets how long everything takes on one node: a fast one among slow ones, or one that stands for a thousand
    /// machines, whose work is not to wait for each other's.
    pub fn set_costs(&mut self, node: NodeId, costs: Costs) {
        self.net.borrow_mut().host_mut(node).costs = Some(costs);
    }

    /// Adds a node, and starts it. Its name becomes known to all.
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
            let addresses = vec![host.ipv4.into(), host.ipv6.into()];
            net.names.insert(name.to_owned(), addresses);
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

    /// Gives a name to addresses, or takes it away, if there are none.
    pub fn set_name(&mut self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        let addresses = addresses.into_iter().collect();
        self.net.borrow_mut().names.insert(name.to_owned(), addresses);
    }

    /// The seed from which it was made.
    pub fn seed(&self) -> u64 {
        self.net.borrow().seed
    }

    /// A node's IPv4 address.
    pub fn ipv4(&self, node: NodeId) -> IpAddr {
        self.net.borrow().host(node).ipv4.into()
    }

    /// A node's IPv6 address.
    pub fn ipv6(&self, node: NodeId) -> IpAddr {
        self.net.borrow().host(node).ipv6.into()
    }

    /// A node's name.
    pub fn name(&self, node: NodeId) -> String {
        self.net.borrow().host(node).name.clone()
    }

    /// All nodes, in the order in which they were added.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// How long a node has worked since it was added, by its [`Costs`]: the rest of the time it was idle.
    pub fn worked(&self, node: NodeId) -> Duration {
        let mut net = self.net.borrow_mut();
        net.finish_work(); // What it was asked outside of its turns counts.
        Duration::from_nanos(net.host(node).worked)
    }

    /// How long the world has been there.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.net.borrow().now)
    }

    /// A node's reactor, to ask it something or have it do something; none, if the node has crashed.
    pub fn reactor(&mut self, node: NodeId) -> Option<&mut Reactor> {
        {
            // What it is asked to do here is done in its next turn.
            let mut net = self.net.borrow_mut();
            net.begin_work(node);
            net.schedule_turn(node);
        }
        self.nodes[node.index()].reactor.as_mut()
    }

    /// Has everything that happens told to `watcher`, as it happens.
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

    /// The hash of all that has happened so far.
    pub fn trace(&self) -> TraceHash {
        self.net.borrow().trace.hash()
    }

    /// How much has happened so far: the records of the trace.
    pub fn records(&self) -> u64 {
        self.net.borrow().trace.records()
    }

    /// How many callbacks of users' code there have been.
    pub fn callbacks(&self) -> u64 {
        self.net.borrow().trace.callbacks()
    }

    /// How many connections there are in the network, with those of which something is still on its way.
    pub fn connections(&self) -> usize {
        self.net.borrow().connections()
    }

    /// Takes a node's reactor away.
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
