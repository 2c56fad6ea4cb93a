//! The recording as a replayer reads it: the state that it shares with its sockets.

use crate::bytes::Bytes;
use crate::channel::ChannelTarget;
use crate::difference::{Difference, Shown};
use crate::file::{BlockReader, Header, invalid};
use crate::hash::hash;
use crate::outcome::Outcome;
use crate::record::{Call, Codec, Method, method_of};
use crate::tape::{Ending, Summary};
use ropewalk::backend::ThreadJob;
use ropewalk::{Answer, Id};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::time::{Duration, Instant};

/// Compares each call of the reactor with the recorded one, and returns the recorded outcome. After the end, or the
/// first difference, it answers nothing more, and the sockets do no harm.
pub(crate) struct Player {
    header: Header,
    /// The time that stands for the first reading of the clock.
    first: Instant,
    over: Cell<bool>,
    state: RefCell<State>,
    pub(crate) threads: RefCell<Threads>,
}

/// What the recorded threads answer and send.
#[derive(Default)]
pub(crate) struct Threads {
    pub(crate) look_ups: u32,
    /// The look-ups without an end, by number.
    pub(crate) answers: BTreeMap<u32, Answer>,
    pub(crate) numbers: BTreeMap<Id, u32>,
    pub(crate) jobs: BTreeMap<u64, ThreadJob>,
    pub(crate) channels: Vec<Option<Box<dyn ChannelTarget>>>,
}

struct State {
    blocks: BlockReader,
    block: Vec<u8>,
    /// The position of the next record in the block.
    at: usize,
    decoder: Codec,
    /// The records of the block as the replayed reactor would have recorded them.
    again: Vec<u8>,
    encoder: Codec,
    /// The hash of all that was made again: see [`BlockReader`].
    chain: u64,
    records: u64,
    sockets: u32,
    ids: Vec<Option<Id>>,
    ending: Ending,
}

/// A record that does not fit the replay.
enum Stop {
    Different(String),
    Ended(Ending),
}

impl Player {
    pub(crate) fn new(from: Box<dyn Read>, first: Instant) -> io::Result<Self> {
        let blocks = BlockReader::new(from)?;
        let (header, chain) = (blocks.header.clone(), blocks.chain);
        let state = State {
            blocks,
            block: Vec::new(),
            at: 0,
            decoder: Codec::default(),
            again: Vec::new(),
            encoder: Codec::default(),
            chain,
            records: 0,
            sockets: 0,
            ids: vec![None],
            ending: Ending::Running,
        };
        let (over, state, threads) = (Cell::new(false), RefCell::new(state), RefCell::default());
        Ok(Self { header, first, over, state, threads })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Compares a call with the next record, and takes the recorded outcome by `take`, which returns `None` for one that
    /// cannot be. `shown` is the payload, for the message about a difference. Returns `None` after the end.
    pub(crate) fn answer<T>(
        &self,
        call: &Call<'_>,
        shown: &[u8],
        take: impl FnOnce(Outcome<'_>) -> Option<T>,
    ) -> Option<T> {
        if self.over.get() {
            return None;
        }
        let mut state = self.state.borrow_mut();
        match state.advance(&self.comparable(*call), take) {
            Ok(taken) => Some(taken),
            Err(Stop::Ended(ending)) => self.end(&mut state, ending),
            Err(Stop::Different(recorded)) => {
                let space = if shown.is_empty() { "" } else { " " };
                let shown: &dyn std::fmt::Display =
                    if shown.is_empty() { &"" } else { &Shown(shown) };
                let replayed = format!("{call}{space}{shown}");
                let different = Ending::Different(state.difference(recorded, replayed));
                self.end(&mut state, different)
            }
        }
    }

    /// [`answer`](Self::answer) to a call that may fail.
    pub(crate) fn result<T>(
        &self,
        call: &Call<'_>,
        take: impl FnOnce(Outcome<'_>) -> Option<T>,
    ) -> Option<io::Result<T>> {
        self.answer(call, &[], |outcome| match outcome {
            Outcome::Failed(error) => Some(Err(error)),
            outcome => take(outcome).map(Ok),
        })
    }

    /// The answer to a call without a value. After the end it succeeds.
    pub(crate) fn done(&self, call: &Call<'_>) -> io::Result<()> {
        let done = |outcome: Outcome<'_>| matches!(outcome, Outcome::Done).then_some(());
        self.result(call, done).unwrap_or(Ok(()))
    }

    /// The answer to a call that returns true or false. After the end it is false.
    pub(crate) fn flag(&self, call: &Call<'_>) -> bool {
        let flag = |outcome: Outcome<'_>| match outcome {
            Outcome::Flag(flag) => Some(flag),
            _ => None,
        };
        self.answer(call, &[], flag).unwrap_or(false)
    }

    /// Returns the time of the last reading.
    pub(crate) fn time(&self) -> Instant {
        self.first + Duration::from_nanos(self.state.borrow().decoder.time())
    }

    /// Returns the method of the next record, if it is a rare one.
    pub(crate) fn next_method(&self) -> Option<Method> {
        if self.over.get() {
            return None;
        }
        let mut state = self.state.borrow_mut();
        match state.load() {
            Ok(true) => method_of(state.block[state.at]),
            // The next call reports it.
            _ => None,
        }
    }

    /// Returns the next record by `look`, and leaves it there.
    pub(crate) fn peek<T>(
        &self,
        look: impl FnOnce(Call<'_>, Outcome<'_>) -> Option<T>,
    ) -> Option<T> {
        let state = self.state.borrow();
        let mut decoder = state.decoder;
        let (call, outcome) = decoder.decode(&mut Bytes(&state.block[state.at..])).ok()?;
        look(call, outcome)
    }

    /// Returns the number of a new socket.
    pub(crate) fn number_socket(&self) -> u32 {
        let state = &mut *self.state.borrow_mut();
        state.sockets += 1;
        state.ids.push(None);
        state.sockets
    }

    pub(crate) fn register(&self, id: Id, socket: u32) {
        if let Some(place) = self.state.borrow_mut().ids.get_mut(socket as usize) {
            *place = Some(id);
        }
    }

    /// Returns the id under which a socket was registered last.
    pub(crate) fn id_of(&self, socket: u64) -> Option<Id> {
        let state = self.state.borrow();
        *state.ids.get(usize::try_from(socket).ok()?)?
    }

    /// The reactor has been dropped: nothing else must be recorded.
    pub(crate) fn finish(&self) {
        if self.over.get() {
            return;
        }
        let mut state = self.state.borrow_mut();
        let end = Call::plain(Method::End, 0);
        let ending = match state.advance(&end, |_| None::<()>) {
            Err(Stop::Ended(ending)) => ending,
            Err(Stop::Different(recorded)) => {
                let replayed = "the reactor was dropped".to_owned();
                Ending::Different(state.difference(recorded, replayed))
            }
            Ok(()) => Ending::Complete,
        };
        self.end::<()>(&mut state, ending);
    }

    /// Reports that a record cannot be what it says.
    pub(crate) fn fail(&self, text: &str) {
        if !self.over.get() {
            let mut state = self.state.borrow_mut();
            let text = format!("record {} of the recording is damaged: {text}", state.records);
            self.end::<()>(&mut state, Ending::Failed(text));
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.get()
    }

    pub(crate) fn summary(&self) -> Summary {
        let state = self.state.borrow();
        Summary {
            records: state.records,
            bytes: state.blocks.bytes,
            span: Duration::from_nanos(state.decoder.time()),
            hash: state.chain,
            ending: state.ending.clone(),
        }
    }

    /// A redacted recording has no hashes of written bytes.
    fn comparable<'a>(&self, call: Call<'a>) -> Call<'a> {
        match call {
            Call::Write { socket, length, descriptors, .. } if self.header.redacted => {
                Call::Write { socket, length, hash: 0, descriptors }
            }
            Call::Send { socket, length, to, .. } if self.header.redacted => {
                Call::Send { socket, length, hash: 0, to }
            }
            call => call,
        }
    }

    #[cold]
    fn end<T>(&self, state: &mut State, ending: Ending) -> Option<T> {
        self.over.set(true);
        log::debug!("the replay has ended: {ending}");
        state.ending = ending;
        None
    }
}

impl State {
    /// Makes sure that a record is left in the block. Returns false at the end of the file.
    fn load(&mut self) -> io::Result<bool> {
        if self.at < self.block.len() {
            return Ok(true);
        }
        self.at = 0;
        self.blocks.next(&mut self.block)
    }

