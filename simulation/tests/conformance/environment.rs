//! The environment of a scenario: the loopback of this machine, or a simulated world; either with one reactor for
//! both sides, or with one for each.

use crate::actors::{Actors, DatagramActor, DatagramEvent, Event, plain};
use crate::log::Log;
use ropewalk::{Context, DatagramOptions, DatagramTransport, Error, Id, Port, Reactor};
use ropewalk::{ToAddress, ToAddresses, Transport};
use ropewalk_simulation::{Link, NodeId, World};
use socket2::Socket;
use std::env;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The time limit of a scenario, so that a broken one ends.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// How long an idle reactor waits while the other may have work.
const IDLE_WAIT: Duration = Duration::from_millis(1);

/// The sides of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Server,
    Client,
}

pub(crate) use Side::{Client, Server};

pub(crate) struct Environment {
    pub(crate) kind: Kind,
    log: Log,
    /// A directory for files.
    directory: Option<PathBuf>,
    listener: Option<Id>,
    /// When the held side of a simulation is released.
    pub(crate) held_until: Duration,
    /// They keep ports closed.
    closed: Vec<(TcpListener, TcpStream)>,
    /// A socket that receives nothing at the moment.
    pub(crate) unreachable: Option<Socket>,
}

pub(crate) enum Kind {
    Real {
        /// The reactors of both sides, or of each. `None` after a stop.
        reactors: Vec<Option<Reactor>>,
        /// The side that runs no turns.
        held: Option<Side>,
    },
    Simulated {
        world: World,
        nodes: Vec<NodeId>,
    },
}

/// Runs a scenario in all environments, and compares the events.
#[track_caller]
pub(crate) fn run_everywhere(expected: &[&str], scenario: impl Fn(&mut Environment)) {
    let environments = [
        Environment::real(1),
        Environment::simulated(1),
        Environment::real(2),
        Environment::simulated(2),
    ];
    compare(expected, environments, scenario);
}

/// Runs a scenario with one reactor for both sides, and compares the events.
#[track_caller]
pub(crate) fn run_with_one_reactor(expected: &[&str], scenario: impl Fn(&mut Environment)) {
    compare(expected, [Environment::real(1), Environment::simulated(1)], scenario);
}

/// Runs a scenario with one reactor for each side, and compares the events.
#[track_caller]
pub(crate) fn run_with_two_reactors(expected: &[&str], scenario: impl Fn(&mut Environment)) {
    compare(expected, [Environment::real(2), Environment::simulated(2)], scenario);
}

#[track_caller]
fn compare(
    expected: &[&str],
    environments: impl IntoIterator<Item = Environment>,
    scenario: impl Fn(&mut Environment),
) {
    let mut differs = String::new();
    for mut environment in environments {
        scenario(&mut environment);
        environment.settle();
        let lines = environment.log.lines();
        if lines != expected {
            let what = environment.describe();
            differs += &format!("{what}:\n    {}\n", lines.join("\n    "));
        }
    }
    assert!(differs.is_empty(), "not as expected were\n{differs}");
}

impl Environment {
    pub(crate) fn real(reactors: usize) -> Self {
        let reactors = (0..reactors).map(|_| Some(Reactor::new().expect("a reactor"))).collect();
        Self::of(Kind::Real { reactors, held: None })
    }

    pub(crate) fn simulated(nodes: usize) -> Self {
        // Loopback keeps the order of datagrams.
        let link = Link { jitter: Duration::ZERO, ..Link::LOCAL };
        let mut world = World::new(1).link(link);
        let nodes = ["server", "client"][..nodes]
            .iter()
            .map(|name| world.add_node(name, |_| Ok(())))
            .collect();
        Self::of(Kind::Simulated { world, nodes })
    }

    fn of(kind: Kind) -> Self {
        Self {
            kind,
            log: Log::default(),
            directory: None,
            listener: None,
            held_until: Duration::ZERO,
            closed: Vec::new(),
            unreachable: None,
        }
    }

