//! Drawing of scripts from a seed, such that the script alone determines what is observed.

mod sockets;

use crate::environment::{Client, Server, Side};
use crate::random::options::{option, options};
use crate::random::script::{Behaviour, End, Op, Place, Script, Step};
use ropewalk_simulation::Random;

/// The minimum size of a connection's buffers, even if its reader is paused.
const SURE: usize = 8 * 1024;

/// Sizes of writes.
const SIZES: [usize; 7] = [0, 1, 10, 100, 5_000, 60_000, 1_500_000];

pub(crate) fn draw(seed: u64) -> Script {
    let mut drawing = Drawing {
        random: Random::new(seed ^ 0x5eed_d1ff),
        run_with_two_reactors: false,
        listeners: Vec::new(),
        conns: Vec::new(),
        sockets: Vec::new(),
    };
    drawing.run_with_two_reactors = drawing.random.chance(0.3);
    let mut steps = drawing.begin();
    for _ in 0..drawing.random.between(10, 40) {
        let step = drawing.step();
        if !step.is_empty() {
            steps.push(step);
        }
        drawing.settle();
    }
    steps.extend(drawing.end());
    let vague = drawing.conns.iter().map(|conn| conn.vague).collect();
    Script { run_with_two_reactors: drawing.run_with_two_reactors, steps, vague }
}

struct Drawing {
    random: Random,
    run_with_two_reactors: bool,
    listeners: Vec<Socket>,
    conns: Vec<Conn>,
    sockets: Vec<Socket>,
}

/// A listener, or a datagram socket.
#[derive(Clone, Copy)]
struct Socket {
    is_unix: bool,
    /// At an address that this machine does not have.
    is_foreign: bool,
    side: Side,
    /// The first socket that had its address.
    root: usize,
}

struct Conn {
    is_unix: bool,
    paused: [bool; 2],
    /// What each end has written that the other may not have read.
    outstanding: [usize; 2],
    /// One of the ends answers.
    answers: bool,
    vague: bool,
}

impl Conn {
    /// Returns true if more data for a paused reader is queued than the buffers hold for certain. How much the
    /// system has buffered is then not determined, nor when everything is sent.
    fn is_full(&self) -> bool {
        (0..2).any(|writer| self.paused[1 - writer] && self.outstanding[writer] > SURE)
    }

    /// It may end with data in flight being dropped. How much was read by then is not determined.
    fn reset(&mut self) {
        self.vague |= self.outstanding.iter().any(|count| *count > SURE);
    }
}

impl Drawing {
    fn begin(&mut self) -> Vec<Step> {
        // Returns an end that certainly exists.
        let (is_unix, is_foreign, side, root) = (false, false, Server, 0);
        self.listeners.push(Socket { is_unix, is_foreign, side, root });
        let mut first = vec![Op::Listen(Place::Ip, vec![])];
        first.extend([self.listen(), self.bind(), self.bind()]);
        if !self.run_with_two_reactors {
            first.extend([self.listen(), self.bind(), self.bind()]);
        }
        vec![first, vec![self.connect()], vec![self.connect(), self.tie()]]
    }

    /// Closes all that is left.
    fn end(&mut self) -> Vec<Step> {
        let conns = 0..self.conns.len();
        let ends = |side| conns.clone().map(move |conn| End(conn, side));
        let resumed = ends(Client).chain(ends(Server)).map(Op::Resume);
        vec![
            (0..self.listeners.len()).map(Op::CloseListener).collect(),
            resumed.collect(),
            ends(Client).map(Op::Close).collect(),
            ends(Server).map(Op::Close).collect(),
            (0..self.sockets.len()).map(Op::CloseSocket).collect(),
        ]
    }

    /// After a step, every reading end has read everything.
    fn settle(&mut self) {
        for conn in &mut self.conns {
            for writer in 0..2 {
                if !conn.paused[1 - writer] {
                    conn.outstanding[writer] = 0;
                }
            }
        }
    }

