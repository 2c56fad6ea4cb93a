//! A protocol that performs random operations, and checks all its callbacks.

use crate::model::Model;
use crate::operations::perform;
use crate::protocol_state::{Stage, State};
use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reason, Transport};
use ropewalk_simulation::{FaultKind, Random};
use std::cell::RefCell;

use std::rc::Rc;
use std::time::Duration;

/// The maximum number of bytes that a protocol writes.
pub(crate) const MAX_WRITTEN: u64 = 300_000;

/// The write buffer limits of protocols that change them.
const MARKS: (usize, usize) = (3000, 1000);

/// The deadline of callbacks that do not depend on other nodes.
const DEADLINE: Duration = Duration::from_millis(5);

/// A factory of random protocols, which counts the results of attempts.
pub(crate) struct RandomFactory {
    pub(crate) model: Model,
    pub(crate) seed: u64,
    pub(crate) node: u64,
    /// The protocols connect; otherwise they are accepted.
    pub(crate) connects: bool,
}

impl Factory for RandomFactory {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        self.model.with(|records| records.outcomes += u64::from(self.connects));
        let random_protocol = RandomProtocol::new(self.model.clone(), self.seed, self.node);
        let choice = random_protocol.0.borrow_mut().random.below(60);
        match choice {
            0 => random_protocol.0.borrow_mut().stage = Stage::Lost,
            1 => random_protocol.0.borrow_mut().panic(),
            _ => return Some(Box::new(random_protocol)),
        }
        None
    }

    fn connection_failed(&mut self, _context: &mut Context, _id: Id, _error: Error) {
        self.model.with(|records| records.outcomes += 1);
    }
}

pub(crate) struct RandomProtocol(Rc<RefCell<State>>);

impl RandomProtocol {
    fn new(model: Model, seed: u64, node: u64) -> Self {
        model.alive.set(model.alive.get() + 1);
        let number = model.number();
        Self(Rc::new(RefCell::new(State {
            random: Random::new(seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d)),
            model,
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
            producer_stopped: false,
            aborted: false,
            panics: false,
            panicked: false,
        })))
    }
}

impl Protocol for RandomProtocol {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let mut this = self.0.borrow_mut();
        if this.stage != Stage::New {
            this.fail("connection_made was called more than once");
        }
        this.stage = Stage::Open;
        let over_unix = transport.peer().ip().is_none();
        this.model.stream(this.writes, |stream| stream.over_unix = over_unix);
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
        transport.context().call_later(delay, move |context| perform(context, id, &state));
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        let mut this = self.0.borrow_mut();
        match this.stage {
            Stage::New => this.fail("data was received before connection_made"),
            Stage::Closing => this.fail("data was received after a close"),
            Stage::Lost => this.fail("data was received after connection_lost"),
            Stage::Open if this.paused => this.fail("data was received while reading is paused"),
            Stage::Open if this.eof => this.fail("data was received after its end"),
            Stage::Open if data.is_empty() => this.fail("empty data was received"),
            Stage::Open => {}
        }
        this.check_data(data);
        if transport.counts().received != this.received + this.name.len() as u64 {
            this.fail("the received data was not counted correctly");
        }
        this.panic_on_purpose(transport);
        // Sometimes answers: all of it through its own transport, which offers it to the socket directly, or partly by id.
        let speaks = !this.write_ended && !this.writing_paused && this.written < MAX_WRITTEN / 2;
        if this.stage == Stage::Open && speaks && this.random.chance(0.3) {
            let id = transport.id();
            transport.write(this.next_bytes(30));
            if this.random.chance(0.5) {
                transport.context().transport(id).write(this.next_bytes(10));
            }
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
            this.fail("eof_received was called twice, or on a connection that is not open");
        }
        this.eof = true;
        match this.reads {
            None if this.name.is_empty() => {} // The connection was refused.
            None => this.fail("the end was received before the beginning"),
            Some(name) => {
                let (ended, written) = this.model.stream(name, |stream| {
                    stream.end_received = true;
                    (stream.ended, stream.written)
                });
                // Over a Unix socket, an abort is an end of stream for the peer.
                let is_certain = transport.peer().ip().is_some();
                if is_certain && (!ended || written != this.received) {
                    let received = this.received;
                    this.fail(&format!(
                        "the end of stream {name} was received after {received} of {written} bytes"
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
        let punctual = this.model.is_without(&[FaultKind::Jump, FaultKind::Stall]);
        if punctual && since.is_some_and(|since| transport.context().now() > since + DEADLINE) {
            this.fail("reading_resumed was called late");
        }
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        let mut this = self.0.borrow_mut();
        if this.writing_paused {
            this.fail("pause_writing was called twice");
        }
        this.set_writing_paused(true);
        this.panic_on_purpose(transport);
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        let mut this = self.0.borrow_mut();
        if !this.writing_paused {
            this.fail("resume_writing was called before pause_writing");
        }
        if transport.write_buffer_size() > this.marks.1 {
            this.fail("resume_writing was called above the low mark");
        }
        this.set_writing_paused(false);
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        let mut this = self.0.borrow_mut();
        if matches!(this.stage, Stage::New | Stage::Lost) {
            this.fail("connection_lost was called twice, or first");
        }
        let counts = transport.counts();
        let in_order = matches!(reason, Reason::Closed | Reason::ClosedByPeer);
        if in_order && counts.sent != this.written + 8 {
            let (sent, written) = (counts.sent, this.written + 8);
            this.fail(&format!("closed gracefully, but {sent} of {written} bytes were sent"));
        }
        if in_order && this.producer_stopped {
            this.fail("closed gracefully, but its producer had not finished");
        }
        if !this.is_expected(&reason, transport.context().is_stopping()) {
            this.fail(&format!("connection lost without a cause: {reason:?}"));
        }
        // A stop that interrupts a producer resets the connection.
        if matches!(reason, Reason::Stopped)
            && counts.sent == this.written + 8
            && !this.producer_stopped
        {
            this.end_writing();
        }
        if this.produces {
            this.fail("connection lost, but its producer was not stopped");
        }
        let now = transport.context().now();
        if matches!(reason, Reason::Closed) {
            this.model.stream(this.writes, |stream| stream.closed_at = Some(now));
        }
        if matches!(reason, Reason::Reset | Reason::Failed(_)) && this.lingered_too_briefly(now) {
            this.fail("reset shortly after the peer had closed gracefully");
        }
        this.stage = Stage::Lost;
        this.model.note_lost(this.node, transport.id());
        this.record_lost();
        this.panic_on_purpose(transport);
    }
}
