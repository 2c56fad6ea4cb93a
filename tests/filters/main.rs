//! Filters: the bytes of connections turned into other bytes.

mod handshakes;
mod limits;
mod midstream;
mod panics;
mod stacks;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod timers;

use ropewalk::{
    Address, ConnectOptions, Context, Error, Factory, Id, ListenOptions, Port, Protocol, Reactor,
    Transport,
};
use ropewalk_simulation::kit::ToyCipher;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use support::*;

/// A reactor with a server and a client on both ends of one connection.
struct Scene {
    reactor: Reactor,
    server: Log,
    client: Log,
    /// Failed handshakes of the server, and failed attempts of the client.
    refused: Refused,
    failures: Failures,
    port: Port,
    address: SocketAddr,
}

type Refused = Rc<RefCell<Vec<(Address, Error)>>>;
type Made = Box<dyn Fn(&Address) -> Recorder>;

/// A server's factory that records failed handshakes.
struct Server {
    refused: Refused,
    accepts: bool,
    make: Made,
}

impl Factory for Server {
    fn accepts(&mut self, _peer: &Address) -> bool {
        self.accepts
    }

    fn build(&mut self, peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new((self.make)(peer)))
    }

    fn handshake_failed(&mut self, _context: &mut Context, peer: &Address, error: Error) {
        self.refused.borrow_mut().push((peer.clone(), error));
    }
}

impl Scene {
    /// A server with these options.
    fn new(
        options: &ListenOptions,
        hook: impl FnMut(&mut Transport<'_>, &Event) + Clone + 'static,
    ) -> Self {
        Self::with(options, true, move |log, _| Recorder::new(log, hook.clone()))
    }

    fn with(
        options: &ListenOptions,
        accepts: bool,
        make: impl Fn(&Log, &Address) -> Recorder + 'static,
    ) -> Self {
        let mut reactor = Reactor::new().expect("a reactor");
        let (server, client, refused) = (Log::default(), Log::default(), Refused::default());
        let log = server.clone();
        let make: Made = Box::new(move |peer| make(&log, peer));
        let factory = Server { refused: Rc::clone(&refused), accepts, make };
        let port = options.listen_tcp(reactor.context(), "127.0.0.1:0", factory).unwrap();
        let address = port.address().socket_addr().expect("an IP address");
        let failures = Failures::default();
        Self { reactor, server, client, refused, failures, port, address }
    }

    /// A server behind the toy cipher.
    fn ciphered(hook: impl FnMut(&mut Transport<'_>, &Event) + Clone + 'static) -> Self {
        Self::new(&listen(), hook)
    }

    fn connect(
        &mut self,
        options: &ConnectOptions,
        hook: impl FnMut(&mut Transport<'_>, &Event) + 'static,
    ) -> Id {
        let caller = Caller::new(&self.client, &self.failures, hook);
        options.connect_tcp(self.reactor.context(), self.address, caller).expect("begun")
    }

    fn turn_until(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> bool) {
        let begin = std::time::Instant::now();
        while !condition(self) {
            assert!(
                begin.elapsed() < PATIENCE,
                "timed out: {what}\nserver {:?}\nclient {:?}\nrefused {:?} failures {:?}",
                self.server.all(),
                self.client.all(),
                self.refused.borrow(),
                self.failures.borrow()
            );
            self.reactor.turn(Some(std::time::Duration::from_millis(20))).expect("a turn");
        }
    }

    /// Turns until both ends are lost, and returns the reasons of the server and of the client.
    fn reasons(&mut self) -> (Vec<String>, Vec<String>) {
        self.turn_until("both ends are lost", |scene| {
            scene.server.lost() == 1 && scene.client.lost() == 1
        });
        self.server.check(true);
        self.client.check(true);
        (self.server.reasons(), self.client.reasons())
    }
}

fn listen() -> ListenOptions {
    ListenOptions::new().filter(|| ToyCipher::server(7))
}

fn ciphered() -> ConnectOptions {
    ConnectOptions::new().filter(|| ToyCipher::client(7))
}