    fn describe(&self) -> String {
        match &self.kind {
            Kind::Real { reactors, .. } => format!("{} reactors on real sockets", reactors.len()),
            Kind::Simulated { nodes, .. } => format!("{} simulated nodes", nodes.len()),
        }
    }

    pub(crate) fn log(&self) -> Log {
        self.log.clone()
    }

    /// Records a line besides the events.
    pub(crate) fn note(&self, who: &str, what: impl Into<String>) {
        self.log.note(who, what);
    }

    /// Records the result of a request.
    pub(crate) fn note_outcome<T>(&self, who: &str, outcome: Result<T, Error>) {
        match outcome {
            Ok(_) => self.note(who, "done"),
            Err(error) => self.note(who, plain(&error)),
        }
    }

    pub(crate) fn reactor(&mut self, side: Side) -> &mut Reactor {
        let reactor = match &mut self.kind {
            Kind::Real { reactors, .. } => {
                let index = (side as usize).min(reactors.len() - 1);
                reactors[index].as_mut()
            }
            Kind::Simulated { world, nodes } => world.reactor(node(side, nodes)),
        };
        reactor.expect("a reactor that has not stopped")
    }

    pub(crate) fn at(&mut self, side: Side) -> &mut Context {
        self.reactor(side).context()
    }

    /// Calls a function with a side's connection, by the name of its protocol.
    pub(crate) fn with<T>(&mut self, who: &str, act: impl FnOnce(&mut Context, Id) -> T) -> T {
        let side = if who.starts_with("server") { Server } else { Client };
        let id = self.log.id(who);
        act(self.at(side), id)
    }

    /// Returns the IPv4 address of a side.
    pub(crate) fn ip(&self, side: Side) -> IpAddr {
        match &self.kind {
            Kind::Simulated { world, nodes } if nodes.len() > 1 => world.ipv4(node(side, nodes)),
            _ => Ipv4Addr::LOCALHOST.into(),
        }
    }

    /// Returns a port of the server on which no socket listens or will listen.
    pub(crate) fn closed_port(&mut self) -> SocketAddr {
        if let Kind::Simulated { .. } = self.kind {
            return (self.ip(Server), 1).into();
        }
        // It belongs to a connection.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let stream = listener.local_addr().and_then(TcpStream::connect).expect("a connection");
        let address = stream.local_addr().expect("an address");
        self.closed.push((listener, stream));
        address
    }

