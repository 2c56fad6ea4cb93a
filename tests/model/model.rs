//! The model of all sides: the requests and callbacks of each so far, and the callbacks that may follow.

use crate::expected::Direction;
use ropewalk::{Context, Id};
use ropewalk_simulation::Random;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The model, shared by all callbacks of a run.
pub(crate) type Shared = Rc<RefCell<Model>>;

/// The time after which timeouts of the system or the reactor may explain an end: a closed socket lingers for
/// 2 seconds.
const ALL_IN_TIME: Duration = Duration::from_millis(1500);

/// The state of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Coming,
    Made,
    Gone,
}

/// The last request that ends the write side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ending {
    #[default]
    Open,
    WriteEof,
    Close,
}

/// A kind of producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Pull,
    Push,
}

/// One end of a connection, in the reactor or driven by the test.
#[derive(Debug, Default)]
pub(crate) struct Side {
    pub(crate) id: Option<Id>,
    pub(crate) phase: Phase,
    /// Driven by the test.
    pub(crate) is_raw: bool,
    pub(crate) is_unix: bool,
    pub(crate) takes_descriptors: bool,
    /// The data that it sends.
    pub(crate) out: Direction,
    pub(crate) ending: Ending,
    /// It was reset, so that its data need not arrive.
    pub(crate) cut: bool,
    /// A callback of it panicked.
    pub(crate) panicked: bool,
    /// A limit may end it.
    pub(crate) limited: bool,
    pub(crate) paused: bool,
    /// It was resumed, and `reading_resumed` is due.
    pub(crate) resumed: bool,
    pub(crate) eof: bool,
    pub(crate) eof_noticed: bool,
    /// It was notified by `pause_writing`.
    pub(crate) writing_paused: bool,
    /// The number and kind of its producer, and whether a push producer is paused.
    pub(crate) producer: Option<(usize, Kind)>,
    pub(crate) producer_paused: bool,
    /// A producer of it was stopped.
    pub(crate) producer_stopped: bool,
    /// The reason of `connection_lost`, and the number of bytes that were dropped.
    pub(crate) reason: Option<String>,
    pub(crate) dropped: u64,
}

impl Side {
    /// Returns true if it may end by a reset.
    pub(crate) fn may_be_cut(&self) -> bool {
        self.cut || self.limited
    }
}

/// The state of a producer: it ends by a stop or by being unregistered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Registered,
    Stopped,
    Unregistered,
}

pub(crate) struct Model {
    pub(crate) random: Random,
    /// Sides 2n and 2n + 1 are the ends of one connection.
    pub(crate) sides: Vec<Side>,
    pub(crate) producers: Vec<Fate>,
    /// The operations that this seed uses, one bit each.
    pub(crate) operations: u64,
    /// The number of further operations in callbacks.
    pub(crate) left: usize,
    /// No operation is added any more, and all connections are to end.
    pub(crate) finishing: bool,
    pub(crate) stopped: bool,
    pub(crate) trace: Vec<String>,
    pub(crate) wrong: Vec<String>,
    begin: Instant,
}

