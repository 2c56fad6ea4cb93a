//! A model of a run: the expected results, and the checks at its end.

use ropewalk::Id;
use ropewalk_simulation::FaultKind;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Instant;

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) written: u64,
    pub(crate) received: u64,
    /// The stream in the other direction, once the reader has begun to read.
    pub(crate) answer: Option<u64>,
    /// The writer has ended it gracefully; the reader has received the end.
    pub(crate) ended: bool,
    pub(crate) end_received: bool,
    /// The writer has been asked to pause; it has a producer.
    pub(crate) paused: bool,
    pub(crate) produced: bool,
    /// When the writer had closed it gracefully.
    pub(crate) closed_at: Option<Instant>,
    /// The writer's connection is lost; the reader's.
    pub(crate) writer_gone: bool,
    pub(crate) reader_gone: bool,
    /// An abort of a Unix connection looks like a graceful end to the peer.
    pub(crate) over_unix: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnDatagrams {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) streams: BTreeMap<u64, Stream>,
    /// Datagrams that sockets have sent to themselves, and received, by their names.
    pub(crate) own_datagrams: BTreeMap<u64, OwnDatagrams>,
    /// Violations of the rules.
    errors: Vec<String>,
    /// Protocols that were dropped without `connection_lost`.
    pub(crate) vanished: u64,
    /// Attempts to connect, and their results.
    pub(crate) attempts: u64,
    pub(crate) outcomes: u64,
    /// Each of these operations has to end as often as it begins.
    begun: BTreeMap<&'static str, u64>,
    done: BTreeMap<&'static str, u64>,
}

/// The model of a run. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    records: Rc<RefCell<Records>>,
    /// The kinds of faults in this run.
    faults: Rc<Vec<FaultKind>>,
    failed: Rc<Cell<bool>>,
    /// The number of protocols.
    pub(crate) alive: Rc<Cell<i64>>,
    /// No new operations begin.
    pub(crate) is_ending: Rc<Cell<bool>>,
    /// A node has stopped during the run.
    pub(crate) stopped: Rc<Cell<bool>>,
    /// The latest lost connections of each node.
    lost: Rc<RefCell<BTreeMap<u64, VecDeque<Id>>>>,
    next: Rc<Cell<u64>>,
}

impl Model {
    pub(crate) fn new(faults: Vec<FaultKind>) -> Self {
        Self { faults: Rc::new(faults), ..Self::default() }
    }

    pub(crate) fn fail(&self, what: impl Into<String>) {
        self.failed.set(true);
        self.records.borrow_mut().errors.push(what.into());
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.get()
    }

    /// Returns true if none of these faults occurs.
    pub(crate) fn is_without(&self, kinds: &[FaultKind]) -> bool {
        !self.faults.iter().any(|fault| kinds.contains(fault))
    }

    /// Records a lost connection of a node.
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

    /// Clears the lost connections of a node that has started: its ids are assigned again.
    pub(crate) fn clear_lost(&self, node: u64) {
        self.lost.borrow_mut().remove(&node);
    }

