//! Factories and protocols that record their callbacks.

use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reason, TimerId, Transport};
use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::io;
#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Instant;

/// The payload of the first panic of a callback, until the test receives it.
pub(super) type Panic = Rc<RefCell<Option<Box<dyn Any + Send>>>>;

/// A function that receives the data of a protocol.
pub(super) type OnData = Rc<dyn Fn(Instant, &[u8])>;

/// The record of a protocol.
#[derive(Debug, Default)]
pub(super) struct ProtocolRecord {
    pub(super) id: Option<Id>,
    pub(super) callbacks: Vec<&'static str>,
    pub(super) reason: Option<Reason>,
}

/// The records of all protocols that a factory was asked for, in order.
pub(super) type Records = Rc<RefCell<Vec<Rc<RefCell<ProtocolRecord>>>>>;

pub(super) struct RecordingFactory<F> {
    factory: F,
    panic: Panic,
    records: Records,
    on_data: Option<OnData>,
}

impl<F: Factory> RecordingFactory<F> {
    pub(super) fn new(factory: F, panic: &Panic, on_data: Option<OnData>) -> (Self, Records) {
        let records = Records::default();
        (Self { factory, panic: panic.clone(), records: records.clone(), on_data }, records)
    }

    /// Adds the record of a requested protocol or a failed connection.
    fn note(&self, callback: &'static str) -> Rc<RefCell<ProtocolRecord>> {
        let record = Rc::new(RefCell::new(ProtocolRecord::default()));
        record.borrow_mut().callbacks.push(callback);
        self.records.borrow_mut().push(record.clone());
        record
    }
}

impl<F: Factory> Factory for RecordingFactory<F> {
    fn build(&mut self, peer: &Address) -> Option<Box<dyn Protocol>> {
        let record = self.note("build");
        let protocol = recording_panic(&self.panic, || self.factory.build(peer))?;
        let (panic, on_data) = (self.panic.clone(), self.on_data.clone());
        Some(Box::new(RecordingProtocol { protocol, panic, record, on_data }))
    }

    fn connection_failed(&mut self, context: &mut Context, id: Id, error: Error) {
        self.note("connection_failed");
        recording_panic(&self.panic, || self.factory.connection_failed(context, id, error));
    }

    fn type_name(&self) -> &'static str {
        self.factory.type_name()
    }
}

struct RecordingProtocol {
    protocol: Box<dyn Protocol>,
    panic: Panic,
    record: Rc<RefCell<ProtocolRecord>>,
    on_data: Option<OnData>,
}

impl RecordingProtocol {
    fn note<R>(&mut self, callback: &'static str, call: impl FnOnce(&mut dyn Protocol) -> R) -> R {
        self.record.borrow_mut().callbacks.push(callback);
        recording_panic(&self.panic, || call(&mut *self.protocol))
    }

    fn receive(&self, transport: &mut Transport<'_>, data: &[u8]) {
        if let Some(on_data) = &self.on_data {
            on_data(transport.context().now(), data);
        }
    }
}

impl Protocol for RecordingProtocol {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.record.borrow_mut().id = Some(transport.id());
        self.note("connection_made", |protocol| protocol.connection_made(transport));
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.receive(transport, data);
        self.note("data_received", |protocol| protocol.data_received(transport, data));
    }

    #[cfg(unix)]
    fn descriptors_received(
        &mut self,
        transport: &mut Transport<'_>,
        data: &[u8],
        descriptors: Vec<OwnedFd>,
    ) {
        self.receive(transport, data);
        self.note("descriptors_received", |protocol| {
            protocol.descriptors_received(transport, data, descriptors);
        });
    }

    #[cfg(unix)]
    fn descriptors_lost(&mut self, transport: &mut Transport<'_>) {
        self.note("descriptors_lost", |protocol| protocol.descriptors_lost(transport));
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        self.note("eof_received", |protocol| protocol.eof_received(transport));
    }

    fn eof_noticed(&mut self, transport: &mut Transport<'_>) {
        self.note("eof_noticed", |protocol| protocol.eof_noticed(transport));
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        self.note("pause_writing", |protocol| protocol.pause_writing(transport));
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        self.note("resume_writing", |protocol| protocol.resume_writing(transport));
    }

    fn reading_resumed(&mut self, transport: &mut Transport<'_>) {
        self.note("reading_resumed", |protocol| protocol.reading_resumed(transport));
    }

    fn timer_fired(&mut self, transport: &mut Transport<'_>, timer: TimerId) {
        self.note("timer_fired", |protocol| protocol.timer_fired(transport, timer));
    }

    fn draining(&mut self, transport: &mut Transport<'_>) -> bool {
        self.note("draining", |protocol| protocol.draining(transport))
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        self.record.borrow_mut().reason = Some(copy_reason(&reason));
        self.note("connection_lost", |protocol| protocol.connection_lost(transport, reason));
    }

    fn type_name(&self) -> &'static str {
        self.protocol.type_name()
    }
}

impl fmt::Debug for RecordingProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingProtocol").field("record", &self.record).finish_non_exhaustive()
    }
}

/// Keeps the payload of a panic for the test, and lets the panic continue into the reactor.
fn recording_panic<R>(panic: &Panic, code: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(code)).unwrap_or_else(|payload| {
        panic.borrow_mut().get_or_insert(payload);
        resume_unwind(Box::new("the test receives the original payload"))
    })
}

/// Copies a reason. It has no `Clone`, since errors of the system have none.
pub(super) fn copy_reason(reason: &Reason) -> Reason {
    match reason {
        Reason::Aborted => Reason::Aborted,
        Reason::Closed => Reason::Closed,
        Reason::CloseTimeout => Reason::CloseTimeout,
        Reason::ClosedByPeer => Reason::ClosedByPeer,
        Reason::Detached => Reason::Detached,
        Reason::Failed(error) => Reason::Failed(io::Error::new(error.kind(), error.to_string())),
        Reason::Panicked => Reason::Panicked,
        Reason::Reset => Reason::Reset,
        Reason::Stopped => Reason::Stopped,
        Reason::TimedOut => Reason::TimedOut,
        Reason::WriteLimit => Reason::WriteLimit,
        other => Reason::Failed(io::Error::other(other.to_string())),
    }
}
