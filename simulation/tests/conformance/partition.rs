//! Sides that run no turns, or receive nothing.

use crate::actors::Event;
use crate::environment::{Client, Environment, Kind, Server, Side, node};
use ropewalk::{Factory, Transport};
use ropewalk_simulation::{Fault, FaultKind, Plan};
use socket2::{SockFilter, Socket};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

/// How long a simulated side is held: longer than the system's retransmission to a full queue.
const HELD: Duration = Duration::from_millis(500);

/// A BPF program that drops all packets: `ret 0`.
const NOTHING: SockFilter = SockFilter::new(6, 0, 0, 0);

impl Environment {
    /// Holds a side that has its own reactor: it runs no turns.
    pub(crate) fn hold(&mut self, side: Side) {
        match &mut self.kind {
            Kind::Real { held, .. } => *held = Some(side),
            Kind::Simulated { world, nodes } => {
                let (node, mut plan) = (node(side, nodes), Plan::none());
                let fault = Fault { kind: FaultKind::Stall, node, other: node, severity: 1.0 };
                plan.add(Duration::ZERO, HELD, fault);
                world.add_faults(&plan);
                self.held_until = world.now() + HELD;
            }
        }
        self.settle();
    }

    /// Releases the held side.
    pub(crate) fn release(&mut self) {
        match &mut self.kind {
            Kind::Real { held, .. } => *held = None,
            Kind::Simulated { world, .. } => {
                let left = self.held_until.checked_sub(world.now()).expect("it is still held");
                world.run_for(left);
            }
        }
    }

    /// Connects two sides with their own reactors. `deaf` is the side that can be made to receive nothing.
    pub(crate) fn meet<S, C>(&mut self, unreachable: Side, server: S, client: C)
    where
        S: FnMut(&mut Transport<'_>, Event<'_>) + Clone + 'static,
        C: FnMut(&mut Transport<'_>, Event<'_>) + Clone + 'static,
    {
        if let Kind::Simulated { .. } = self.kind {
            let address = self.listen("server", server);
            self.connect("client", address, client);
        } else {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let ours = listener.local_addr().and_then(TcpStream::connect).expect("a connection");
            let (theirs, _) = listener.accept().expect("a connection");
            let its = if unreachable == Server { &theirs } else { &ours };
            self.unreachable = Some(Socket::from(its.try_clone().expect("another descriptor")));
            let peer = listener.local_addr().expect("an address").into();
            let server = self.actors("server", server).build(&peer).expect("a protocol");
            let client = self.actors("client", client).build(&peer).expect("a protocol");
            self.at(Server).adopt_connection(theirs, server).expect("a connection");
            self.at(Client).adopt_connection(ours, client).expect("a connection");
        }
        self.until("both there", |log| log.made("server") && log.made("client"));
        self.settle();
    }

    /// Drops all packets to `deaf` from now on.
    pub(crate) fn part(&mut self, unreachable: Side) {
        match &mut self.kind {
            Kind::Simulated { world, nodes } => {
                let speaks = if unreachable == Server { Client } else { Server };
                world.cut([node(speaks, nodes)], [node(unreachable, nodes)]);
            }
            Kind::Real { .. } => {
                let socket = self.unreachable.as_ref().expect("they have met");
                socket.attach_filter(&[NOTHING]).expect("a filter");
            }
        }
    }

    /// Lets `deaf` receive again.
    pub(crate) fn heal(&mut self) {
        match &mut self.kind {
            Kind::Simulated { world, .. } => world.heal(),
            Kind::Real { .. } => {
                let socket = self.unreachable.take().expect("it is deaf");
                socket.detach_filter().expect("its filter");
            }
        }
    }
}
