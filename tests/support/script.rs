//! A world in which everything happens as a test has written it down: what a poll, an accept, a read or
//! a write brings. For what real sockets bring too rarely, or not when it is wanted.

#![allow(dead_code)] // No test needs all of it.

use ropewalk::backend::{
    Backend, DatagramBackend, Event, Happening, ListenerBackend, Multicast, SocketBackend,
    StreamBackend,
};
use ropewalk::{Address, Factory, Id, Reactor, SocketOption};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

/// The world. Time passes only while a poll waits, as long as it may, and when a test says so.
#[derive(Clone, Debug)]
pub(crate) struct Script(Rc<Stage>);

#[derive(Debug)]
struct Stage {
    now: Cell<Instant>,
    /// How many times the clock was read.
    readings: Cell<usize>,
    /// What the next poll brings.
    events: RefCell<Vec<Event>>,
    /// With what the polls fail.
    poll_fails: Cell<Option<ErrorKind>>,
    /// How long the polls were allowed to wait.
    waits: RefCell<Vec<Option<Duration>>>,
    listener: Cell<Option<Id>>,
    /// What accepting brings, and then that nobody waits.
    accepts: RefCell<VecDeque<Result<Wire, ErrorKind>>>,
    /// What connecting brings, and then a refusal.
    connects: RefCell<VecDeque<Result<Wire, ErrorKind>>>,
    /// The socket for datagrams.
    port: Cell<Option<Id>>,
    /// What receiving brings, and then `WouldBlock`.
    receives: RefCell<VecDeque<Result<Vec<u8>, ErrorKind>>>,
    /// How many datagrams the socket takes.
    takes: Cell<usize>,
}

/// A connection, as the system and the peer have it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire(Rc<Ends>);

#[derive(Debug, Default)]
struct Ends {
    id: Cell<Option<Id>>,
    /// What reading brings, and then `WouldBlock`. Nothing is the end.
    reads: RefCell<VecDeque<Result<Vec<u8>, ErrorKind>>>,
    /// How many bytes the socket takes.
    room: Cell<usize>,
    /// With what writing fails.
    write_fails: Cell<Option<ErrorKind>>,
    /// With what ending our side fails.
    shutdown_fails: Cell<Option<ErrorKind>>,
    /// What SO_ERROR says, once.
    error: Cell<Option<ErrorKind>>,
    /// An attempt to connect has succeeded.
    connected: Cell<bool>,
    written: RefCell<Vec<u8>>,
    /// What else was done to it, in order.
    acts: RefCell<Vec<&'static str>>,
}

impl Script {
    pub(crate) fn new() -> (Self, Reactor) {
        let script = Self(Rc::new(Stage {
            now: Cell::new(Instant::now()),
            readings: Cell::default(),
            events: RefCell::default(),
            poll_fails: Cell::default(),
            waits: RefCell::default(),
            listener: Cell::default(),
            accepts: RefCell::default(),
            connects: RefCell::default(),
            port: Cell::default(),
            receives: RefCell::default(),
            takes: Cell::new(usize::MAX),
        }));
        let reactor = Reactor::in_world(script.clone()).unwrap();
        (script, reactor)
    }

    /// A server that has been connected to: the next turn accepts the connection.
    pub(crate) fn with_connection(factory: impl Factory, wire: &Wire) -> (Self, Reactor) {
        let (script, mut reactor) = Self::new();
        reactor.listen_tcp("10.0.0.1:7000", factory).unwrap();
        script.accept([Ok(wire.clone())]);
        (script, reactor)
    }

    pub(crate) fn set_poll_failure(&self, kind: Option<ErrorKind>) {
        self.0.poll_fails.set(kind);
    }

    /// Time passes, as while a callback works.
    pub(crate) fn advance(&self, time: Duration) {
        self.0.now.set(self.0.now.get() + time);
    }

    /// What time it is.
    pub(crate) fn time(&self) -> Instant {
        self.0.now.get()
    }

    /// How many times the reactor has read the clock.
    pub(crate) fn readings(&self) -> usize {
        self.0.readings.get()
    }

