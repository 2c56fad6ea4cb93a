//! A protocol that does everything that a protocol may do, at random, and writes down what it hears.

use crate::acting::act;
use crate::books::{Books, SEVERING, SLOWING, UNTIMELY, bytes};
use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reason, Transport};
use ropewalk_simulation::{FaultKind, Random};
use std::cell::RefCell;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How much one writes in its life at most.
pub(crate) const MOST: u64 = 300_000;

/// The marks of those who have not left them where they were.
const MARKS: (usize, usize) = (3000, 1000);

/// How soon that is done which has not to wait for others.
const PROMPT: Duration = Duration::from_millis(5);

/// How long one that has closed in order hears its peer out at least.
const LINGER: Duration = Duration::from_millis(1900);

/// Makes talkers, and counts what becomes of attempts.
pub(crate) struct Talkers {
    pub(crate) books: Books,
    pub(crate) seed: u64,
    pub(crate) node: u64,
    /// Whether they have connected, or were accepted.
    pub(crate) connects: bool,
}

impl Factory for Talkers {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        self.books.with(|ledger| ledger.outcomes += u64::from(self.connects));
        let talker = Talker::new(self.books.clone(), self.seed, self.node);
        let mood = talker.0.borrow_mut().random.below(60);
        match mood {
            0 => talker.0.borrow_mut().stage = Stage::Lost,
            1 => talker.0.borrow_mut().panic(),
            _ => return Some(Box::new(talker)),
        }
        None
    }

    fn connection_failed(&mut self, _context: &mut Context, _id: Id, _error: Error) {
        self.books.with(|ledger| ledger.outcomes += 1);
    }
}

pub(crate) struct Talker(Rc<RefCell<State>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    New,
    Open,
    /// It has asked for the end.
    Closing,
    Lost,
}

pub(crate) struct State {
    pub(crate) books: Books,
    pub(crate) node: u64,
    pub(crate) random: Random,
    pub(crate) stage: Stage,
    /// What it writes: the name of the stream first.
    writes: u64,
    pub(crate) written: u64,
    pub(crate) write_ended: bool,
    pub(crate) produces: bool,
    /// What it reads.
    reads: Option<u64>,
    name: Vec<u8>,
    received: u64,
    eof: bool,
    pub(crate) paused: bool,
    /// When it was to go on reading.
    pub(crate) resumed_at: Option<Instant>,
    pub(crate) writing_paused: bool,
    /// At which marks it is told to pause and to go on writing.
    marks: (usize, usize),
    /// Its producer was stopped before it had finished.
    pub(crate) cut_off: bool,
    pub(crate) aborted: bool,
    /// It is to panic in its next callback; it has.
    pub(crate) panics: bool,
    panicked: bool,
}

impl Talker {
    fn new(books: Books, seed: u64, node: u64) -> Self {
        books.alive.set(books.alive.get() + 1);
        let number = books.number();
        Self(Rc::new(RefCell::new(State {
            random: Random::new(seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d)),
            books,
            node,
            stage: Stage::New,
            writes: number,
            written: 0,
            write_ended: false,
            produces: false,
            reads: None,
            name: Vec::new(),
            received: 0,
            eof: false,
            paused: false,
            resumed_at: None,
            writing_paused: false,
            marks: (64 * 1024, 16 * 1024),
            cut_off: false,
            aborted: false,
            panics: false,
            panicked: false,
        })))
    }
}

impl State {
    pub(crate) fn fail(&self, what: &str) {
        self.books.fail(format!("the talker who writes stream {}: {what}", self.writes));
    }

