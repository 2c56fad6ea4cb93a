//! What everybody writes down, and what has to be true of it in the end.

use ropewalk::Id;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::LazyLock;

/// One direction of one connection.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) written: u64,
    pub(crate) received: u64,
    /// Somebody has begun to read it.
    pub(crate) begun: bool,
    /// The writer has ended it in order.
    pub(crate) ended: bool,
    /// The writer's connection is gone; the reader's.
    pub(crate) writer_gone: bool,
    pub(crate) reader_gone: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) streams: BTreeMap<u64, Stream>,
    /// What went against the rules.
    pub(crate) errors: Vec<String>,
    /// Protocols that were dropped without having been told.
    pub(crate) vanished: u64,
    pub(crate) attempts: u64,
    pub(crate) outcomes: u64,
    pub(crate) timers_set: u64,
    pub(crate) timers_fired: u64,
}

/// The books of a run. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    ledger: Rc<RefCell<Ledger>>,
    /// How many protocols there are.
    pub(crate) alive: Rc<Cell<i64>>,
    /// Nobody begins anything new.
    pub(crate) calm: Rc<Cell<bool>>,
    /// The connections that there were on each node; the latest.
    known: Rc<RefCell<BTreeMap<u64, VecDeque<Id>>>>,
    next: Rc<Cell<u64>>,
}

impl Books {
    pub(crate) fn fail(&self, what: impl Into<String>) {
        self.ledger.borrow_mut().errors.push(what.into());
    }

    pub(crate) fn know(&self, node: u64, id: Id) {
        let mut known = self.known.borrow_mut();
        let known = known.entry(node).or_default();
        known.push_back(id);
        if known.len() > 20 {
            known.pop_front();
        }
    }

    pub(crate) fn known(&self, node: u64) -> Vec<Id> {
        self.known.borrow().get(&node).into_iter().flatten().copied().collect()
    }

    /// A node has started: its ids are given out anew.
    pub(crate) fn forget(&self, node: u64) {
        self.known.borrow_mut().remove(&node);
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

    /// Nothing has gone against the rules so far.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.ledger.borrow().errors.first() {
            None => Ok(()),
            Some(first) => Err(first.clone()),
        }
    }

    /// Whatever was written to those who are still there has arrived.
    pub(crate) fn check_all_arrived(&self) -> Result<(), String> {
        for (name, stream) in &self.ledger.borrow().streams {
            let Stream { written, received, begun, writer_gone, reader_gone, .. } = stream;
            if *begun && !writer_gone && !reader_gone && written != received {
                return Err(format!(
                    "of stream {name} {received} of {written} bytes have arrived, and nobody is gone"
                ));
            }
        }
        Ok(())
    }

    /// Everything is over, and nothing is left.
    pub(crate) fn check_over(&self, nobody_crashed: bool) -> Result<(), String> {
        let ledger = self.ledger.borrow();
        if self.alive.get() != 0 {
            return Err(format!("{} protocols are left", self.alive.get()));
        }
        if nobody_crashed && ledger.vanished > 0 {
            return Err(format!("{} connections were lost, and nobody was told", ledger.vanished));
        }
        if nobody_crashed && ledger.attempts != ledger.outcomes {
            let (attempts, outcomes) = (ledger.attempts, ledger.outcomes);
            return Err(format!("{attempts} attempts to connect had {outcomes} outcomes"));
        }
        Ok(())
    }
}

/// `count` bytes of a stream, 64 KiB at most, from a place on. The period is a prime, so that no two pieces
/// of any usual size can be taken for each other.
pub(crate) fn bytes(stream: u64, from: u64, count: usize) -> &'static [u8] {
    static TABLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let period = (0..251u8).map(|byte| byte.wrapping_mul(89) ^ 0x5a);
        period.cycle().take(251 + 64 * 1024).collect()
    });
    let start = (stream.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).wrapping_add(from) % 251;
    &TABLE[start as usize..][..count]
}
