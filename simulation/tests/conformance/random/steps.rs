//! Running of steps: what each operation does.

use crate::actors::plain;
use crate::environment::{Client, Environment, Server, Side};
use crate::random::actors::{Coming, Datagrams, Pieces, Streams};
use crate::random::observations::Observations;
use crate::random::script::{Behaviour, End, Op, Place, Script, Target};
use ropewalk::{Address, ConnectOptions, Context, DatagramOptions, Error, Id, ListenOptions};
use ropewalk::{Port, SocketOption, UnixAddress};
use std::net::SocketAddr;

/// An environment with the objects that a script has made.
pub(crate) struct Stage {
    pub(crate) environment: Environment,
    pub(crate) notes: Observations,
    listeners: Vec<Listener>,
    /// The number of connections.
    conns: usize,
    sockets: Vec<Socket>,
    /// Datagrams differ in their bytes.
    sent: u8,
}

struct Listener {
    id: Option<Id>,
    address: Address,
    coming: Coming,
}

struct Socket {
    side: Side,
    id: Option<Id>,
    address: Address,
}

impl Stage {
    pub(crate) fn new(environment: Environment, script: &Script) -> Self {
        let notes = Observations::new(&script.vague);
        Self { environment, notes, listeners: Vec::new(), conns: 0, sockets: Vec::new(), sent: 0 }
    }

    /// Begins a step.
    pub(crate) fn begin(&mut self, step: &[Op]) {
        self.notes.forget();
        // Connections of the last step have been accepted.
        self.listeners.iter().for_each(|listener| listener.coming.borrow_mut().clear());
        for op in step {
            self.run(op);
        }
    }

    fn run(&mut self, op: &Op) {
        match op {
            Op::Listen(place, options) => self.listen(place, options),
            Op::Connect(to, options, manners) => {
                let address = self.listeners[*to].address.clone();
                let coming = self.listeners[*to].coming.clone();
                coming.borrow_mut().push_back((self.conns, manners[Server as usize]));
                self.connect(address, options, manners);
            }
            Op::ConnectWrongly(to, manners) => {
                let address = self.sockets[*to].address.clone();
                self.connect(address, &[], manners);
            }
            Op::CloseListener(listener) => self.at_listener(*listener, |context, id| {
                context.close(id);
                Ok(())
            }),
            Op::SetOnListener(listener, option) => {
                self.at_listener(*listener, |context, id| context.set_option(id, option.clone()));
            }
            Op::Bind(side, place, options) => self.bind(*side, place, options),
            Op::Tie(side, target, options) => self.tie(*side, *target, options),
            Op::Retie(socket, target) => {
                if let Some(address) = self.peer(*target) {
                    self.at_socket(*socket, |context, id| context.datagram(id).connect(address));
                }
            }
            Op::Send(socket, target, count, size) => self.send(*socket, *target, *count, *size),
            Op::SetOnSocket(socket, option) => {
                self.at_socket(*socket, |context, id| context.set_option(id, option.clone()));
            }
            Op::CloseSocket(socket) => self.at_socket(*socket, |context, id| {
                context.close(id);
                Ok(())
            }),
            op => self.play_on_connection(op),
        }
    }

    fn play_on_connection(&mut self, op: &Op) {
        let notes = self.notes.clone();
        match op {
            Op::Write(end, count) => {
                self.at_end(*end, |context, id| {
                    context.transport(id).write(&notes.next_bytes(*end, *count))
                });
            }
            Op::Produce(end, left, size) => self.at_end(*end, |context, id| {
                let pieces = Pieces { notes: notes.clone(), end: *end, left: *left, size: *size };
                note(
                    &notes,
                    &end.to_string(),
                    context.transport(id).register_pull_producer(pieces),
                );
            }),
            Op::EndWriting(end) => {
                self.at_end(*end, |context, id| context.transport(id).write_eof())
            }
            Op::Close(end) => self.at_end(*end, Context::close),
            Op::Abort(end) => self.at_end(*end, Context::abort),
            Op::Pause(end) => self.at_end(*end, |context, id| context.transport(id).pause()),
            Op::Resume(end) => self.at_end(*end, |context, id| context.transport(id).resume()),
            Op::Set(end, option) => self.at_end(*end, |context, id| {
                note(&notes, &end.to_string(), context.set_option(id, option.clone()));
            }),
            op => unreachable!("{op:?} concerns no connection"),
        }
    }

    fn at_end(&mut self, end: End, act: impl FnOnce(&mut Context, Id)) {
        if let Some(id) = self.notes.id(end) {
            act(self.environment.at(end.1), id);
        }
    }

    fn at_listener(
        &mut self,
        number: usize,
        act: impl FnOnce(&mut Context, Id) -> Result<(), Error>,
    ) {
        if let Some(id) = self.listeners[number].id {
            let outcome = act(self.environment.at(Server), id);
            note(&self.notes, &format!("listener {number}"), outcome);
        }
    }

    fn at_socket(
        &mut self,
        number: usize,
        act: impl FnOnce(&mut Context, Id) -> Result<(), Error>,
    ) {
        let socket = &self.sockets[number];
        if let Some(id) = socket.id {
            let outcome = act(self.environment.at(socket.side), id);
            note(&self.notes, &format!("socket {number}"), outcome);
        }
    }

    /// Returns the address of a new socket.
    fn address(&mut self, side: Side, place: &Place, which: &str, of: &[Address]) -> Address {
        match place {
            Place::Ip => SocketAddr::new(self.environment.ip(side), 0).into(),
            Place::Path => UnixAddress::from(self.environment.path(which)).into(),
            Place::Abstract => {
                let name = self.environment.path(which);
                UnixAddress::abstract_name(name.to_string_lossy().as_bytes()).into()
            }
            Place::Unnamed => UnixAddress::unnamed().into(),
            Place::Of(number) => of[*number].clone(),
            Place::Foreign => Address::Inet("192.0.2.77:0".parse().expect("an address")),
        }
    }

