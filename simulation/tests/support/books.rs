//! What everybody writes down, and what has to be true of it in the end.

use ropewalk::Id;
use ropewalk_simulation::FaultKind;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Instant;

/// One direction of one connection.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) written: u64,
    pub(crate) received: u64,
    /// The reader's own stream, once somebody has begun to read.
    pub(crate) answer: Option<u64>,
    /// The writer has ended it in order; the reader has been told.
    pub(crate) ended: bool,
    pub(crate) end_told: bool,
    /// The writer has been asked to pause; somebody produces for it.
    pub(crate) paused: bool,
    pub(crate) produced: bool,
    /// When the writer had closed in order.
    pub(crate) closed_at: Option<Instant>,
    /// The writer's connection is gone; the reader's.
    pub(crate) writer_gone: bool,
    pub(crate) reader_gone: bool,
    /// There, one that breaks off looks to its peer like one that ends in order.
    pub(crate) over_unix: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Echoes {
    pub(crate) sent: u64,
    pub(crate) heard: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) streams: BTreeMap<u64, Stream>,
    /// What sockets have sent to themselves, and what has come, by their names.
    pub(crate) echoes: BTreeMap<u64, Echoes>,
    /// What went against the rules.
    errors: Vec<String>,
    /// Protocols that were dropped without having been told.
    pub(crate) vanished: u64,
    /// Attempts to connect, and what became of them.
    pub(crate) attempts: u64,
    pub(crate) outcomes: u64,
    /// Of these things as many have to end as have begun.
    begun: BTreeMap<&'static str, u64>,
    done: BTreeMap<&'static str, u64>,
}

/// The books of a run. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    ledger: Rc<RefCell<Ledger>>,
    /// What goes wrong in this run.
    faults: Rc<Vec<FaultKind>>,
    failed: Rc<Cell<bool>>,
    /// How many protocols there are.
    pub(crate) alive: Rc<Cell<i64>>,
    /// Nobody begins anything new.
    pub(crate) calm: Rc<Cell<bool>>,
    /// A node has stopped in the midst of it all.
    pub(crate) stopped: Rc<Cell<bool>>,
    /// The connections that each node has lost; the latest.
    lost: Rc<RefCell<BTreeMap<u64, VecDeque<Id>>>>,
    next: Rc<Cell<u64>>,
}

impl Books {
    pub(crate) fn new(faults: Vec<FaultKind>) -> Self {
        Self { faults: Rc::new(faults), ..Self::default() }
    }

    pub(crate) fn fail(&self, what: impl Into<String>) {
        self.failed.set(true);
        self.ledger.borrow_mut().errors.push(what.into());
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.get()
    }

    /// Whether none of these goes wrong.
    pub(crate) fn is_without(&self, kinds: &[FaultKind]) -> bool {
        !self.faults.iter().any(|fault| kinds.contains(fault))
    }

    /// A node has lost a connection.
    pub(crate) fn note_lost(&self, node: u64, id: Id) {
        let mut lost = self.lost.borrow_mut();
        let lost = lost.entry(node).or_default();
        lost.push_back(id);
        if lost.len() > 20 {
            lost.pop_front();
        }
    }

    pub(crate) fn lost(&self, node: u64) -> Vec<Id> {
        self.lost.borrow().get(&node).into_iter().flatten().copied().collect()
    }

    /// A node has started: its ids are given out anew.
    pub(crate) fn forget(&self, node: u64) {
        self.lost.borrow_mut().remove(&node);
    }

    /// A number that nobody else has.
    pub(crate) fn number(&self) -> u64 {
        self.next.set(self.next.get() + 1);
        self.next.get()
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(&mut self.ledger.borrow_mut())
    }

    pub(crate) fn stream<T>(&self, name: u64, look: impl FnOnce(&mut Stream) -> T) -> T {
        look(self.ledger.borrow_mut().streams.entry(name).or_default())
    }

    pub(crate) fn begin(&self, what: &'static str) {
        *self.ledger.borrow_mut().begun.entry(what).or_default() += 1;
    }

    /// Something that is done when it is dropped: a timer that fires, or goes with its reactor.
    pub(crate) fn errand(&self, what: &'static str) -> Errand {
        self.begin(what);
        Errand(self.clone(), what)
    }

    pub(crate) fn done(&self, what: &'static str) {
        *self.ledger.borrow_mut().done.entry(what).or_default() += 1;
    }