    /// Returns a path for a Unix socket.
    pub(crate) fn path(&mut self, name: &str) -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let directory = self.directory.get_or_insert_with(|| {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let directory = format!("ropewalk-conformance-{}-{number}", process::id());
            let directory = env::temp_dir().join(directory);
            fs::create_dir_all(&directory).expect("a directory");
            directory
        });
        directory.join(name)
    }

    pub(crate) fn actors<H>(&self, name: &str, hook: H) -> Actors<H> {
        Actors { name: name.to_owned(), log: self.log(), hook, made: 0 }
    }

    pub(crate) fn datagram_actor<H>(&self, name: &str, hook: H) -> DatagramActor<H> {
        DatagramActor { name: name.to_owned(), log: self.log(), hook }
    }

    /// Listens on the server.
    pub(crate) fn listen<H>(&mut self, name: &str, hook: H) -> SocketAddr
    where
        H: FnMut(&mut Transport<'_>, Event<'_>) + Clone + 'static,
    {
        let (address, actors) = ((self.ip(Server), 0), self.actors(name, hook));
        let port = self.at(Server).listen_tcp(address, actors).expect("a free port");
        self.listener = Some(port.id());
        port.address().socket_addr().expect("an IP address")
    }

    /// Returns the server's latest listener.
    pub(crate) fn listener(&self) -> Id {
        self.listener.expect("it listens")
    }

    /// Connects the client.
    pub(crate) fn connect<H>(&mut self, name: &str, address: impl ToAddresses, hook: H) -> Id
    where
        H: FnMut(&mut Transport<'_>, Event<'_>) + Clone + 'static,
    {
        let actors = self.actors(name, hook);
        self.at(Client).connect_tcp(address, actors).expect("an attempt")
    }

    /// Opens a datagram socket of a side, on a port of its own.
    pub(crate) fn bind<H>(&mut self, side: Side, name: &str, hook: H) -> Port
    where
        H: FnMut(&mut DatagramTransport<'_>, DatagramEvent<'_>) + 'static,
    {
        let address = (self.ip(side), 0);
        self.bind_with(side, name, address, &DatagramOptions::new(), hook).expect("a free port")
    }

    pub(crate) fn bind_with<H>(
        &mut self,
        side: Side,
        name: &str,
        address: impl ToAddress,
        options: &DatagramOptions,
        hook: H,
    ) -> Result<Port, Error>
    where
        H: FnMut(&mut DatagramTransport<'_>, DatagramEvent<'_>) + 'static,
    {
        let actor = self.datagram_actor(name, hook);
        options.listen_udp(self.at(side), address, actor)
    }

    /// Opens a connected datagram socket of the client.
    pub(crate) fn bind_to<H>(&mut self, name: &str, peer: impl ToAddress, hook: H) -> Port
    where
        H: FnMut(&mut DatagramTransport<'_>, DatagramEvent<'_>) + 'static,
    {
        let actor = self.datagram_actor(name, hook);
        self.at(Client).connect_udp(peer, actor).expect("a way")
    }

    /// Runs until a condition is true.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut(&Log) -> bool) {
        let log = self.log();
        if let Kind::Simulated { world, .. } = &mut self.kind {
            let done = world.run_until(TIME_LIMIT, |_| done(&log));
            return assert!(done, "simulated, not in time: {what}\n{:#?}", log.lines());
        }
        let begin = Instant::now();
        while !done(&log) {
            self.turn(IDLE_WAIT);
            let in_time = begin.elapsed() < TIME_LIMIT;
            assert!(in_time, "on real sockets, not in time: {what}\n{:#?}", log.lines());
        }
    }

    #[track_caller]
    pub(crate) fn until_lost(&mut self, who: &[&str]) {
        self.until("lost", |log| who.iter().all(|who| log.lost(who)));
    }

    /// Runs until no more events occur immediately.
    pub(crate) fn settle(&mut self) {
        if let Kind::Simulated { world, .. } = &mut self.kind {
            return world.run_for(Duration::from_millis(20));
        }
        // Data sent on loopback has arrived when the call returns, except for work that the system has deferred: a
        // few turns without events show that there is none.
        let mut calm = 0;
        while calm < 3 {
            let before = self.log.lines();
            self.turn(IDLE_WAIT);
            calm = if self.log.lines() == before { calm + 1 } else { 0 };
        }
    }

    pub(crate) fn turn(&mut self, limit: Duration) {
        let Kind::Real { reactors, held } = &mut self.kind else { return };
        for (index, slot) in reactors.iter_mut().enumerate() {
            let is_held = held.is_some_and(|side| side as usize == index);
            if let Some(reactor) = slot.as_mut().filter(|_| !is_held)
                && !reactor.run_turn(Some(limit)).expect("a poll that works")
            {
                *slot = None;
            }
        }
    }

    /// Returns true if the run of a side's reactor has ended.
    pub(crate) fn has_stopped(&mut self, side: Side) -> bool {
        match &mut self.kind {
            Kind::Real { reactors, .. } => reactors[side as usize].is_none(),
            Kind::Simulated { world, nodes } => world.reactor(node(side, nodes)).is_none(),
        }
    }
}

pub(crate) fn node(side: Side, nodes: &[NodeId]) -> NodeId {
    nodes[(side as usize).min(nodes.len() - 1)]
}

impl Drop for Environment {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            _ = fs::remove_dir_all(directory);
        }
    }
}