    /// Takes the next record, if it is of this call.
    fn advance<T>(
        &mut self,
        call: &Call<'_>,
        take: impl FnOnce(Outcome<'_>) -> Option<T>,
    ) -> Result<T, Stop> {
        match self.load() {
            Ok(true) => {}
            Ok(false) => return Err(Stop::Ended(Ending::CutOff)),
            Err(error) => return Err(failed(error)),
        }
        let before = self.decoder;
        let mut bytes = Bytes(&self.block[self.at..]);
        let decoded = self.decoder.decode(&mut bytes);
        let (recorded, outcome) = decoded.map_err(|cause| failed(invalid(cause.to_string())))?;
        if let Call::Other { method: Method::End, text, .. } = recorded {
            self.encoder.encode(&mut self.again, &recorded, &outcome);
            let counted = matches!(outcome, Outcome::Count(count) if count == self.records);
            let reason = text.to_owned();
            let last = bytes.is_empty();
            return Err(Stop::Ended(self.end(counted && last, reason)));
        }
        if recorded != *call {
            let recorded = recorded.with(&outcome);
            self.decoder = before;
            return Err(Stop::Different(recorded));
        }
        self.records += 1;
        self.encoder.encode(&mut self.again, call, &outcome);
        let taken = take(outcome);
        self.at = self.block.len() - bytes.0.len();
        if self.at == self.block.len() {
            self.end_block();
        }
        let text = format!("record {} of the recording is damaged", self.records);
        taken.ok_or_else(|| failed(invalid(text)))
    }

    /// Adds the block as it was made again to the hash.
    fn end_block(&mut self) {
        self.chain = hash(self.chain, &self.again);
        self.again.clear();
    }

    /// Returns how the recording ends, at its last record.
    fn end(&mut self, is_last: bool, reason: String) -> Ending {
        self.records += 1;
        self.end_block();
        if !is_last || !matches!(self.blocks.next(&mut self.block), Ok(false)) {
            return Ending::Failed("the recording is damaged at its end".to_owned());
        }
        if self.chain != self.blocks.chain {
            // Each record was compared, so this cannot happen.
            return Ending::Failed("the hash of the replay is another".to_owned());
        }
        if reason.is_empty() { Ending::Complete } else { Ending::Refused(reason) }
    }

    fn difference(&self, recorded: String, replayed: String) -> Difference {
        let time = Duration::from_nanos(self.decoder.time());
        Difference { record: self.records + 1, time, recorded, replayed }
    }
}

fn failed(error: io::Error) -> Stop {
    Stop::Ended(Ending::Failed(error.to_string()))
}