    /// Nothing has gone against the rules so far.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.ledger.borrow().errors.first() {
            None => Ok(()),
            Some(first) => Err(first.clone()),
        }
    }

    /// Whatever was written to those who are still there has arrived, and who is there has somebody to
    /// talk to.
    pub(crate) fn check_all_arrived(&self) -> Result<(), String> {
        let ledger = self.ledger.borrow();
        for (name, Echoes { sent, heard }) in &ledger.echoes {
            if sent != heard {
                return Err(format!("{name} has heard {heard} of {sent} datagrams to itself"));
            }
        }
        if let Some(what) = ["timers", "visitors"].iter().find(|what| !ledger.begun_is_done(what)) {
            let (begun, done) = (&ledger.begun, &ledger.done);
            return Err(format!("of the {what} too few are done: {begun:?}, {done:?}"));
        }
        let streams = &ledger.streams;
        let all_are_told = self.is_without(SEVERING);
        let hears = |name| streams.values().any(|stream| stream.answer == Some(name));
        let ends = |name: &u64| streams.get(name).is_some_and(|stream| stream.ended);
        for (name, stream) in streams {
            let Stream { written, received, answer, ended, end_told, over_unix, .. } = stream;
            let (writer_gone, reader_gone) = (stream.writer_gone, stream.reader_gone);
            let nobody_gone = !writer_gone && !reader_gone;
            let wrong = match answer {
                None => all_are_told && nobody_gone && !hears(*name),
                Some(_) if nobody_gone && (written != received || ended != end_told) => true,
                Some(answer) if nobody_gone && *ended && ends(answer) => true,
                Some(_) if nobody_gone && (stream.paused || stream.produced) => true,
                // Who has nobody left to talk to has tried to.
                Some(_) if all_are_told && !writer_gone && reader_gone && !ended => !over_unix,
                Some(_) => all_are_told && writer_gone && !reader_gone && !end_told,
            };
            if wrong {
                return Err(format!("stream {name} has come to a standstill: {stream:?}"));
            }
        }
        Ok(())
    }

    /// Everything is over, and nothing is left.
    pub(crate) fn check_over(&self) -> Result<(), String> {
        let ledger = self.ledger.borrow();
        if self.alive.get() != 0 {
            return Err(format!("{} protocols are left", self.alive.get()));
        }
        // What a crash takes along is accounted for by nobody.
        if !self.is_without(&[FaultKind::Crash]) {
            return Ok(());
        }
        if ledger.vanished > 0 {
            return Err(format!("{} connections were lost, and nobody was told", ledger.vanished));
        }
        if ledger.attempts != ledger.outcomes {
            let (attempts, outcomes) = (ledger.attempts, ledger.outcomes);
            return Err(format!("{attempts} attempts to connect had {outcomes} outcomes"));
        }
        if let Some(what) = ledger.begun.keys().find(|what| !ledger.begun_is_done(what)) {
            let (begun, done) = (&ledger.begun, &ledger.done);
            return Err(format!("of the {what} too few are done: {begun:?}, {done:?}"));
        }
        Ok(())
    }
}

impl Ledger {
    fn begun_is_done(&self, what: &str) -> bool {
        self.begun.get(what) == self.done.get(what)
    }
}

/// See [`Books::errand`].
#[derive(Debug)]
pub(crate) struct Errand(Books, &'static str);

impl Drop for Errand {
    fn drop(&mut self) {
        self.0.done(self.1);
    }
}

/// With these somebody may be gone and the other never hear of it.
pub(crate) const SEVERING: &[FaultKind] = &[
    FaultKind::Crash,
    FaultKind::Cut,
    FaultKind::HalfOpen,
    FaultKind::Loss, // A reset is sent once.
    FaultKind::Partition,
];

/// With these, clocks differ, or what is sent comes late.
pub(crate) const UNTIMELY: &[FaultKind] = &[
    FaultKind::Bandwidth,
    FaultKind::Drift,
    FaultKind::Jump,
    FaultKind::Latency,
    FaultKind::Loss,
    FaultKind::Reset,
    FaultKind::Stall,
];

/// With these it may take long until a peer takes anything, or seem so.
pub(crate) const SLOWING: &[FaultKind] = &[FaultKind::Bandwidth, FaultKind::Jump, FaultKind::Loss];

/// `count` bytes of a stream, 256 KiB at most, from a place on. The period is a prime, so that no two pieces
/// of any usual size can be taken for each other.
pub(crate) fn bytes(stream: u64, from: u64, count: usize) -> &'static [u8] {
    static TABLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let period = (0..251u8).map(|byte| byte.wrapping_mul(89) ^ 0x5a);
        period.cycle().take(251 + 256 * 1024).collect()
    });
    let start = (stream.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).wrapping_add(from) % 251;
    &TABLE[start as usize..][..count]
}