    /// How long the last poll was allowed to wait.
    pub(crate) fn last_wait(&self) -> Option<Duration> {
        *self.0.waits.borrow().last().unwrap()
    }

    /// Has the listener find these, and told of it.
    pub(crate) fn accept(&self, outcomes: impl IntoIterator<Item = Result<Wire, ErrorKind>>) {
        self.0.accepts.borrow_mut().extend(outcomes);
        let listener = self.0.listener.get().expect("it listens");
        self.report(listener, Happening { readable: true, ..Happening::default() });
    }

    /// Has the next attempt to connect bring this.
    pub(crate) fn connect(&self, outcome: Result<Wire, ErrorKind>) {
        self.0.connects.borrow_mut().push_back(outcome);
    }

    /// Has the socket for datagrams find these, and told of it.
    pub(crate) fn receive(&self, outcomes: impl IntoIterator<Item = Result<Vec<u8>, ErrorKind>>) {
        self.0.receives.borrow_mut().extend(outcomes);
        let port = self.0.port.get().expect("it is registered");
        self.report(port, Happening { readable: true, ..Happening::default() });
    }

    /// Has the socket for datagrams take so many more; the reactor is not told.
    pub(crate) fn take_datagrams(&self, count: usize) {
        self.0.takes.set(count);
    }

    /// Tells the reactor that there is something to read.
    pub(crate) fn report_readable(&self, wire: &Wire) {
        self.report(wire.id(), Happening { readable: true, ..Happening::default() });
    }

    /// Tells the reactor that there is room, of so many bytes.
    pub(crate) fn make_room(&self, wire: &Wire, bytes: usize) {
        wire.set_room(bytes);
        self.report(wire.id(), Happening { writable: true, ..Happening::default() });
    }

    pub(crate) fn report(&self, id: Id, happening: Happening) {
        self.0.events.borrow_mut().push(Event::Ready(id, happening));
    }
}

impl Wire {
    /// One that takes all that is written.
    pub(crate) fn unlimited() -> Self {
        let wire = Self::default();
        wire.0.room.set(usize::MAX);
        wire
    }

    pub(crate) fn id(&self) -> Id {
        self.0.id.get().expect("it is registered")
    }

    /// Has this be there to be read; the reactor is not told.
    pub(crate) fn push_read(&self, outcome: Result<&[u8], ErrorKind>) {
        self.0.reads.borrow_mut().push_back(outcome.map(<[u8]>::to_vec));
    }

    /// How many times it can still be read from without `WouldBlock`.
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

    pub(crate) fn shutdown_fails(&self, kind: ErrorKind) {
        self.0.shutdown_fails.set(Some(kind));
    }

    pub(crate) fn has_error(&self, kind: ErrorKind) {
        self.0.error.set(Some(kind));
    }

    pub(crate) fn written(&self) -> Vec<u8> {
        self.0.written.borrow().clone()
    }

    /// What was done to it: `registered`, `deregistered`, `shut down`, `reset`, `closed`.
    pub(crate) fn acts(&self) -> Vec<&'static str> {
        self.0.acts.borrow().clone()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.acts().contains(&"closed")
    }

    fn did(&self, what: &'static str) {
        self.0.acts.borrow_mut().push(what);
    }
}

fn failure(kind: ErrorKind) -> io::Error {
    io::Error::new(kind, "as written")
}

fn address() -> Address {
    Address::from(SocketAddr::from(([10, 0, 0, 1], 7000)))
}

impl Backend for Script {
    fn now(&self) -> Instant {
        self.0.readings.set(self.0.readings.get() + 1);
        self.0.now.get()
    }

    fn wait(&self, limit: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        self.0.waits.borrow_mut().push(limit);
        if let Some(kind) = self.0.poll_fails.get() {
            return Err(failure(kind));
        }
        events.append(&mut self.0.events.borrow_mut());
        if events.is_empty() {
            let limit = limit.expect("a poll without an event and without a limit waits for ever");
            self.0.now.set(self.0.now.get() + limit);
        }
        Ok(())
    }

    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn look_up(&self, _name: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        Err(ErrorKind::NotFound.into())
    }

