//! The server of a chat on several nodes.
//!
//! There are two kinds of lines, `join ROOM` and `ROOM TIME TEXT`. A client sends them to its server, which forwards them
//! to the room's home server. The home server forwards lines to every server with members of the room, and each server
//! to its members, including the sender. So all members receive the lines in the same order.
//!
//! A server is the home of some of the rooms, and has a connection to itself like those to other servers.

use crate::gauge::Gauge;
use ropewalk::{Address, Context, Error, Id, Reactor, Reason};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

/// The ports of a simulated server, for clients and for other servers.
const CLIENT_PORT: u16 = 7000;
const HOME_PORT: u16 = 7001;

/// Returns the name of a server on the network.
pub(crate) fn name(server: u32) -> String {
    format!("server-{server}")
}

/// The addresses of servers.
#[derive(Clone, Copy)]
pub(crate) struct Site {
    ip: &'static str,
    client_port: u16,
    home_port: u16,
    host: fn(u32) -> String,
}

impl Site {
    /// In the simulation, with a node for each server.
    pub(crate) const SIMULATED: Self =
        Self { ip: "0.0.0.0", client_port: CLIENT_PORT, home_port: HOME_PORT, host: name };

    /// On this machine, for one server, with ports that the system chooses.
    #[cfg(unix)]
    pub(crate) const LOOPBACK: Self =
        Self { ip: "127.0.0.1", client_port: 0, home_port: 0, host: |_| "127.0.0.1".to_owned() };

    /// Returns the address for clients of a server. The port is 0 if the system chooses it.
    pub(crate) fn address(&self, server: u32) -> String {
        format!("{}:{}", (self.host)(server), self.client_port)
    }
}

/// Starts one of `servers` servers. Returns its address for clients.
pub(crate) fn serve(
    reactor: &mut Reactor,
    servers: u32,
    site: Site,
    gauge: &Rc<Gauge>,
) -> Result<Address, Error> {
    let server = Rc::new(Server {
        host: site.host,
        home_port: Cell::new(site.home_port),
        members: Rooms::default(),
        branches: Rooms::default(),
        homes: RefCell::new(vec![None; servers as usize]),
        turn: Cell::new(reactor.context().now()),
        lines: Cell::new(0),
        gauge: gauge.clone(),
    });
    let home = server.clone();
    let branch = move || LineReceiver::new(Branch(home.clone()));
    let homes = reactor.listen_tcp(format!("{}:{}", site.ip, site.home_port), branch)?;
    server.home_port.set(homes.address().port().expect("a TCP listener has a port"));
    let client = move || LineReceiver::new(Client(server.clone()));
    let clients = reactor.listen_tcp(format!("{}:{}", site.ip, site.client_port), client)?;
    Ok(clients.address().clone())
}

struct Server {
    /// The hosts and the port of home servers.
    host: fn(u32) -> String,
    home_port: Cell<u16>,
    /// The connections of clients by room.
    members: Rooms,
    /// The connections of servers with members, for the rooms of this home server.
    branches: Rooms,
    /// The connections to home servers, made when they are needed.
    homes: RefCell<Vec<Option<Id>>>,
    /// The present turn of the reactor, and the number of lines received in it.
    turn: Cell<Instant>,
    lines: Cell<u64>,
    gauge: Rc<Gauge>,
}

impl Server {
    /// Sends a line to the home server of its room.
    fn send_home(self: &Rc<Self>, context: &mut Context, room: u32, line: &[u8]) {
        let mut homes = self.homes.borrow_mut();
        let number = room as usize % homes.len();
        let home = *homes[number].get_or_insert_with(|| {
            let host = (self.host)(number as u32);
            let (address, server) = (format!("{host}:{}", self.home_port.get()), self.clone());
            let root = move || LineReceiver::new(Root(server.clone()));
            context.connect_tcp(address, root).expect("every server listens")
        });
        write_line(context, home, line);
        self.gauge.note_send_buffer(context.transport(home).write_buffer_size());
    }

    /// Counts the lines of a turn, which arrived during the previous turn.
    fn note_line(&self, context: &Context) {
        let before = self.turn.replace(context.now());
        if before == context.now() {
            self.lines.set(self.lines.get() + 1);
        } else {
            self.gauge.note_turn(self.lines.replace(1));
        }
    }
}

/// Connections by room. They are ordered, so that runs are reproducible.
#[derive(Default)]
struct Rooms(RefCell<BTreeMap<u32, Vec<Id>>>);

impl Rooms {
    /// Adds a connection to a room. Returns true if it is the first one.
    fn join(&self, room: u32, id: Id) -> bool {
        let mut rooms = self.0.borrow_mut();
        let connections = rooms.entry(room).or_default();
        connections.push(id);
        connections.len() == 1
    }

    fn send(&self, context: &mut Context, room: u32, line: &[u8], gauge: &Gauge) {
        let rooms = self.0.borrow();
        for id in rooms.get(&room).into_iter().flatten() {
            write_line(context, *id, line);
            gauge.note_send_buffer(context.transport(*id).write_buffer_size());
        }
    }
}

/// The protocol of a client's connection.
struct Client(Rc<Server>);

impl LineHandler for Client {
    type Line = [u8];

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &[u8]) {
        let (server, id) = (&self.0, lines.id());
        server.note_line(lines.context());
        match joined(line) {
            Some(room) if !server.members.join(room, id) => {} // The home server has a connection of this server.
            Some(room) => server.send_home(lines.context(), room, line),
            None => server.send_home(lines.context(), room_of(line), line),
        }
    }

    fn connection_lost(&mut self, _lines: &mut LineTransport<'_>, _reason: Reason) {
        self.0.gauge.note_break();
    }
}

/// The protocol at the home server of a connection with a server that has members.
struct Branch(Rc<Server>);

impl LineHandler for Branch {
    type Line = [u8];

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &[u8]) {
        let (server, id) = (&self.0, lines.id());
        server.note_line(lines.context());
        match joined(line) {
            Some(room) => _ = server.branches.join(room, id),
            None => server.branches.send(lines.context(), room_of(line), line, &server.gauge),
        }
    }

    fn connection_lost(&mut self, _lines: &mut LineTransport<'_>, _reason: Reason) {
        self.0.gauge.note_break();
    }
}

/// The protocol of a connection to a home server.
struct Root(Rc<Server>);

impl LineHandler for Root {
    type Line = [u8];

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &[u8]) {
        let server = &self.0;
        server.note_line(lines.context());
        server.members.send(lines.context(), room_of(line), line, &server.gauge);
    }

    fn connection_lost(&mut self, _lines: &mut LineTransport<'_>, _reason: Reason) {
        self.0.gauge.note_break();
    }
}

fn write_line(context: &mut Context, id: Id, line: &[u8]) {
    context.transport(id).write(line);
    context.transport(id).write(b"\n");
}

/// Returns the room of `join ROOM`.
fn joined(line: &[u8]) -> Option<u32> {
    line.strip_prefix(b"join ").map(number)
}

/// Returns the room of `ROOM TIME TEXT`.
fn room_of(line: &[u8]) -> u32 {
    number(line)
}

/// Returns the number at the beginning of a text.
fn number(text: &[u8]) -> u32 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}
