//! A scripted backend: a test sets the outcome of each poll, accept, read and write. For outcomes that real
//! sockets produce rarely, or not at a given time.

#![allow(dead_code)] // No test program uses all of it.

mod wire;

use ropewalk::backend::{
    Backend, ConnectRequest, DatagramBackend, DatagramRequest, Event, Events, ListenRequest,
    ListenerBackend, Multicast, Readiness, SocketBackend, StreamSocket,
};
use ropewalk::{Address, Factory, Id, Reactor, SocketOption};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};
use wire::ScriptedStream;
pub(crate) use wire::Wire;

/// The backend. Time advances only while a poll waits, by its whole limit, and by [`Script::advance`].
#[derive(Clone, Debug)]
pub(crate) struct Script(Rc<State>);

#[derive(Debug)]
struct State {
    now: Cell<Instant>,
    /// The count of clock readings.
    readings: Cell<usize>,
    /// The events of the next poll.
    events: RefCell<Vec<Event>>,
    /// The error of all polls.
    poll_fails: Cell<Option<ErrorKind>>,
    /// The limits of all polls so far.
    waits: RefCell<Vec<Option<Duration>>>,
    listener: Cell<Option<Id>>,
    /// The outcomes of accepts, then `WouldBlock`.
    accepts: RefCell<VecDeque<Result<Wire, ErrorKind>>>,
    /// The outcomes of connects, then a refusal.
    connects: RefCell<VecDeque<Result<Wire, ErrorKind>>>,
    /// The datagram socket.
    port: Cell<Option<Id>>,
    /// The outcomes of receives, then `WouldBlock`.
    receives: RefCell<VecDeque<Result<Vec<u8>, ErrorKind>>>,
    /// How many more datagrams the socket takes.
    takes: Cell<usize>,
}