    fn step(&mut self) -> Step {
        match self.random.below(100) {
            0..8 => vec![self.listen()],
            8..22 => self.connect_several(),
            22..24 => self.connect_and_more(),
            24..26 => vec![self.connect_wrongly()],
            26..29 => vec![Op::CloseListener(self.a_listener())],
            29..32 => {
                let listener = self.a_listener();
                let option = option(&mut self.random, self.listeners[listener].is_unix);
                vec![Op::SetOnListener(listener, option)]
            }
            32..70 => self.on_connection(),
            70..76 => vec![self.bind()],
            76..80 => vec![self.tie()],
            80..82 => self.retie(),
            82..85 => {
                let socket = self.a_socket();
                let option = option(&mut self.random, self.sockets[socket].is_unix);
                vec![Op::SetOnSocket(socket, option)]
            }
            85..87 => vec![Op::CloseSocket(self.a_socket())],
            _ => self.send(),
        }
    }

    fn is_unix(&mut self) -> bool {
        !self.run_with_two_reactors && self.random.chance(0.5)
    }

    fn a_listener(&mut self) -> usize {
        self.random.below(self.listeners.len() as u64) as usize
    }

    fn a_socket(&mut self) -> usize {
        self.random.below(self.sockets.len() as u64) as usize
    }

    /// Returns one of those that match.
    fn one_of(&mut self, all: &[Socket], fits: impl Fn(&Socket) -> bool) -> Option<usize> {
        let fitting: Vec<_> = (0..all.len()).filter(|number| fits(&all[*number])).collect();
        (!fitting.is_empty()).then(|| *self.random.choose(&fitting))
    }

    /// Returns the address of a new socket of a side.
    fn place(&mut self, is_unix: bool, side: Side, others: &[Socket]) -> (Place, Socket) {
        let other = self.one_of(others, |other| other.is_unix == is_unix && other.side == side);
        let place = match (self.random.below(10), other) {
            (0, Some(other)) => Place::Of(other),
            (1, _) if !is_unix => Place::Foreign,
            (1, _) => Place::Unnamed,
            (2..6, _) if is_unix => Place::Path,
            _ if is_unix => Place::Abstract,
            _ => Place::Ip,
        };
        let is_foreign = match place {
            Place::Of(other) => others[other].is_foreign,
            Place::Foreign => true,
            _ => false,
        };
        let root = match place {
            Place::Of(other) => others[other].root,
            _ => others.len(),
        };
        (place, Socket { is_unix, is_foreign, side, root })
    }

    fn listen(&mut self) -> Op {
        let is_unix = self.is_unix();
        let (place, listener) = self.place(is_unix, Server, &self.listeners.clone());
        self.listeners.push(listener);
        let options = if is_unix { vec![] } else { options(&mut self.random, is_unix) };
        Op::Listen(place, options)
    }

    fn manners(&mut self) -> [Behaviour; 2] {
        let answerer = self.random.below(6);
        [Server, Client].map(|side| Behaviour {
            answers: answerer == side as u64,
            stays: self.random.chance(0.5),
        })
    }

    fn connect(&mut self) -> Op {
        let manners = self.manners();
        let listeners = self.listeners.clone();
        let listener = self.one_of(&listeners, |listener| !listener.is_foreign).unwrap_or(0);
        let is_unix = self.listeners[listener].is_unix;
        self.add_connection(is_unix, &manners);
        let options = if is_unix { vec![] } else { options(&mut self.random, is_unix) };
        Op::Connect(listener, options, manners)
    }

    fn add_connection(&mut self, is_unix: bool, manners: &[Behaviour; 2]) {
        let answers = manners.iter().any(|behaviour| behaviour.answers);
        let (paused, outstanding) = ([false; 2], [0; 2]);
        self.conns.push(Conn { is_unix, paused, outstanding, answers, vague: false });
    }

