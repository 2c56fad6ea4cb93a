//! Scripted connections.

use super::{Script, address, failure};
use ropewalk::backend::{Readiness, SocketBackend, StreamBackend};
use ropewalk::{Address, Id, SocketOption};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;

/// A connection, as the system and the peer see it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire(Rc<Ends>);

#[derive(Debug, Default)]
struct Ends {
    id: Cell<Option<Id>>,
    /// The outcomes of reads, then `WouldBlock`. Empty data is the end of the stream.
    reads: RefCell<VecDeque<Result<Vec<u8>, ErrorKind>>>,
    /// How many more bytes the socket takes.
    room: Cell<usize>,
    /// The error of all writes.
    write_fails: Cell<Option<ErrorKind>>,
    /// Whether all writes take no bytes, and a short write says nothing about the next one.
    writes_nothing: Cell<bool>,
    /// The error of `shutdown_write`.
    shutdown_fails: Cell<Option<ErrorKind>>,
    /// SO_ERROR, which is read once.
    error: Cell<Option<ErrorKind>>,
    /// Whether an attempt to connect has succeeded.
    connected: Cell<bool>,
    written: RefCell<Vec<u8>>,
    /// All other operations, in order.
    acts: RefCell<Vec<&'static str>>,
}

impl Wire {
    /// Returns a connection that takes all writes.
    pub(crate) fn unlimited() -> Self {
        let wire = Self::default();
        wire.0.room.set(usize::MAX);
        wire
    }

    pub(crate) fn id(&self) -> Id {
        self.0.id.get().expect("it is registered")
    }

    /// Adds the outcome of a read, without an event.
    pub(crate) fn push_read(&self, outcome: Result<&[u8], ErrorKind>) {
        self.0.reads.borrow_mut().push_back(outcome.map(<[u8]>::to_vec));
    }

    /// Returns how many outcomes of reads are left.
    pub(crate) fn unread(&self) -> usize {
        self.0.reads.borrow().len()
    }

    pub(crate) fn set_room(&self, bytes: usize) {
        self.0.room.set(bytes);
    }

    pub(crate) fn connected(&self) {
        self.0.connected.set(true);
    }

    pub(crate) fn write_fails(&self, kind: ErrorKind) {
        self.0.write_fails.set(Some(kind));
    }

    pub(crate) fn writes_nothing(&self) {
        self.0.writes_nothing.set(true);
    }

    pub(crate) fn shutdown_fails(&self, kind: ErrorKind) {
        self.0.shutdown_fails.set(Some(kind));
    }

    pub(crate) fn has_error(&self, kind: ErrorKind) {
        self.0.error.set(Some(kind));
    }

    pub(crate) fn written(&self) -> Vec<u8> {
        self.0.written.borrow().clone()
    }

    /// Returns the operations so far: `registered`, `deregistered`, `shut down`, `reset`, `closed`.
    pub(crate) fn acts(&self) -> Vec<&'static str> {
        self.0.acts.borrow().clone()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.acts().contains(&"closed")
    }

    fn record(&self, what: &'static str) {
        self.0.acts.borrow_mut().push(what);
    }
}

#[derive(Debug)]
pub(super) struct ScriptedStream(pub(super) Script, pub(super) Wire);

impl Drop for ScriptedStream {
    fn drop(&mut self) {
        self.1.record("closed");
    }
}

impl SocketBackend for ScriptedStream {
    fn register(&mut self, id: Id) -> io::Result<()> {
        self.1.0.id.set(Some(id));
        self.1.record("registered");
        let readable = !self.1.0.reads.borrow().is_empty();
        self.0.report(id, if readable { Readiness::READABLE } else { Readiness::default() });
        Ok(())
    }

    fn deregister(&mut self) -> io::Result<()> {
        self.1.record("deregistered");
        Ok(())
    }

    fn local_address(&self) -> io::Result<Address> {
        Ok(address())
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.1.0.error.take().map(failure))
    }

    fn set_option(&self, _option: &SocketOption) -> io::Result<()> {
        Ok(())
    }
}

impl StreamBackend for ScriptedStream {
    fn connected_to(&self) -> io::Result<Option<Address>> {
        match self.1.0.error.take() {
            Some(kind) => Err(failure(kind)),
            None => Ok(self.1.0.connected.get().then(address)),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let outcome = self.1.0.reads.borrow_mut().pop_front();
        let mut data = outcome.unwrap_or(Err(ErrorKind::WouldBlock)).map_err(failure)?;
        let count = data.len().min(buffer.len());
        buffer[..count].copy_from_slice(&data[..count]);
        if count < data.len() {
            data.drain(..count);
            self.1.0.reads.borrow_mut().push_front(Ok(data));
        }
        Ok(count)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if let Some(kind) = self.1.0.write_fails.get() {
            return Err(failure(kind));
        }
        if self.1.0.writes_nothing.get() {
            return Ok(0);
        }
        let (mut count, room) = (0, self.1.0.room.get());
        if room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        for slice in slices {
            let taken = slice.len().min(room - count);
            self.1.0.written.borrow_mut().extend_from_slice(&slice[..taken]);
            count += taken;
        }
        self.1.0.room.set(if room == usize::MAX { room } else { room - count });
        Ok(count)
    }

    fn short_means_would_block(&self) -> bool {
        !self.1.0.writes_nothing.get()
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.1.record("shut down");
        self.1.0.shutdown_fails.get().map_or(Ok(()), |kind| Err(failure(kind)))
    }

    fn reset_on_close(&self) -> io::Result<()> {
        self.1.record("reset");
        Ok(())
    }
}