    fn listen(
        &self,
        _address: &Address,
        _backlog: u32,
        _options: &[SocketOption],
    ) -> io::Result<Box<dyn ListenerBackend>> {
        Ok(Box::new(ScriptedListener(self.clone())))
    }

    fn connect(
        &self,
        _peer: &Address,
        _local: Option<SocketAddr>,
        _options: &[SocketOption],
    ) -> io::Result<Box<dyn StreamBackend>> {
        match self.0.connects.borrow_mut().pop_front() {
            Some(Ok(wire)) => Ok(Box::new(ScriptedStream(self.clone(), wire))),
            Some(Err(kind)) => Err(failure(kind)),
            None => Err(failure(ErrorKind::ConnectionRefused)),
        }
    }

    fn bind_datagram(
        &self,
        local: &Address,
        _options: &[SocketOption],
    ) -> io::Result<Box<dyn DatagramBackend>> {
        Ok(Box::new(ScriptedDatagram(self.clone(), local.clone())))
    }

    fn connect_datagram(
        &self,
        _peer: &Address,
        _options: &[SocketOption],
    ) -> io::Result<Box<dyn DatagramBackend>> {
        Err(ErrorKind::Unsupported.into())
    }
}

#[derive(Debug)]
struct ScriptedListener(Script);

impl SocketBackend for ScriptedListener {
    fn register(&mut self, id: Id) {
        self.0.0.listener.set(Some(id));
    }

    fn deregister(&mut self) {
        self.0.0.listener.set(None);
    }

    fn local_address(&self) -> io::Result<Address> {
        Ok(address())
    }

    fn set_option(&self, _option: &SocketOption) -> io::Result<()> {
        Ok(())
    }
}

impl ListenerBackend for ScriptedListener {
    fn accept(&self) -> io::Result<(Box<dyn StreamBackend>, Address)> {
        match self.0.0.accepts.borrow_mut().pop_front() {
            Some(Ok(wire)) => Ok((Box::new(ScriptedStream(self.0.clone(), wire)), address())),
            Some(Err(kind)) => Err(failure(kind)),
            None => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

#[derive(Debug)]
struct ScriptedStream(Script, Wire);

impl Drop for ScriptedStream {
    fn drop(&mut self) {
        self.1.did("closed");
    }
}

impl SocketBackend for ScriptedStream {
    fn register(&mut self, id: Id) {
        self.1.0.id.set(Some(id));
        self.1.did("registered");
        let readable = !self.1.0.reads.borrow().is_empty();
        self.0.report(id, Happening { readable, ..Happening::default() });
    }

    fn deregister(&mut self) {
        self.1.did("deregistered");
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

    fn shutdown_write(&self) -> io::Result<()> {
        self.1.did("shut down");
        self.1.0.shutdown_fails.get().map_or(Ok(()), |kind| Err(failure(kind)))
    }

    fn reset_on_close(&self) {
        self.1.did("reset");
    }
}

#[derive(Debug)]
struct ScriptedDatagram(Script, Address);

impl SocketBackend for ScriptedDatagram {
    fn register(&mut self, id: Id) {
        self.0.0.port.set(Some(id));
    }

    fn deregister(&mut self) {
        self.0.0.port.set(None);
    }

    fn local_address(&self) -> io::Result<Address> {
        Ok(self.1.clone())
    }

    fn set_option(&self, _option: &SocketOption) -> io::Result<()> {
        Ok(())
    }
}

impl DatagramBackend for ScriptedDatagram {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        let outcome = self.0.0.receives.borrow_mut().pop_front();
        let data = outcome.unwrap_or(Err(ErrorKind::WouldBlock)).map_err(failure)?;
        let count = data.len().min(buffer.len());
        buffer[..count].copy_from_slice(&data[..count]);
        Ok((data.len(), address()))
    }

    fn send(&self, _data: &[u8], _to: Option<&Address>) -> io::Result<()> {
        let takes = &self.0.0.takes;
        takes.set(takes.get().checked_sub(1).ok_or(ErrorKind::WouldBlock)?);
        Ok(())
    }

    fn connect(&self, _peer: &Address) -> io::Result<()> {
        Ok(())
    }

    fn multicast(&self, _change: Multicast<'_>) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
}