impl Script {
    pub(crate) fn new() -> (Self, Reactor) {
        let script = Self(Rc::new(State {
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
        let reactor = Reactor::with_backend(script.clone());
        (script, reactor)
    }

    /// Returns a server that accepts `wire` in its next turn.
    pub(crate) fn with_connection(factory: impl Factory, wire: &Wire) -> (Self, Reactor) {
        let (script, mut reactor) = Self::new();
        reactor.listen_tcp("10.0.0.1:7000", factory).unwrap();
        script.accept([Ok(wire.clone())]);
        (script, reactor)
    }

    pub(crate) fn set_poll_failure(&self, kind: Option<ErrorKind>) {
        self.0.poll_fails.set(kind);
    }

    /// Advances the clock, as work in a callback does.
    pub(crate) fn advance(&self, time: Duration) {
        self.0.now.set(self.0.now.get() + time);
    }

    /// Returns the time. Does not count as a reading.
    pub(crate) fn time(&self) -> Instant {
        self.0.now.get()
    }

    /// Returns how many times the reactor has read the clock.
    pub(crate) fn readings(&self) -> usize {
        self.0.readings.get()
    }

    /// Returns the limit of the last poll.
    pub(crate) fn last_wait(&self) -> Option<Duration> {
        *self.0.waits.borrow().last().unwrap()
    }

    /// Adds outcomes of accepts, and reports the listener as readable.
    pub(crate) fn accept(&self, outcomes: impl IntoIterator<Item = Result<Wire, ErrorKind>>) {
        self.0.accepts.borrow_mut().extend(outcomes);
        let listener = self.0.listener.get().expect("it listens");
        self.report(listener, Readiness::READABLE);
    }

    /// Adds the outcome of a connect.
    pub(crate) fn connect(&self, outcome: Result<Wire, ErrorKind>) {
        self.0.connects.borrow_mut().push_back(outcome);
    }

    /// Adds outcomes of receives, and reports the datagram socket as readable.
    pub(crate) fn receive(&self, outcomes: impl IntoIterator<Item = Result<Vec<u8>, ErrorKind>>) {
        self.0.receives.borrow_mut().extend(outcomes);
        let port = self.0.port.get().expect("it is registered");
        self.report(port, Readiness::READABLE);
    }

    /// Lets the datagram socket take `count` more, without an event.
    pub(crate) fn take_datagrams(&self, count: usize) {
        self.0.takes.set(count);
    }

    /// Reports the connection as readable.
    pub(crate) fn report_readable(&self, wire: &Wire) {
        self.report(wire.id(), Readiness::READABLE);
    }

    /// Lets the connection take `bytes` more, and reports it as writable.
    pub(crate) fn make_room(&self, wire: &Wire, bytes: usize) {
        wire.set_room(bytes);
        self.report(wire.id(), Readiness::WRITABLE);
    }

    /// Reports that another thread has called.
    pub(crate) fn wake(&self) {
        self.0.events.borrow_mut().push(Event::WOKEN);
    }

    /// Adds an event to the next poll.
    pub(crate) fn report(&self, id: Id, readiness: Readiness) {
        self.0.events.borrow_mut().push(Event::ready(id, readiness));
    }
}

fn failure(kind: ErrorKind) -> io::Error {
    io::Error::new(kind, "as scripted")
}

fn address() -> Address {
    Address::from(SocketAddr::from(([10, 0, 0, 1], 7000)))
}

impl Backend for Script {
    fn now(&self) -> Instant {
        self.0.readings.set(self.0.readings.get() + 1);
        self.0.now.get()
    }

    fn wait(&self, limit: Option<Duration>, events: &mut Events) -> io::Result<()> {
        self.0.waits.borrow_mut().push(limit);
        if let Some(kind) = self.0.poll_fails.get() {
            return Err(failure(kind));
        }
        events.extend(self.0.events.borrow_mut().drain(..));
        if events.is_empty() {
            let limit = limit.expect("a poll without an event and without a limit never returns");
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
        _request: &ListenRequest<'_>,
    ) -> io::Result<Box<dyn ListenerBackend>> {
        Ok(Box::new(ScriptedListener(self.clone())))
    }

    fn connect(&self, _peer: &Address, _request: &ConnectRequest<'_>) -> io::Result<StreamSocket> {
        match self.0.connects.borrow_mut().pop_front() {
            Some(Ok(wire)) => Ok(StreamSocket::new(ScriptedStream(self.clone(), wire))),
            Some(Err(kind)) => Err(failure(kind)),
            None => Err(failure(ErrorKind::ConnectionRefused)),
        }
    }

    fn bind_datagram(
        &self,
        local: &Address,
        _request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        Ok(Box::new(ScriptedDatagram(self.clone(), local.clone())))
    }

    fn connect_datagram(
        &self,
        _peer: &Address,
        _request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        Err(ErrorKind::Unsupported.into())
    }
}

#[derive(Debug)]
struct ScriptedListener(Script);

impl SocketBackend for ScriptedListener {
    fn register(&mut self, id: Id) -> io::Result<()> {
        self.0.0.listener.set(Some(id));
        Ok(())
    }

    fn deregister(&mut self) -> io::Result<()> {
        self.0.0.listener.set(None);
        Ok(())
    }

    fn local_address(&self) -> io::Result<Address> {
        Ok(address())
    }

    fn set_option(&self, _option: &SocketOption) -> io::Result<()> {
        Ok(())
    }
}

impl ListenerBackend for ScriptedListener {
    fn accept(&self) -> io::Result<(StreamSocket, Address)> {
        match self.0.0.accepts.borrow_mut().pop_front() {
            Some(Ok(wire)) => {
                Ok((StreamSocket::new(ScriptedStream(self.0.clone(), wire)), address()))
            }
            Some(Err(kind)) => Err(failure(kind)),
            None => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

#[derive(Debug)]
struct ScriptedDatagram(Script, Address);

impl SocketBackend for ScriptedDatagram {
    fn register(&mut self, id: Id) -> io::Result<()> {
        self.0.0.port.set(Some(id));
        Ok(())
    }

    fn deregister(&mut self) -> io::Result<()> {
        self.0.0.port.set(None);
        Ok(())
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