    /// Returns a unique number.
    pub(crate) fn number(&self) -> u64 {
        self.next.set(self.next.get() + 1);
        self.next.get()
    }

    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Records) -> T) -> T {
        act(&mut self.records.borrow_mut())
    }

    pub(crate) fn stream<T>(&self, name: u64, act: impl FnOnce(&mut Stream) -> T) -> T {
        act(self.records.borrow_mut().streams.entry(name).or_default())
    }

    pub(crate) fn begin(&self, what: &'static str) {
        *self.records.borrow_mut().begun.entry(what).or_default() += 1;
    }

    /// Returns a task that ends when it is dropped: for example, a timer that fires, or is dropped with its
    /// reactor.
    pub(crate) fn task(&self, what: &'static str) -> PendingTask {
        self.begin(what);
        PendingTask(self.clone(), what)
    }

    pub(crate) fn done(&self, what: &'static str) {
        *self.records.borrow_mut().done.entry(what).or_default() += 1;
    }

    /// Returns the first violation, if any.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.records.borrow().errors.first() {
            None => Ok(()),
            Some(first) => Err(first.clone()),
        }
    }

    /// Checks that all data for existing connections has arrived, and that each connection still has a peer.
    pub(crate) fn check_all_arrived(&self) -> Result<(), String> {
        let records = self.records.borrow();
        for (name, OwnDatagrams { sent, received }) in &records.own_datagrams {
            if sent != received {
                return Err(format!(
                    "{name} has received {received} of {sent} datagrams to itself"
                ));
            }
        }
        if let Some(what) =
            ["timers", "crowd connections"].iter().find(|what| !records.begun_is_done(what))
        {
            let (begun, done) = (&records.begun, &records.done);
            return Err(format!("too few {what} have ended: {begun:?}, {done:?}"));
        }
        let streams = &records.streams;
        let all_are_notified = self.is_without(SEVERING);
        let is_answered = |name| streams.values().any(|stream| stream.answer == Some(name));
        let ends = |name: &u64| streams.get(name).is_some_and(|stream| stream.ended);
        for (name, stream) in streams {
            let Stream { written, received, answer, ended, end_received, over_unix, .. } = stream;
            let (writer_gone, reader_gone) = (stream.writer_gone, stream.reader_gone);
            let both_open = !writer_gone && !reader_gone;
            let wrong = match answer {
                None => all_are_notified && both_open && !is_answered(*name),
                Some(_) if both_open && (written != received || ended != end_received) => true,
                Some(answer) if both_open && *ended && ends(answer) => true,
                Some(_) if both_open && (stream.paused || stream.produced) => true,
                // A protocol with a lost peer has tried to write to it.
                Some(_) if all_are_notified && !writer_gone && reader_gone && !ended => !over_unix,
                Some(_) => all_are_notified && writer_gone && !reader_gone && !end_received,
            };
            if wrong {
                return Err(format!("stream {name} is stalled: {stream:?}"));
            }
        }
        Ok(())
    }

    /// Checks that everything has ended, and that nothing is left.
    pub(crate) fn check_over(&self) -> Result<(), String> {
        let records = self.records.borrow();
        if self.alive.get() != 0 {
            return Err(format!("{} protocols are left", self.alive.get()));
        }
        // Objects lost in a crash are not recorded.
        if !self.is_without(&[FaultKind::Crash]) {
            return Ok(());
        }
        if records.vanished > 0 {
            return Err(format!(
                "{} protocols were dropped without connection_lost",
                records.vanished
            ));
        }
        if records.attempts != records.outcomes {
            let (attempts, outcomes) = (records.attempts, records.outcomes);
            return Err(format!("{attempts} attempts to connect had {outcomes} outcomes"));
        }
        if let Some(what) = records.begun.keys().find(|what| !records.begun_is_done(what)) {
            let (begun, done) = (&records.begun, &records.done);
            return Err(format!("too few {what} have ended: {begun:?}, {done:?}"));
        }
        Ok(())
    }
}

impl Records {
    fn begun_is_done(&self, what: &str) -> bool {
        self.begun.get(what) == self.done.get(what)
    }
}

/// See [`Model::task`].
#[derive(Debug)]
pub(crate) struct PendingTask(Model, &'static str);

impl Drop for PendingTask {
    fn drop(&mut self) {
        self.0.done(self.1);
    }
}

/// With these faults, an end of a connection may be lost without the other end noticing.
pub(crate) const SEVERING: &[FaultKind] = &[
    FaultKind::Crash,
    FaultKind::Cut,
    FaultKind::HalfOpen,
    FaultKind::Loss, // A reset is not retransmitted.
    FaultKind::Partition,
];

/// With these faults, clocks differ, or data is delayed.
pub(crate) const UNTIMELY: &[FaultKind] = &[
    FaultKind::Bandwidth,
    FaultKind::Drift,
    FaultKind::Jump,
    FaultKind::Latency,
    FaultKind::Loss,
    FaultKind::Reset,
    FaultKind::Stall,
];

/// With these faults, a peer may read nothing for a long time, or seem to.
pub(crate) const SLOWING: &[FaultKind] = &[FaultKind::Bandwidth, FaultKind::Jump, FaultKind::Loss];

/// Returns `count` bytes of a stream, 256 KiB at most, from an offset. The period is a prime number, so chunks of
/// usual sizes are different.
pub(crate) fn bytes(stream: u64, from: u64, count: usize) -> &'static [u8] {
    static TABLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let period = (0..251u8).map(|byte| byte.wrapping_mul(89) ^ 0x5a);
        period.cycle().take(251 + 256 * 1024).collect()
    });
    let start = (stream.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).wrapping_add(from) % 251;
    &TABLE[start as usize..][..count]
}