    /// So many of the next bytes of its stream.
    pub(crate) fn next_bytes(&mut self, count: u64) -> &'static [u8] {
        let (writes, from) = (self.writes, self.written);
        self.written += count;
        let written = self.written;
        self.books.stream(writes, |stream| stream.written = written);
        bytes(writes, from, count as usize)
    }

    /// Whether so much waits that it is to be told, and has not been.
    pub(crate) fn should_pause(&self, waiting: usize) -> bool {
        waiting > self.marks.0 && !self.writing_paused
    }

    pub(crate) fn end_writing(&mut self) {
        self.write_ended = true;
        self.books.stream(self.writes, |stream| stream.ended = true);
    }

    pub(crate) fn set_produces(&mut self, produces: bool) {
        self.produces = produces;
        self.books.stream(self.writes, |stream| stream.produced = produces);
    }

    fn set_writing_paused(&mut self, paused: bool) {
        self.writing_paused = paused;
        self.books.stream(self.writes, |stream| stream.paused = paused);
    }

    fn panic(&mut self) -> ! {
        self.stage = Stage::Lost;
        resume_unwind(Box::new("on purpose"))
    }

    /// Panics if it has made up its mind to. What it writes before goes to nobody.
    fn panic_on_purpose(&mut self, transport: &mut Transport<'_>) {
        if self.panics && !self.panicked {
            self.panicked = true;
            if self.stage == Stage::Open {
                self.stage = Stage::Closing;
            }
            transport.write(&[0xee; 100]);
            resume_unwind(Box::new("on purpose"));
        }
    }

    fn take_in(&mut self, mut data: &[u8]) {
        while self.name.len() < 8 && !data.is_empty() {
            self.name.push(data[0]);
            data = &data[1..];
        }
        let Ok(name) = <[u8; 8]>::try_from(&*self.name) else { return };
        let name = u64::from_le_bytes(name);
        if self.reads.replace(name).is_none() && name >= 1 << 32 {
            self.fail("what it reads does not begin with the name of a stream");
        }
        if data != bytes(name, self.received, data.len()) {
            let place = self.received;
            return self
                .fail(&format!("from byte {place} on, stream {name} is not what was written"));
        }
        self.received += data.len() as u64;
        let (writes, received) = (self.writes, self.received);
        let written = self.books.stream(name, |stream| {
            (stream.answer, stream.received) = (Some(writes), received);
            stream.written
        });
        if received > written {
            self.fail(&format!("stream {name} has bytes that nobody wrote"));
        }
    }

    /// Whether it has lost its connection for a reason that there is.
    fn deserves(&self, reason: &Reason, stops: bool) -> bool {
        if self.panicked || self.aborted {
            return matches!(reason, Reason::Panicked) == self.panicked
                && matches!(reason, Reason::Aborted) == self.aborted;
        }
        match reason {
            Reason::Closed => self.write_ended,
            Reason::ClosedByPeer => self.eof,
            Reason::CloseTimeout if self.stage != Stage::Closing && !self.write_ended => false,
            Reason::CloseTimeout => {
                !self.books.is_without(SEVERING) || !self.books.is_without(SLOWING)
            }
            Reason::Stopped => stops,
            Reason::Failed(_) | Reason::Reset => true,
            Reason::TimedOut => !self.books.is_without(SEVERING),
            _ => false,
        }
    }
}

impl State {
    /// Whether its peer has closed in order, and lingers no more though it is to.
    fn was_cut_short(&self, now: Instant) -> bool {
        let quiet = self.books.is_without(SEVERING) && self.books.is_without(UNTIMELY);
        let closed_at = self.reads.and_then(|name| self.books.stream(name, |it| it.closed_at));
        quiet && !self.books.stopped.get() && closed_at.is_some_and(|at| now < at + LINGER)
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.books.alive.set(self.books.alive.get() - 1);
        if !matches!(self.stage, Stage::Lost) {
            self.books.with(|ledger| ledger.vanished += 1);
            self.leave();
        }
    }
}

impl State {
    /// Its connection is gone.
    fn leave(&self) {
        self.books.stream(self.writes, |stream| stream.writer_gone = true);
        if let Some(reads) = self.reads {
            self.books.stream(reads, |stream| stream.reader_gone = true);
        }
    }
}

