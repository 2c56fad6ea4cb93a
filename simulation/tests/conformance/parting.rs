//! Sides that are held, or hear nothing of each other.

use crate::actors::Heard;
use crate::ground::{Client, Ground, Kind, Server, Side, node};
use ropewalk::{Factory, Transport};
use ropewalk_simulation::{Fault, FaultKind, Plan};
use socket2::{SockFilter, Socket};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

/// How long a simulated side is held: the system's wait before it knocks again at a full queue is longer.
const HELD: Duration = Duration::from_millis(500);

/// A BPF program that lets nothing through: `ret 0`.
const NOTHING: SockFilter = SockFilter::new(6, 0, 0, 0);

impl Ground {
    /// A side that has a reactor of its own does nothing from now on.
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

    /// And goes on.
    pub(crate) fn release(&mut self) {
        match &mut self.kind {
            Kind::Real { held, .. } => *held = None,
            Kind::Simulated { world, .. } => {
                let left = self.held_until.checked_sub(world.now()).expect("it is still held");
                world.run_for(left);
            }
        }
    }

    /// Two sides with reactors of their own are connected, and `deaf` is the one that may be made to hear nothing.
    pub(crate) fn meet<S, C>(&mut self, deaf: Side, server: S, client: C)
    where
        S: FnMut(&mut Transport<'_>, Heard<'_>) + Clone + 'static,
        C: FnMut(&mut Transport<'_>, Heard<'_>) + Clone + 'static,
    {
        if let Kind::Simulated { .. } = self.kind {
            let address = self.listen("server", server);
            self.connect("client", address, client);
        } else {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let ours = listener.local_addr().and_then(TcpStream::connect).expect("a connection");
            let (theirs, _) = listener.accept().expect("a connection");
            let its = if deaf == Server { &theirs } else { &ours };
            self.deaf = Some(Socket::from(its.try_clone().expect("another descriptor")));
            let peer = listener.local_addr().expect("an address").into();
            let server = self.actors("server", server).build(&peer).expect("a protocol");
            let client = self.actors("client", client).build(&peer).expect("a protocol");
            self.at(Server).adopt_connection(theirs, server).expect("a connection");
            self.at(Client).adopt_connection(ours, client).expect("a connection");
        }
        self.until("both there", |log| log.made("server") && log.made("client"));
        self.settle();
    }

    /// From now on `deaf` hears nothing, and what is sent to it is lost.
    pub(crate) fn part(&mut self, deaf: Side) {
        match &mut self.kind {
            Kind::Simulated { world, nodes } => {
                let speaks = if deaf == Server { Client } else { Server };
                world.cut([node(speaks, nodes)], [node(deaf, nodes)]);
            }
            Kind::Real { .. } => {
                let socket = self.deaf.as_ref().expect("they have met");
                socket.attach_filter(&[NOTHING]).expect("a filter");
            }
        }
    }

    /// And hears again.
    pub(crate) fn heal(&mut self) {
        match &mut self.kind {
            Kind::Simulated { world, .. } => world.heal(),
            Kind::Real { .. } => {
                let socket = self.deaf.take().expect("it is deaf");
                socket.detach_filter().expect("its filter");
            }
        }
    }
}