impl Model {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let operations = random.below(u64::MAX) | random.below(u64::MAX);
        Self {
            random,
            sides: Vec::new(),
            producers: Vec::new(),
            operations,
            left: 200,
            finishing: false,
            stopped: false,
            trace: Vec::new(),
            wrong: Vec::new(),
            begin: Instant::now(),
        }
    }

    pub(crate) fn note(&mut self, what: String) {
        let begun = self.begin.elapsed().as_millis();
        self.trace.push(format!("{begun:4} ms: {what}"));
    }

    /// Records a violation. Not by a panic, since the reactor would catch it.
    pub(crate) fn check(&mut self, side: usize, holds: bool, what: &str) {
        if !holds {
            let what = format!("side {side}: {what}");
            self.trace.push(format!("WRONG {what}"));
            self.wrong.push(what);
        }
    }

    pub(crate) fn in_time(&self) -> bool {
        self.begin.elapsed() < ALL_IN_TIME
    }

    /// Returns true if writes to a side are sent.
    pub(crate) fn takes_writes(&self, side: usize) -> bool {
        let side = &self.sides[side];
        let open = side.ending == Ending::Open || side.producer.is_some();
        side.id.is_some() && side.phase != Phase::Gone && !side.cut && open
    }

    /// Returns true if a producer can be registered.
    pub(crate) fn takes_producer(&self, side: usize) -> bool {
        self.takes_writes(side)
            && self.sides[side].ending == Ending::Open
            && self.sides[side].producer.is_none()
    }

    /// Records a producer of this side. Returns its number.
    pub(crate) fn register(&mut self, side: usize, kind: Kind) -> usize {
        let number = self.producers.len();
        self.producers.push(Fate::Registered);
        self.sides[side].producer = Some((number, kind));
        self.sides[side].producer_paused = false;
        number
    }

    /// Records that the producer of this side has finished or was unregistered.
    pub(crate) fn unregister(&mut self, side: usize) {
        if let Some((number, _)) = self.sides[side].producer.take() {
            self.producers[number] = Fate::Unregistered;
            self.sides[side].producer_paused = false;
        }
    }

    /// Records that a producer was stopped.
    pub(crate) fn stopped(&mut self, side: usize, number: usize) {
        self.note(format!("{side} producer {number} stopped"));
        let fate = std::mem::replace(&mut self.producers[number], Fate::Stopped);
        self.check(side, fate == Fate::Registered, &format!("producer {number} stopped: {fate:?}"));
        let own = &mut self.sides[side];
        own.producer = None;
        // A producer that is registered after another was stopped is stopped late.
        let in_time = own.reason.is_none() || own.producer_stopped;
        own.producer_stopped = true;
        self.check(side, in_time, "a producer was stopped after connection_lost");
    }

    /// Records a call of a producer.
    pub(crate) fn produces(&mut self, side: usize, number: usize, what: &str) {
        self.note(format!("{side} producer {number} {what}"));
        let fate = self.producers[number];
        let registered = fate == Fate::Registered;
        self.check(side, registered, &format!("producer {number} {what}: {fate:?}"));
    }

    /// Compares bytes that have arrived at a side.
    pub(crate) fn received(&mut self, side: usize, bytes: &[u8]) {
        let takes_descriptors = self.sides[side].takes_descriptors;
        if let Err(what) = self.sides[side ^ 1].out.take(bytes, takes_descriptors) {
            self.check(side, false, &what);
        }
    }

    /// Records an orderly end of the peer's data: all that the peer has written must have arrived. Unix sockets
    /// have no resets, so an interrupted stream may look complete there.
    pub(crate) fn ended(&mut self, side: usize) {
        let peer = &self.sides[side ^ 1];
        let excused = self.sides[side].is_unix && (peer.may_be_cut() || self.stopped);
        let Direction { written, received, skipped, .. } = peer.out;
        let complete = excused || peer.out.is_complete();
        let what = format!("an orderly end after {received} of {written} bytes, {skipped} skipped");
        self.check(side, complete, &what);
    }

    /// Returns true if a side may end for this reason.
    pub(crate) fn explains(&self, side: usize, reason: &str) -> bool {
        let (own, peer) = (&self.sides[side], &self.sides[side ^ 1]);
        let peer_closed = peer.phase == Phase::Gone || peer.ending == Ending::Close;
        match reason {
            "Panicked" => own.panicked,
            _ if own.panicked => false,
            "Aborted" => own.cut,
            "WriteLimit" => own.limited,
            // An abort after a close may come after all data was sent.
            "Closed" | "ClosedByPeer" => {
                own.producer.is_none() && (!own.cut || own.ending == Ending::Close)
            }
            "Reset" if peer_closed && (peer.is_raw || own.is_unix || !self.in_time()) => true,
            "Reset" => peer.may_be_cut() || self.stopped,
            "Stopped" => self.stopped,
            _ => false,
        }
    }

    /// Checks the reasons and the counts when all connections have ended.
    pub(crate) fn check_all(&mut self) {
        for side in 0..self.sides.len() {
            let (own, peer) = (&self.sides[side], &self.sides[side ^ 1]);
            let ended = own.phase == Phase::Gone || own.id.is_none();
            let orderly = matches!(own.reason.as_deref(), Some("Closed" | "ClosedByPeer"));
            // A peer that has closed discards later data.
            let peer_reads = peer.phase == Phase::Made || peer.eof;
            let whole = !orderly || !peer_reads || peer.may_be_cut() || own.out.is_complete();
            let counted = !orderly || !own.out.is_complete() || own.dropped == own.out.skipped;
            let lost = format!("{} ended with {:?}, and not all arrived", side, own.reason);
            let dropped = format!("{} dropped, {} skipped", own.dropped, own.out.skipped);
            let excused = !self.in_time();
            self.check(side, ended, "it never ended");
            self.check(side, whole || excused, &lost);
            self.check(side, counted, &dropped);
        }
        for number in 0..self.producers.len() {
            let fate = self.producers[number];
            let ended = fate != Fate::Registered;
            self.check(
                0,
                ended,
                &format!("producer {number} was neither stopped nor unregistered"),
            );
        }
    }

    /// Returns the trace and the state of each side, for a report.
    pub(crate) fn report(&self, context: &mut Context) -> String {
        let mut lines: Vec<String> = self.trace.iter().rev().take(200).rev().cloned().collect();
        for (number, side) in self.sides.iter().enumerate() {
            let counts = side.id.map(|id| context.transport(id).counts());
            let out = &side.out;
            let [written, received, skipped] = [out.written, out.received, out.skipped];
            lines.push(format!(
                "side {number}: {:?} raw {} unix {} {:?} cut {} eof {} paused {} producer {:?} {:?}; \
                 {written} written, {received} arrived, {skipped} skipped; {counts:?}",
                side.phase, side.is_raw, side.is_unix, side.ending, side.cut, side.eof,
                side.paused, side.producer, side.reason,
            ));
        }
        lines.join("\n")
    }
}
