//! The people: they come, join a room each, and say something now and then.

use crate::chat::Site;
use crate::gauge::Gauge;
use ropewalk::{Context, Id, Reactor};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use ropewalk_simulation::Random;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long it takes until everybody is there. All at once, they would not fit into the servers' queues.
const ARRIVAL: Duration = Duration::from_secs(20);

/// How many a server may have: they share a node, and a node has no more ports (Linux's
/// `ip_local_port_range`).
pub(crate) const MOST: u32 = 28_000;

/// When they begin to talk: by then, every home knows who is in its rooms.
pub(crate) const BEGIN: Duration = Duration::from_secs(30);

/// How unequal the rooms are: the nth largest has people in proportion to 1/n^SKEW. At 1, as the sizes of
/// cities have it, one of ten would be in the largest room, and a conversation is not a city. At 0.5, the
/// largest of 100,000 people's rooms has some 550, and who speaks is heard by 30 on average.
const SKEW: f64 = 0.5;

/// What is said: as long as what people say to each other is.
const TEXT: &str = "has anybody seen the end of the rope that I have left here?";

/// Who talks, where, and how often.
pub(crate) struct Script {
    pub(crate) servers: u32,
    /// The room of each person.
    rooms: Vec<u32>,
    /// How many are in each room.
    sizes: Vec<u32>,
    /// How long everybody is silent between two lines, on average.
    every: Duration,
    /// When time began; they talk from `BEGIN` on, for so long.
    epoch: Instant,
    span: Duration,
    seed: u64,
    gauge: Rc<Gauge>,
}

impl Script {
    pub(crate) fn new(
        setting: &crate::Setting,
        people: u32,
        epoch: Instant,
        gauge: &Rc<Gauge>,
    ) -> Self {
        let mut random = Random::new(setting.seed);
        // How many of all are in the rooms up to each.
        let mut shares = Vec::new();
        let mut sum = 0.0;
        for rank in 1..=people.div_ceil(setting.room) {
            sum += f64::from(rank).powf(-SKEW);
            shares.push(sum);
        }
        let mut sizes = vec![0; shares.len()];
        let rooms = (0..people).map(|_| {
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

    /// How long one is silent now: as those are who speak whenever they like, at a known average.
    fn silence(&self, random: &mut Random) -> Duration {
        self.every.mul_f64(-(1.0 - fraction(random)).ln())
    }
}

/// The people of one server, who share a node.
pub(crate) fn gather(reactor: &mut Reactor, server: u32, script: &Rc<Script>) {
    for person in (server..script.rooms.len() as u32).step_by(script.servers as usize) {
        // A stream of its own, that no other begins near.
        let mut random = Random::new(script.seed ^ u64::from(person) << 32);
        let arrival = random.duration(Duration::ZERO, ARRIVAL);
        let script = script.clone();
        let mut talker = Some(Talker { person, random, script: script.clone() });
        reactor.context().call_later(arrival, move |context| {
            let listener = move || {
                LineReceiver::new(Listener { talker: talker.take(), script: script.clone() })
            };
            let connected = context.connect_tcp(Site::SIMULATED.address(server), listener);
            connected.expect("the server is there, and so many ports are");
        });
    }
}

/// One of the people.
struct Talker {
    person: u32,
    random: Random,
    script: Rc<Script>,
}

impl Talker {
    fn room(&self) -> u32 {
        self.script.rooms[self.person as usize]
    }

    /// Says the next line after a while, unless it is over by then.
    fn talk(mut self, context: &mut Context, id: Id) {
        let now = context.now() - self.script.epoch;
        let at = now.max(BEGIN) + self.script.silence(&mut self.random);
        if at < BEGIN + self.script.span {
            context.call_later(at - now, move |context| {
                self.say(context, id);
                self.talk(context, id);
            });
        }
    }

    fn say(&self, context: &mut Context, id: Id) {
        let room = self.room();
        let time = (context.now() - self.script.epoch).as_nanos();
        context.write(id, format!("{room} {time} {TEXT}\n").as_bytes());
        self.script.gauge.note_said(self.script.sizes[room as usize]);
    }
}

/// The connection of one of the people.
struct Listener {
    /// Until there is somebody to talk to.
    talker: Option<Talker>,
    script: Rc<Script>,
}

impl LineHandler for Listener {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        let talker = self.talker.take().expect("a connection is made once");
        lines.send_line(format!("join {}", talker.room()));
        let id = lines.id();
        talker.talk(lines.context(), id);
    }

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        let said = line.split(' ').nth(1).and_then(|time| time.parse().ok());
        let said = Duration::from_nanos(said.expect("it was said as `say` says it"));
        let now = lines.context().now() - self.script.epoch;
        self.script.gauge.note_heard(now - said);
    }
}

/// From 0 to 1, with all bits that a float has.
fn fraction(random: &mut Random) -> f64 {
    const STEPS: u64 = 1 << 53;
    random.below(STEPS) as f64 / STEPS as f64
}
