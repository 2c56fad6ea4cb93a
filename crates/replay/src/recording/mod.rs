//! The recording as a recorder writes it: the state that it shares with its sockets.

mod threads;

use crate::bytes::put_number;
use crate::channel::Channels;
use crate::file::{BlockWriter, Header};
use crate::hash::hash;
use crate::outcome::Outcome;
use crate::record::{Call, Codec, Method};
use crate::redact;
use crate::tape::{Ending, Summary};
use crate::value::readiness_bits;
use ropewalk::Id;
use ropewalk::backend::{Event, Events};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, Write};
use std::task::Waker;
use std::time::{Duration, Instant};

/// How long records may wait for a block that is full, by the recorded clock: what a crash of the program can lose.
const FLUSH_AFTER: u64 = 1_000_000_000;

/// The number that stands for the waker in the events of a wait. Sockets have numbers from 2 on there.
const WOKEN: u64 = 0;
const SIGNALLED: u64 = 1;

/// Writes records. After a failure, or something that cannot be recorded, it writes no more; the program goes on.
pub(crate) struct Recording {
    /// Copied out of `state`: the check of every call.
    stopped: Cell<bool>,
    state: RefCell<State>,
    first: Instant,
    waker: Waker,
    channels: RefCell<Channels>,
    /// Jobs are run again in a replay.
    repeats_jobs: Cell<bool>,
}

struct State {
    header: Header,
    codec: Codec,
    blocks: BlockWriter,
    /// The time of the last write to the file.
    written_at: u64,
    records: u64,
    sockets: u32,
    /// The look-ups so far, and the numbers of those that have no end.
    look_ups: u32,
    open_look_ups: BTreeMap<Id, u32>,
    /// The numbers of registered sockets.
    ids: HashMap<Id, u32, BuildHasherDefault<IdHasher>>,
    /// Encoded events, and filler in place of payloads.
    scratch: Vec<u8>,
    ending: Ending,
}

impl Recording {
    /// Writes the header.
    pub(crate) fn new(
        header: Header,
        out: Box<dyn Write>,
        first: Instant,
        waker: Waker,
    ) -> io::Result<Self> {
        let state = State {
            blocks: BlockWriter::new(&header, out)?,
            header,
            codec: Codec::default(),
            written_at: 0,
            records: 0,
            sockets: 0,
            look_ups: 0,
            open_look_ups: BTreeMap::new(),
            ids: HashMap::default(),
            scratch: Vec::new(),
            ending: Ending::Running,
        };
        Ok(Self {
            stopped: Cell::new(false),
            state: RefCell::new(state),
            first,
            waker,
            channels: RefCell::default(),
            repeats_jobs: Cell::new(false),
        })
    }

    /// Writes a record.
    #[inline]
    pub(crate) fn write(&self, call: &Call<'_>, outcome: &Outcome<'_>) {
        if !self.stopped.get() {
            let mut state = self.state.borrow_mut();
            if let Err(error) = state.write(call, outcome) {
                self.fail(&mut state, &error);
            }
        }
    }

