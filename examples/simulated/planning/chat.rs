//! A chat that spans nodes: what runs on each of its servers.
//!
//! There are two kinds of lines, `join ROOM` and `ROOM TIME TEXT`. A person sends them to his server, which
//! sends them on to the server that is the home of the room. The home sends what is said to every server that
//! has somebody in the room, and each of those to all whom it has there, the speaker too: so there is one
//! order in which everybody hears it.
//!
//! A server is its own home for some of the rooms, and speaks to itself as it does to others.

use crate::gauge::Gauge;
use ropewalk::{Address, Context, Error, Id, Reactor, Reason};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

/// Where people connect to a simulated server, and where servers do.
const PEOPLE: u16 = 7000;
const HOMES: u16 = 7001;

/// What a server is called on the network.
pub(crate) fn name(server: u32) -> String {
    format!("server-{server}")
}

/// Where a server listens, and where it finds the others.
#[derive(Clone, Copy)]
pub(crate) struct Site {
    ip: &'static str,
    people: u16,
    /// The same port on every server.
    homes: u16,
    host: fn(u32) -> String,
}

impl Site {
    /// In the simulated world, a node for each server.
    pub(crate) const SIMULATED: Self =
        Self { ip: "0.0.0.0", people: PEOPLE, homes: HOMES, host: name };

    /// On this machine, for one server, at ports that the system chooses.
    #[cfg(unix)]
    pub(crate) const LOOPBACK: Self =
        Self { ip: "127.0.0.1", people: 0, homes: 0, host: |_| "127.0.0.1".to_owned() };

    /// Where people connect to a server, unless the system has chosen the port.
    pub(crate) fn address(&self, server: u32) -> String {
        format!("{}:{}", (self.host)(server), self.people)
    }
}

/// Runs a server, one of so many. Where people connect to it.
pub(crate) fn serve(
    reactor: &mut Reactor,
    servers: u32,
    site: Site,
    gauge: &Rc<Gauge>,
) -> Result<Address, Error> {
    let server = Rc::new(Server {
        host: site.host,
        homes_port: Cell::new(site.homes),
        people: Rooms::default(),
        branches: Rooms::default(),
        homes: RefCell::new(vec![None; servers as usize]),
        turn: Cell::new(reactor.context().now()),
        lines: Cell::new(0),
        gauge: gauge.clone(),
    });
    let home = server.clone();
    let branch = move || LineReceiver::new(Branch(home.clone()));
    let homes = reactor.listen_tcp(format!("{}:{}", site.ip, site.homes), branch)?;
    server.homes_port.set(homes.address().port().expect("a TCP listener has one"));
    let person = move || LineReceiver::new(Person(server.clone()));
    let people = reactor.listen_tcp(format!("{}:{}", site.ip, site.people), person)?;
    Ok(people.address().clone())
}

struct Server {
    /// Where the homes are, and at which port: what the system chose, if that is left to it.
    host: fn(u32) -> String,
    homes_port: Cell<u16>,
    /// Those who are connected here.
    people: Rooms,
    /// Of the rooms whose home this is: the servers that have somebody there.
    branches: Rooms,
    /// The connections to the homes, made when they are needed first.
    homes: RefCell<Vec<Option<Id>>>,
    /// The turn of the reactor that goes on, and how many lines came in it.
    turn: Cell<Instant>,
    lines: Cell<u64>,
    gauge: Rc<Gauge>,
}

impl Server {
    /// Sends a line to the home of its room.
    fn send_home(self: &Rc<Self>, context: &mut Context, room: u32, line: &[u8]) {
        let mut homes = self.homes.borrow_mut();
        let number = room as usize % homes.len();
        let home = *homes[number].get_or_insert_with(|| {
            let host = (self.host)(number as u32);
            let (address, server) = (format!("{host}:{}", self.homes_port.get()), self.clone());
            let root = move || LineReceiver::new(Root(server.clone()));
            context.connect_tcp(address, root).expect("every server is there")
        });
        write_line(context, home, line);
        self.gauge.note_waiting(context.write_buffer_size(home));
    }

    /// Counts how many lines come in a turn: those that came while the turn before went on.
    fn note_line(&self, context: &Context) {
        let before = self.turn.replace(context.now());
        if before == context.now() {
            self.lines.set(self.lines.get() + 1);
        } else {
            self.gauge.note_turn(self.lines.replace(1));
        }
    }
}

/// Who is in which room: connections. Ordered, so that nothing depends on chance.
#[derive(Default)]
struct Rooms(RefCell<BTreeMap<u32, Vec<Id>>>);

impl Rooms {
    /// Whether it is the first there.
    fn enter(&self, room: u32, id: Id) -> bool {
        let mut rooms = self.0.borrow_mut();
        let there = rooms.entry(room).or_default();
        there.push(id);
        there.len() == 1
    }

    fn tell(&self, context: &mut Context, room: u32, line: &[u8], gauge: &Gauge) {
        let rooms = self.0.borrow();
        for id in rooms.get(&room).into_iter().flatten() {
            write_line(context, *id, line);
            gauge.note_waiting(context.write_buffer_size(*id));
        }
    }
}

/// A person, at his server.
struct Person(Rc<Server>);

impl LineHandler for Person {
    type Line = [u8];

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &[u8]) {
        let (server, id) = (&self.0, lines.id());
        server.note_line(lines.context());
        match joined(line) {
            Some(room) if !server.people.enter(room, id) => {} // The home knows of us.
            Some(room) => server.send_home(lines.context(), room, line),
            None => server.send_home(lines.context(), room_of(line), line),
        }
    }

    fn connection_lost(&mut self, _lines: &mut LineTransport<'_>, _reason: Reason) {
        self.0.gauge.note_break();
    }
}

/// Another server, at the home of rooms in which it has people.
struct Branch(Rc<Server>);

impl LineHandler for Branch {
    type Line = [u8];

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &[u8]) {
        let (server, id) = (&self.0, lines.id());
        server.note_line(lines.context());
        match joined(line) {
            Some(room) => _ = server.branches.enter(room, id),
            None => server.branches.tell(lines.context(), room_of(line), line, &server.gauge),
        }
    }

    fn connection_lost(&mut self, _lines: &mut LineTransport<'_>, _reason: Reason) {
        self.0.gauge.note_break();
    }
}

/// The home of rooms, at a server that has people there.
struct Root(Rc<Server>);

impl LineHandler for Root {
    type Line = [u8];

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &[u8]) {
        let server = &self.0;
        server.note_line(lines.context());
        server.people.tell(lines.context(), room_of(line), line, &server.gauge);
    }

    fn connection_lost(&mut self, _lines: &mut LineTransport<'_>, _reason: Reason) {
        self.0.gauge.note_break();
    }
}

fn write_line(context: &mut Context, id: Id, line: &[u8]) {
    context.write(id, line);
    context.write(id, b"\n");
}

/// The room of a `join ROOM`.
fn joined(line: &[u8]) -> Option<u32> {
    line.strip_prefix(b"join ").map(number)
}

/// The room of a `ROOM TIME TEXT`.
fn room_of(line: &[u8]) -> u32 {
    number(line)
}

/// The number with which a text begins.
fn number(text: &[u8]) -> u32 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}
