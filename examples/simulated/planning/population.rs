//! The clients: each connects, joins a room, and sends lines at random times.

use crate::chat::Site;
use crate::gauge::Gauge;
use ropewalk::{Context, Id, Reactor};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use ropewalk_simulation::Random;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The time in which the clients connect. All at once, they would exceed the listeners' backlogs.
const ARRIVAL: Duration = Duration::from_secs(20);

/// The limit for the clients of a server. They share a node, which has no more ports (Linux's `ip_local_port_range`).
pub(crate) const MAX_CLIENTS: u32 = 28_000;

/// The time of the first lines. By then, all clients have joined their rooms.
pub(crate) const BEGIN: Duration = Duration::from_secs(30);

/// The skew of the rooms' sizes: the size of the nth largest room is proportional to 1/n^SKEW. At 1, as for cities, the
/// largest room would have a tenth of all clients. At 0.5, the largest room of 100,000 clients has about 550, and a line
/// has 30 receivers on average.
const SKEW: f64 = 0.5;

/// The text of a line, of common length.
const TEXT: &str = "has anybody seen the end of the rope that I have left here?";

/// The rooms and the times of all clients.
pub(crate) struct Script {
    pub(crate) servers: u32,
    /// The room of each client.
    rooms: Vec<u32>,
    /// The number of clients in each room.
    sizes: Vec<u32>,
    /// The mean time between two lines of a client.
    every: Duration,
    /// The beginning of the run. Lines are sent from `BEGIN` on, for the time `span`.
    epoch: Instant,
    span: Duration,
    seed: u64,
    gauge: Rc<Gauge>,
}

impl Script {
    pub(crate) fn new(
        setting: &crate::Setting,
        clients: u32,
        epoch: Instant,
        gauge: &Rc<Gauge>,
    ) -> Self {
        let mut random = Random::new(setting.seed);
        // The cumulative shares of the rooms.
        let mut shares = Vec::new();
        let mut sum = 0.0;
        for rank in 1..=clients.div_ceil(setting.room) {
            sum += f64::from(rank).powf(-SKEW);
            shares.push(sum);
        }
        let mut sizes = vec![0; shares.len()];
        let rooms = (0..clients).map(|_| {
            let at = fraction(&mut random) * sum;
            let room = shares.partition_point(|share| *share <= at).min(shares.len() - 1);
            sizes[room] += 1;
            room as u32
        });
        Self {
            servers: setting.nodes,
            rooms: rooms.collect(),
            sizes,
            every: setting.every,
            epoch,
            span: setting.span,
            seed: random.below(u64::MAX),
            gauge: gauge.clone(),
        }
    }

    /// Returns the time to a client's next line: exponentially distributed.
    fn pause(&self, random: &mut Random) -> Duration {
        self.every.mul_f64(-(1.0 - fraction(random)).ln())
    }
}

/// Connects the clients of a server, which share a node.
pub(crate) fn connect(reactor: &mut Reactor, server: u32, script: &Rc<Script>) {
    for client in (server..script.rooms.len() as u32).step_by(script.servers as usize) {
        // Each client has a random stream of its own.
        let mut random = Random::new(script.seed ^ u64::from(client) << 32);
        let arrival = random.duration(Duration::ZERO, ARRIVAL);
        let script = script.clone();
        let mut sender = Some(Sender { client, random, script: script.clone() });
        reactor.context().call_later(arrival, move |context| {
            let receiver =
                move || LineReceiver::new(Client { sender: sender.take(), script: script.clone() });
            let connected = context.connect_tcp(Site::SIMULATED.address(server), receiver);
            connected.expect("the server listens, and there are enough ports");
        });
    }
}

/// The sending side of a client.
struct Sender {
    client: u32,
    random: Random,
    script: Rc<Script>,
}

impl Sender {
    fn room(&self) -> u32 {
        self.script.rooms[self.client as usize]
    }

    /// Sends the next line after a random time, until the end of the run.
    fn send_later(mut self, context: &mut Context, id: Id) {
        let now = context.now() - self.script.epoch;
        let at = now.max(BEGIN) + self.script.pause(&mut self.random);
        if at < BEGIN + self.script.span {
            context.call_later(at - now, move |context| {
                self.send(context, id);
                self.send_later(context, id);
            });
        }
    }

    fn send(&self, context: &mut Context, id: Id) {
        let room = self.room();
        let time = (context.now() - self.script.epoch).as_nanos();
        context.transport(id).write(format!("{room} {time} {TEXT}\n").as_bytes());
        self.script.gauge.note_sent(self.script.sizes[room as usize]);
    }
}

/// The protocol of a client.
struct Client {
    /// The sending side, until the connection is made.
    sender: Option<Sender>,
    script: Rc<Script>,
}

impl LineHandler for Client {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        let sender = self.sender.take().expect("a connection is made once");
        lines.send_line(format!("join {}", sender.room()));
        let id = lines.id();
        sender.send_later(lines.context(), id);
    }

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        let sent = line.split(' ').nth(1).and_then(|time| time.parse().ok());
        let sent = Duration::from_nanos(sent.expect("`send` has written it"));
        let now = lines.context().now() - self.script.epoch;
        self.script.gauge.note_received(now - sent);
    }
}

/// Returns a number from 0 to 1, with all bits of a float's mantissa.
fn fraction(random: &mut Random) -> f64 {
    const STEPS: u64 = 1 << 53;
    random.below(STEPS) as f64 / STEPS as f64
}
