//! The journal's interface: where to read it, and observers.

use crate::api::context::Context;
use crate::api::timer::Job;
use crate::source::stream::Filled;
use crate::values::id::Id;
use crate::values::journal::{CallOutcome, Journal, SystemCall, TimerJob};
use std::any::type_name;
use std::io;

/// Receives the journal after each turn: for programs that write it to a file, draw it, or look for something in it.
///
/// [`Reactor::add_observer`](crate::Reactor::add_observer) adds one. A closure `FnMut(&Journal)` is one as well.
///
/// ```
/// use ropewalk::{Error, Reactor};
/// use ropewalk::journal::{Cursor, Journal, Observer};
/// use std::time::Duration;
///
/// /// Prints what the reactor does.
/// #[derive(Default)]
/// struct Printer(Cursor);
///
/// impl Observer for Printer {
///     fn turn_ended(&mut self, journal: &Journal) {
///         journal.read(&mut self.0, |record| println!("{record}"));
///     }
/// }
///
/// let mut reactor = Reactor::new()?;
/// reactor.add_observer(Printer::default());
/// reactor.turn(Some(Duration::ZERO))?;
/// # Ok::<(), Error>(())
/// ```
pub trait Observer: 'static {
    /// A turn has ended, or a run. The journal has the records of it, unless the turn made more records than the journal
    /// keeps: [`Journal::read`] reports how many are missing. The reactor waits for the return, as for any callback. If it
    /// panics, the observer is dropped, and the reactor continues.
    fn turn_ended(&mut self, journal: &Journal);

    /// Returns the name of the type, for the logs.
    fn type_name(&self) -> &'static str {
        type_name::<Self>()
    }
}

impl<F: FnMut(&Journal) + 'static> Observer for F {
    fn turn_ended(&mut self, journal: &Journal) {
        self(journal);
    }
}

impl Context {
    /// Records a read.
    #[inline]
    pub(crate) fn note_read(&mut self, id: Id, filled: &Filled) {
        match filled {
            Filled::Data(count) | Filled::Discarded(count) => self.journal.received(id, *count),
            filled => self.note_read_without_data(id, filled),
        }
    }

    #[cold]
    fn note_read_without_data(&mut self, id: Id, filled: &Filled) {
        let outcome = match filled {
            Filled::Eof => CallOutcome::Eof,
            Filled::Failed(error) => CallOutcome::from(error),
            _ => CallOutcome::WouldBlock,
        };
        self.journal.system(id, SystemCall::Receive, outcome);
    }

    /// Records a write that did not take all that was offered.
    pub(crate) fn note_offer(&mut self, id: Id, result: &Result<usize, &io::Error>) {
        let outcome = match *result {
            Ok(0) => CallOutcome::WouldBlock,
            Ok(count) => CallOutcome::Bytes(count as u32),
            Err(error) => CallOutcome::from(error),
        };
        self.journal.system(id, SystemCall::Send, outcome);
    }

    /// Records a flush that has sent this number of bytes.
    #[inline(always)]
    pub(crate) fn note_flush(&mut self, id: Id, sent: u64, flushed: &io::Result<()>) {
        match flushed {
            Ok(()) if sent > 0 => self.journal.sent(id, sent as usize),
            flushed => self.note_offer(id, &flushed.as_ref().map(|()| 0)),
        }
    }
}

impl Job {
    /// Returns the socket and the word of the job's record in the journal.
    pub(super) fn subject(&self) -> (Id, TimerJob) {
        match *self {
            Self::Call(_) => (Id::NONE, TimerJob::Call),
            Self::Notify(id, _) => (id, TimerJob::Notify),
            Self::CloseDeadline(id) => (id, TimerJob::CloseDeadline),
            Self::CloseProgress(id, _) => (id, TimerJob::CloseProgress),
            Self::ConnectNext(id) => (id, TimerJob::ConnectNext),
            Self::ConnectTimeout(id) => (id, TimerJob::ConnectTimeout),
            Self::HandshakeTimeout(id) => (id, TimerJob::HandshakeTimeout),
            Self::LookUpTimeout(id) => (id, TimerJob::LookUpTimeout),
            Self::LingerEnd(id) => (id, TimerJob::LingerEnd),
            Self::BackoffEnd(id) => (id, TimerJob::BackoffEnd),
            Self::StartupEnd => (Id::NONE, TimerJob::StartupEnd),
        }
    }
}

/// # The journal
impl Context {
    /// Returns the journal: the last records of what this reactor did.
    ///
    /// ```
    /// # use ropewalk::{Error, Reactor};
    /// let mut reactor = Reactor::new()?;
    /// reactor.turn(Some(std::time::Duration::ZERO))?;
    /// let journal = reactor.context().journal();
    /// journal.mark(7); // A number of the program's own.
    /// assert!(journal.records().any(|record| record.to_string().ends_with("mark 7")));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }
}