    /// Writes the record of a call with a result that is described by `outcome`.
    #[inline]
    pub(crate) fn result<'o, T>(
        &self,
        call: &Call<'_>,
        result: io::Result<T>,
        outcome: impl FnOnce(&T) -> Outcome<'o>,
    ) -> io::Result<T> {
        match result {
            Ok(value) => {
                self.write(call, &outcome(&value));
                Ok(value)
            }
            Err(error) => {
                let failed = Outcome::Failed(error);
                self.write(call, &failed);
                let Outcome::Failed(error) = failed else { unreachable!("it was just made") };
                Err(error)
            }
        }
    }

    /// Writes the record of a call without a value.
    pub(crate) fn done(&self, call: &Call<'_>, result: io::Result<()>) -> io::Result<()> {
        self.result(call, result, |()| Outcome::Done)
    }

    /// Writes a reading of the clock.
    #[inline]
    pub(crate) fn write_time(&self, now: Instant) {
        let time = nanos(now.saturating_duration_since(self.first));
        self.write(&Call::Now, &Outcome::Time(time));
    }

    /// Writes a wait with its events. Afterwards the file has all records, if the last ones are old enough and the
    /// reactor has no more work at once.
    pub(crate) fn write_events(&self, limit: Option<Duration>, events: &Events) {
        if self.stopped.get() {
            return;
        }
        let state = &mut *self.state.borrow_mut();
        let mut encoded = std::mem::take(&mut state.scratch);
        encoded.clear();
        for event in events {
            match event.as_ready() {
                Some((id, readiness)) => {
                    // A socket that was closed since the poll has no number, and the reactor ignores its event.
                    let Some(number) = state.ids.get(&id) else { continue };
                    put_number(&mut encoded, u64::from(*number) + 2);
                    encoded.push(readiness_bits(readiness));
                }
                None if event == Event::WOKEN => put_number(&mut encoded, WOKEN),
                None => put_number(&mut encoded, SIGNALLED),
            }
        }
        let call = Call::Wait(limit.map(nanos));
        let mut written = state.write(&call, &Outcome::Bytes(&encoded));
        state.scratch = encoded;
        if limit != Some(Duration::ZERO)
            && state.codec.time().saturating_sub(state.written_at) >= FLUSH_AFTER
        {
            written = written.and_then(|()| state.flush());
        }
        if let Err(error) = written {
            self.fail(state, &error);
        }
    }

    /// Returns the number of a new socket. Both sides count sockets in the same order.
    pub(crate) fn number_socket(&self) -> u32 {
        let mut state = self.state.borrow_mut();
        state.sockets += 1;
        state.sockets
    }

    pub(crate) fn register(&self, id: Id, socket: u32) {
        self.state.borrow_mut().ids.insert(id, socket);
    }

    pub(crate) fn deregister(&self, id: Id, socket: u32) {
        let ids = &mut self.state.borrow_mut().ids;
        if ids.get(&id) == Some(&socket) {
            ids.remove(&id);
        }
    }

    /// Stops the recording: something happens that it cannot have. The program goes on.
    pub(crate) fn refuse(&self, what: &str) {
        if self.stopped.replace(true) {
            return;
        }
        log::warn!("the recording stops: {what}");
        let mut state = self.state.borrow_mut();
        let ended = state.end(what);
        state.ending = match ended {
            Ok(()) => Ending::Refused(what.to_owned()),
            Err(error) => Ending::Failed(error.to_string()),
        };
    }

    /// Ends the recording.
    pub(crate) fn finish(&self) {
        if self.stopped.replace(true) {
            return;
        }
        let mut state = self.state.borrow_mut();
        match state.end("") {
            Ok(()) => state.ending = Ending::Complete,
            Err(error) => self.fail(&mut state, &error),
        }
    }

    pub(crate) fn summary(&self) -> Summary {
        let state = self.state.borrow();
        Summary {
            records: state.records,
            bytes: state.blocks.bytes,
            span: Duration::from_nanos(state.codec.time()),
            hash: state.blocks.chain,
            ending: state.ending.clone(),
        }
    }

    #[cold]
    fn fail(&self, state: &mut State, error: &io::Error) {
        self.stopped.set(true);
        log::warn!("the recording stops: cannot write it: {error}");
        state.ending = Ending::Failed(error.to_string());
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recording").field(&self.summary()).finish()
    }
}

/// The end of the reactor is the end of the recording.
impl Drop for Recording {
    fn drop(&mut self) {
        self.finish();
    }
}

impl State {
    #[inline]
    fn write(&mut self, call: &Call<'_>, outcome: &Outcome<'_>) -> io::Result<()> {
        if self.header.redacted {
            self.write_redacted(call, outcome);
        } else {
            self.codec.encode(&mut self.blocks.block, call, outcome);
        }
        self.records += 1;
        if self.blocks.is_full() { self.flush() } else { Ok(()) }
    }

    #[cold]
    fn write_redacted(&mut self, call: &Call<'_>, outcome: &Outcome<'_>) {
        let filler = &mut self.scratch;
        let (call, outcome) = redact::without_payload(call, outcome, filler);
        self.codec.encode(&mut self.blocks.block, &call, &outcome);
    }

    #[cold]
    fn flush(&mut self) -> io::Result<()> {
        self.written_at = self.codec.time();
        self.blocks.flush()
    }

    /// Writes the last record: the reason, if it is not the end of the reactor, and the number of records before it.
    fn end(&mut self, reason: &str) -> io::Result<()> {
        let call = Call::Other { method: Method::End, socket: 0, text: reason };
        let count = Outcome::Count(self.records);
        self.codec.encode(&mut self.blocks.block, &call, &count);
        self.records += 1;
        self.flush()
    }
}

/// Returns the length and the hash of bytes that are written.
#[inline]
pub(crate) fn written(bytes: &[u8]) -> (u64, u64) {
    (bytes.len() as u64, hash(0, bytes))
}

pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// A hash of one number. Ids come from the reactor itself, so none is chosen to collide.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(self.0, bytes);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(20);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