    /// At most one for each listener, so that they can be distinguished.
    fn connect_several(&mut self) -> Step {
        let mut step = Step::new();
        for _ in 0..self.random.between(1, 3) {
            let op = self.connect();
            let root = |op: &Op| match op {
                Op::Connect(listener, ..) => self.listeners[*listener].root,
                _ => unreachable!("it connects"),
            };
            if step.iter().any(|other| root(other) == root(&op)) {
                self.conns.pop();
                continue;
            }
            step.push(op);
        }
        step
    }

    /// An operation before the connection is made.
    fn connect_and_more(&mut self) -> Step {
        let connect = self.connect();
        let Op::Connect(listener, ..) = connect else { return vec![connect] };
        let end = End(self.conns.len() - 1, Client);
        let is_unix = self.listeners[listener].is_unix;
        let more = match self.random.below(6) {
            0 => self.write(end),
            1 => Op::EndWriting(end),
            2 => Op::Set(end, option(&mut self.random, is_unix)),
            // Over TCP, the result depends on which end is first.
            _ if !is_unix => return vec![connect],
            3 => Op::Close(end),
            4 => Op::Abort(end),
            _ => Op::CloseListener(listener),
        };
        vec![connect, more]
    }

    /// Sends to the address of a datagram socket.
    fn connect_wrongly(&mut self) -> Op {
        let (manners, sockets) = (self.manners(), self.sockets.clone());
        match self.one_of(&sockets, |socket| socket.is_unix) {
            Some(socket) => {
                self.add_connection(true, &manners);
                Op::ConnectWrongly(socket, manners)
            }
            None => self.connect(),
        }
    }

    /// Draws the operations of one end.
    fn on_connection(&mut self) -> Step {
        if self.conns.is_empty() {
            return vec![];
        }
        // The latest ones are the most likely to exist still.
        let latest = self.conns.len().saturating_sub(5) as u64;
        let conn = self.random.between(latest, self.conns.len() as u64 - 1) as usize;
        let end = End(conn, *self.random.choose(&[Server, Client]));
        let mut step = Step::new();
        for _ in 0..*self.random.choose(&[1, 1, 1, 2, 3]) {
            let op = self.act(end);
            let ends = matches!(op, Op::EndWriting(_) | Op::Close(_));
            step.push(op);
            if ends {
                // Whether the peer receives it or a reset first is not determined.
                break;
            }
        }
        step
    }

    fn act(&mut self, end: End) -> Op {
        let side = end.1 as usize;
        match self.random.below(100) {
            0..40 => self.write(end),
            40..45 if !self.conns[end.0].answers && !self.conns[end.0].is_full() => {
                let (count, size) = (self.random.between(0, 5), *self.random.choose(&SIZES[1..6]));
                self.add_outstanding(end, count as usize * size);
                Op::Produce(end, count as usize, size)
            }
            45..60 if self.conns[end.0].is_full() => Op::Write(end, 0),
            45..53 => Op::EndWriting(end),
            53..60 => {
                // With unread data it may be a reset.
                self.conns[end.0].reset();
                Op::Close(end)
            }
            60..65 => {
                self.conns[end.0].reset();
                Op::Abort(end)
            }
            65..78 => {
                self.conns[end.0].paused[side] = true;
                Op::Pause(end)
            }
            78..90 => {
                self.conns[end.0].paused[side] = false;
                Op::Resume(end)
            }
            _ => Op::Set(end, option(&mut self.random, self.conns[end.0].is_unix)),
        }
    }

    fn write(&mut self, end: End) -> Op {
        let most = if self.conns[end.0].answers { 5 } else { SIZES.len() };
        let size = *self.random.choose(&SIZES[..most]);
        self.add_outstanding(end, size);
        Op::Write(end, size)
    }

    fn add_outstanding(&mut self, end: End, size: usize) {
        let conn = &mut self.conns[end.0];
        conn.outstanding[end.1 as usize] += size;
        if conn.answers {
            conn.outstanding[1 - end.1 as usize] += size;
        }
    }
}