    fn listen(&mut self, place: &Place, options: &[SocketOption]) {
        let number = self.listeners.len();
        let coming = match place {
            Place::Of(other) => self.listeners[*other].coming.clone(),
            _ => Coming::default(),
        };
        let taken: Vec<_> = self.listeners.iter().map(|other| other.address.clone()).collect();
        let address = self.address(Server, place, &format!("listener {number}"), &taken);
        let factory = Streams::server(&self.notes, &coming);
        let context = self.environment.at(Server);
        let outcome = match &address {
            Address::Unix(name) => context.listen_unix(name.clone(), factory),
            address => {
                let begin = ListenOptions::new();
                let options = options.iter().cloned().fold(begin, ListenOptions::option);
                options.listen_tcp(context, address.socket_addr().expect("an IP"), factory)
            }
        };
        let (id, address) = opened(&outcome, address);
        note(&self.notes, &format!("listener {number}"), outcome);
        self.listeners.push(Listener { id, address, coming });
    }

    fn connect(&mut self, address: Address, options: &[SocketOption], manners: &[Behaviour; 2]) {
        let end = End(self.conns, Client);
        self.conns += 1;
        let factory = Streams::client(&self.notes, end.0, manners[Client as usize]);
        let context = self.environment.at(Client);
        let outcome = match &address {
            Address::Unix(name) => context.connect_unix(name.clone(), factory),
            address => {
                let begin = ConnectOptions::new();
                let options = options.iter().cloned().fold(begin, ConnectOptions::option);
                options.connect_tcp(context, address.socket_addr().expect("an IP"), factory)
            }
        };
        match outcome {
            Ok(id) => self.notes.know(end, id),
            Err(error) => self.notes.note(end, plain(&error)),
        }
    }

    fn bind(&mut self, side: Side, place: &Place, options: &[SocketOption]) {
        let number = self.sockets.len();
        let taken: Vec<_> = self.sockets.iter().map(|other| other.address.clone()).collect();
        let address = self.address(side, place, &format!("socket {number}"), &taken);
        let options = options.iter().cloned().fold(DatagramOptions::new(), DatagramOptions::option);
        let actor = self.actor();
        let context = self.environment.at(side);
        let outcome = match &address {
            Address::Unix(name) => options.listen_unix_datagram(context, name.clone(), actor),
            address => options.listen_udp(context, address.socket_addr().expect("an IP"), actor),
        };
        self.keep(side, outcome, address);
    }

    fn tie(&mut self, side: Side, target: Target, options: &[SocketOption]) {
        let Some(address) = self.peer(target) else {
            let (id, address) = (None, SocketAddr::new(self.environment.ip(side), 0).into());
            return self.sockets.push(Socket { side, id, address });
        };
        let options = options.iter().cloned().fold(DatagramOptions::new(), DatagramOptions::option);
        let actor = self.actor();
        let context = self.environment.at(side);
        let outcome = match &address {
            Address::Unix(name) => options.connect_unix_datagram(context, name.clone(), actor),
            address => options.connect_udp(context, address.socket_addr().expect("an IP"), actor),
        };
        let no_port = SocketAddr::new(self.environment.ip(side), 0).into();
        let address = if address.ip().is_some() { no_port } else { address };
        self.keep(side, outcome, address);
    }

    fn actor(&self) -> Datagrams {
        let name = format!("socket {}", self.sockets.len());
        Datagrams { notes: self.notes.clone(), name }
    }

    fn keep(&mut self, side: Side, outcome: Result<Port, Error>, address: Address) {
        let name = format!("socket {}", self.sockets.len());
        let (id, address) = opened(&outcome, address);
        if id.is_some() && !matches!(&address, Address::Unix(name) if name.is_unnamed()) {
            self.notes.know_name(&address, name.clone());
        }
        note(&self.notes, &name, outcome);
        self.sockets.push(Socket { side, id, address });
    }

    /// Returns the address to connect a datagram socket to. A socket without a port cannot be a peer.
    fn peer(&mut self, target: Target) -> Option<Address> {
        self.target(target).filter(|address| address.port() != Some(0))
    }

    fn target(&mut self, target: Target) -> Option<Address> {
        Some(match target {
            Target::Peer => return None,
            Target::Socket(number) => self.sockets[number].address.clone(),
            Target::Listener(number) => self.listeners[number].address.clone(),
            Target::Nobody => UnixAddress::from(self.environment.path("nobody")).into(),
        })
    }

    fn send(&mut self, socket: usize, target: Target, count: usize, size: usize) {
        let to = self.target(target);
        let Socket { side, id: Some(id), .. } = self.sockets[socket] else { return };
        for _ in 0..count {
            self.sent = self.sent.wrapping_add(1);
            let data = vec![self.sent; size];
            match &to {
                Some(address) => {
                    self.environment.at(side).datagram(id).send_to(&data, address.clone())
                }
                None => self.environment.at(side).datagram(id).send(&data),
            }
        }
    }
}

fn note<T>(notes: &Observations, who: &str, outcome: Result<T, Error>) {
    match outcome {
        Ok(_) => notes.note(who, "done"),
        Err(error) => notes.note(who, plain(&error)),
    }
}

fn opened(outcome: &Result<Port, Error>, address: Address) -> (Option<Id>, Address) {
    match outcome {
        Ok(port) => (Some(port.id()), port.address().clone()),
        Err(_) => (None, address),
    }
}
