//! A protocol that does everything that a protocol may do, at random, and writes down what it hears.

use crate::books::{Books, bytes};
use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reason, Transport};
use ropewalk_simulation::Random;
use std::cell::RefCell;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::time::Duration;

/// How much one writes in its life at most.
const MOST: u64 = 300_000;

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
        Some(Box::new(Talker::new(self)))
    }

    fn connection_failed(&mut self, _context: &mut Context, _id: Id, _error: Error) {
        self.books.with(|ledger| ledger.outcomes += 1);
    }
}

pub(crate) struct Talker(Rc<RefCell<State>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Open,
    /// It has asked for the end.
    Closing,
    Lost,
}

struct State {
    books: Books,
    node: u64,
    random: Random,
    stage: Stage,
    /// What it writes: the name of the stream first.
    writes: u64,
    written: u64,
    write_ended: bool,
    /// What it reads.
    reads: Option<u64>,
    name: Vec<u8>,
    received: u64,
    eof: bool,
    paused: bool,
    writing_paused: bool,
    panics: bool,
}

impl Talker {
    fn new(talkers: &Talkers) -> Self {
        let books = talkers.books.clone();
        books.alive.set(books.alive.get() + 1);
        let number = books.number();
        Self(Rc::new(RefCell::new(State {
            random: Random::new(talkers.seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d)),
            books,
            node: talkers.node,
            stage: Stage::New,
            writes: number,
            written: 0,
            write_ended: false,
            reads: None,
            name: Vec::new(),
            received: 0,
            eof: false,
            paused: false,
            writing_paused: false,
            panics: false,
        })))
    }
}

impl State {
    fn fail(&self, what: &str) {
        self.books.fail(format!("the talker who writes stream {}: {what}", self.writes));
    }

    /// So many of the next bytes of its stream.
    fn next_bytes(&mut self, count: u64) -> &'static [u8] {
        let (writes, from) = (self.writes, self.written);
        self.written += count;
        let written = self.written;
        self.books.stream(writes, |stream| stream.written = written);
        bytes(writes, from, count as usize)
    }

    fn end_writing(&mut self) {
        self.write_ended = true;
        self.books.stream(self.writes, |stream| stream.ended = true);
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
        let received = self.received;
        let written = self.books.stream(name, |stream| {
            (stream.begun, stream.received) = (true, received);
            stream.written
        });
        if received > written {
            self.fail(&format!("stream {name} has bytes that nobody wrote"));
        }
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

/// Does something to a connection, now and then.
fn act(context: &mut Context, id: Id, state: &Rc<RefCell<State>>) {
    let mut this = state.borrow_mut();
    if this.stage == Stage::Lost {
        return;
    }
    if this.books.calm.get() {
        this.paused = false;
        drop(this);
        return context.resume(id);
    }
    match this.random.below(100) {
        0..60 if this.stage == Stage::Open && !this.write_ended && !this.writing_paused => {
            let most = [1, 10, 100, 5_000, 40_000][this.random.below(5) as usize];
            let count = this.random.between(1, most);
            if this.written + count < MOST {
                let bytes = this.next_bytes(count);
                context.write(id, bytes);
            }
        }
        60..66 => {
            this.paused = true;
            context.pause(id);
        }
        66..76 => {
            this.paused = false;
            context.resume(id);
        }
        76..80 if this.stage == Stage::Open => {
            this.end_writing();
            context.write_eof(id);
        }
        80..83 if this.stage == Stage::Open => {
            this.end_writing();
            this.stage = Stage::Closing;
            context.close(id);
        }
        83 if this.stage == Stage::Open => {
            this.stage = Stage::Closing;
            context.abort(id);
        }
        84 => this.panics = true,
        85..89 => {
            // To one that is gone, most likely: then nobody may hear it.
            for id in this.books.known(this.node) {
                if context.peer(id).is_none() {
                    context.write(id, &[0xee; 300]);
                    context.close(id);
                }
            }
        }
        89..93 => {
            let number = this.books.number();
            let books = this.books.clone();
            let timer = context.call_later(Duration::from_millis(number % 50), move |_| {
                books.fail("a timer that was cancelled has fired");
            });
            if !context.cancel(timer) {
                this.fail("a timer that has just been set cannot be cancelled");
            }
        }
        _ => {}
    }
    let delay = this.random.duration(Duration::ZERO, Duration::from_millis(400));
    let due = context.now() + delay;
    this.books.with(|ledger| ledger.timers_set += 1);
    let (again, books) = (Rc::clone(state), this.books.clone());
    drop(this);
    context.call_later(delay, move |context| {
        if context.now() < due {
            books.fail("a timer has fired early");
        }
        books.with(|ledger| ledger.timers_fired += 1);
        act(context, id, &again);
    });
}

impl Protocol for Talker {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let mut this = self.0.borrow_mut();
        if this.stage != Stage::New {
            this.fail("connection_made came more than once");
        }
        this.stage = Stage::Open;
        this.books.know(this.node, transport.id());
        transport.write(&this.writes.to_le_bytes());
        let bytes = this.next_bytes(20);
        transport.write(bytes);
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
        if this.panics {
            this.stage = Stage::Closing;
            resume_unwind(Box::new("on purpose"));
        }
        // An answer of its own, now and then.
        let speaks = !this.write_ended && !this.writing_paused && this.written < MOST / 2;
        if this.stage == Stage::Open && speaks && this.random.chance(0.3) {
            let bytes = this.next_bytes(30);
            transport.write(bytes);
        }
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        let mut this = self.0.borrow_mut();
        if this.eof || this.stage != Stage::Open {
            this.fail("eof_received came twice, or to one that is not open");
        }
        this.eof = true;
        match this.reads {
            None => this.fail("the end came before the beginning"),
            Some(name) => {
                let (ended, written) =
                    this.books.stream(name, |stream| (stream.ended, stream.written));
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
        if this.random.chance(0.7) {
            this.end_writing();
            this.stage = Stage::Closing;
            drop(this);
            transport.close();
        }
    }

    fn pause_writing(&mut self, _transport: &mut Transport<'_>) {
        let mut this = self.0.borrow_mut();
        if this.writing_paused {
            this.fail("pause_writing came twice");
        }
        this.writing_paused = true;
    }

    fn resume_writing(&mut self, _transport: &mut Transport<'_>) {
        let mut this = self.0.borrow_mut();
        if !this.writing_paused {
            this.fail("resume_writing came before pause_writing");
        }
        this.writing_paused = false;
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        let mut this = self.0.borrow_mut();
        if matches!(this.stage, Stage::New | Stage::Lost) {
            this.fail("connection_lost came twice, or first");
        }
        let counts = transport.counts();
        if matches!(reason, Reason::Closed) && counts.sent != this.written + 8 {
            let (sent, written) = (counts.sent, this.written + 8);
            this.fail(&format!("closed in order, but {sent} of {written} bytes were sent"));
        }
        if matches!(reason, Reason::Panicked) != this.panics && !this.panics {
            this.fail("a panic that nobody had");
        }
        this.stage = Stage::Lost;
        this.leave();
    }
}