impl Protocol for Talker {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let mut this = self.0.borrow_mut();
        if this.stage != Stage::New {
            this.fail("connection_made came more than once");
        }
        this.stage = Stage::Open;
        let over_unix = transport.peer().ip().is_none();
        this.books.stream(this.writes, |stream| stream.over_unix = over_unix);
        transport.write(&this.writes.to_le_bytes());
        let bytes = this.next_bytes(20);
        transport.write(bytes);
        if this.random.chance(0.5) {
            transport.set_write_buffer_limits(MARKS.0, MARKS.1);
            this.marks = MARKS;
        }
        let delay = this.random.duration(Duration::ZERO, Duration::from_millis(100));
        let (id, state) = (transport.id(), Rc::clone(&self.0));
        drop(this);
        transport.context().call_later(delay, move |context| act(context, id, &state));
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        let mut this = self.0.borrow_mut();
        match this.stage {
            Stage::New => this.fail("data came before connection_made"),
            Stage::Closing => this.fail("data came after the end was asked for"),
            Stage::Lost => this.fail("data came after connection_lost"),
            Stage::Open if this.paused => this.fail("data came while reading is paused"),
            Stage::Open if this.eof => this.fail("data came after its end"),
            Stage::Open if data.is_empty() => this.fail("no data came as data"),
            Stage::Open => {}
        }
        this.take_in(data);
        if transport.counts().received != this.received + this.name.len() as u64 {
            this.fail("what it has received is not what was counted");
        }
        this.panic_on_purpose(transport);
        // An answer of its own, now and then: one written to itself, one as others write to it.
        let speaks = !this.write_ended && !this.writing_paused && this.written < MOST / 2;
        if this.stage == Stage::Open && speaks && this.random.chance(0.3) {
            let id = transport.id();
            transport.write(this.next_bytes(30));
            transport.context().write(id, this.next_bytes(10));
            transport.write(this.next_bytes(20));
        }
        if this.random.chance(0.1) {
            transport.pause();
            transport.resume();
            this.resumed_at = Some(transport.context().now());
        }
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        let mut this = self.0.borrow_mut();
        if this.eof || this.stage != Stage::Open {
            this.fail("eof_received came twice, or to one that is not open");
        }
        this.eof = true;
        match this.reads {
            None if this.name.is_empty() => {} // It was not let in.
            None => this.fail("the end came before the beginning"),
            Some(name) => {
                let (ended, written) = this.books.stream(name, |stream| {
                    stream.end_told = true;
                    (stream.ended, stream.written)
                });
                // Over a Unix socket an abort, too, is an end to the peer.
                let is_certain = transport.peer().ip().is_some();
                if is_certain && (!ended || written != this.received) {
                    let received = this.received;
                    this.fail(&format!(
                        "the end of stream {name} came after {received} of {written} bytes"
                    ));
                }
            }
        }
        this.panic_on_purpose(transport);
        if this.random.chance(0.7) {
            this.end_writing();
            this.stage = Stage::Closing;
            drop(this);
            transport.close();
        }
    }

    fn reading_resumed(&mut self, transport: &mut Transport<'_>) {
        let mut this = self.0.borrow_mut();
        let since = this.resumed_at.take();
        let punctual = this.books.is_without(&[FaultKind::Jump, FaultKind::Stall]);
        if punctual && since.is_some_and(|since| transport.context().now() > since + PROMPT) {
            this.fail("it was told late that reading goes on");
        }
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        let mut this = self.0.borrow_mut();
        if this.writing_paused {
            this.fail("pause_writing came twice");
        }
        this.set_writing_paused(true);
        this.panic_on_purpose(transport);
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        let mut this = self.0.borrow_mut();
        if !this.writing_paused {
            this.fail("resume_writing came before pause_writing");
        }
        if transport.write_buffer_size() > this.marks.1 {
            this.fail("resume_writing came above the mark");
        }
        this.set_writing_paused(false);
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        let mut this = self.0.borrow_mut();
        if matches!(this.stage, Stage::New | Stage::Lost) {
            this.fail("connection_lost came twice, or first");
        }
        let counts = transport.counts();
        let in_order = matches!(reason, Reason::Closed | Reason::ClosedByPeer);
        if in_order && counts.sent != this.written + 8 {
            let (sent, written) = (counts.sent, this.written + 8);
            this.fail(&format!("closed in order, but {sent} of {written} bytes were sent"));
        }
        if in_order && this.cut_off {
            this.fail("closed in order, but its producer had not finished");
        }
        if !this.deserves(&reason, transport.context().is_stopping()) {
            this.fail(&format!("nothing has happened that could make it be lost: {reason:?}"));
        }
        // A stop that cuts a producer short resets the connection.
        if matches!(reason, Reason::Stopped) && counts.sent == this.written + 8 && !this.cut_off {
            this.end_writing();
        }
        if this.produces {
            this.fail("it is lost, and its producer has not been stopped");
        }
        let now = transport.context().now();
        if matches!(reason, Reason::Closed) {
            this.books.stream(this.writes, |stream| stream.closed_at = Some(now));
        }
        if matches!(reason, Reason::Reset | Reason::Failed(_)) && this.was_cut_short(now) {
            this.fail("it was reset, though its peer had closed in order a moment ago");
        }
        this.stage = Stage::Lost;
        this.books.note_lost(this.node, transport.id());
        this.leave();
        this.panic_on_purpose(transport);
    }
}
