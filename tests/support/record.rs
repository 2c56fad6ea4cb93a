//! Protocols and factories that record their callbacks.

use super::clients::MUCH;
use ropewalk::{
    Address, Context, DatagramProtocol, DatagramTransport, Error, Factory, Id, Protocol, Reason,
    Transport,
};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// A callback of a protocol.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Made,
    Data(Vec<u8>),
    Eof,
    EofNoticed,
    PauseWriting,
    ResumeWriting,
    ReadingResumed,
    /// With the reason as `Debug` prints it.
    Lost(String),
}

/// Prints long data as its length.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made => f.write_str("Made"),
            Self::Data(data) if data.len() > 40 => write!(f, "Data({} bytes)", data.len()),
            Self::Data(data) => write!(f, "Data({:?})", String::from_utf8_lossy(data)),
            Self::Eof => f.write_str("Eof"),
            Self::EofNoticed => f.write_str("EofNoticed"),
            Self::PauseWriting => f.write_str("PauseWriting"),
            Self::ResumeWriting => f.write_str("ResumeWriting"),
            Self::ReadingResumed => f.write_str("ReadingResumed"),
            Self::Lost(reason) => write!(f, "Lost({reason})"),
        }
    }
}

/// The callbacks of all recorders of a test, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<(Id, Event)>>>, bool);

impl Log {
    /// Returns a log that keeps nothing, for floods.
    pub(crate) fn discarding() -> Self {
        Self(Rc::default(), true)
    }

    pub(crate) fn push(&self, id: Id, event: Event) {
        if !self.1 {
            self.0.borrow_mut().push((id, event));
        }
    }

    pub(crate) fn all(&self) -> Vec<(Id, Event)> {
        self.0.borrow().clone()
    }

    /// Returns the connections, in the order in which they were made.
    pub(crate) fn ids(&self) -> Vec<Id> {
        let made = |(id, event): &(Id, Event)| (*event == Event::Made).then_some(*id);
        self.0.borrow().iter().filter_map(made).collect()
    }

    pub(crate) fn of(&self, id: Id) -> Vec<Event> {
        let all = self.0.borrow();
        all.iter().filter(|(of, _)| *of == id).map(|(_, event)| event.clone()).collect()
    }

    pub(crate) fn made(&self) -> usize {
        self.count(|event| *event == Event::Made)
    }

    pub(crate) fn lost(&self) -> usize {
        self.count(|event| matches!(event, Event::Lost(_)))
    }

    pub(crate) fn count(&self, which: impl Fn(&Event) -> bool) -> usize {
        self.0.borrow().iter().filter(|(_, event)| which(event)).count()
    }

    /// Returns the reasons of all lost connections, in order.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let reason = |(_, event): &(Id, Event)| match event {
            Event::Lost(reason) => Some(reason.clone()),
            _ => None,
        };
        self.0.borrow().iter().filter_map(reason).collect()
    }

    /// Returns the data of all connections.
    pub(crate) fn data(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for (_, event) in self.0.borrow().iter() {
            if let Event::Data(bytes) = event {
                data.extend_from_slice(bytes);
            }
        }
        data
    }

    /// Asserts that every connection was made first and once, and lost last and at most once; if `all_lost`, once.
    pub(crate) fn check(&self, all_lost: bool) {
        for id in self.ids() {
            let events = self.of(id);
            let made = events.iter().filter(|event| **event == Event::Made).count();
            let lost = events.iter().filter(|event| matches!(event, Event::Lost(_))).count();
            assert_eq!(made, 1, "{id} made once: {events:?}");
            assert_eq!(events.first(), Some(&Event::Made), "{id} made first: {events:?}");
            assert!(lost <= 1, "{id} lost once: {events:?}");
            if lost == 1 {
                let last = events.last();
                assert!(matches!(last, Some(Event::Lost(_))), "{id} lost last: {events:?}");
            }
            assert!(lost == 1 || !all_lost, "{id} was never lost: {events:?}");
        }
    }
}

/// Runs on each callback, after it has been recorded.
pub(crate) type Hook = Box<dyn FnMut(&mut Transport<'_>, &Event)>;

/// Records each callback, then runs the hook.
pub(crate) struct Recorder {
    log: Log,
    hook: Hook,
    /// Whether `eof_received` does what the trait does by default.
    default_eof: bool,
}

impl Recorder {
    pub(crate) fn new(log: &Log, hook: impl FnMut(&mut Transport<'_>, &Event) + 'static) -> Self {
        Self { log: log.clone(), hook: Box::new(hook), default_eof: true }
    }

    /// Keeps the connection open when the peer has ended its side.
    pub(crate) fn keeping_open(mut self) -> Self {
        self.default_eof = false;
        self
    }

    fn note(&mut self, transport: &mut Transport<'_>, event: Event) {
        self.log.push(transport.id(), event.clone());
        (self.hook)(transport, &event);
    }
}

/// The default methods of the trait, for recorders to call.
struct Defaults;

impl Protocol for Defaults {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

impl Protocol for Recorder {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.note(transport, Event::Made);
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.note(transport, Event::Data(data.to_vec()));
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        self.note(transport, Event::Eof);
        if self.default_eof {
            Defaults.eof_received(transport);
        }
    }

    fn eof_noticed(&mut self, transport: &mut Transport<'_>) {
        self.note(transport, Event::EofNoticed);
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        self.note(transport, Event::PauseWriting);
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        self.note(transport, Event::ResumeWriting);
    }

    fn reading_resumed(&mut self, transport: &mut Transport<'_>) {
        self.note(transport, Event::ReadingResumed);
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        self.note(transport, Event::Lost(format!("{reason:?}")));
    }
}

/// Returns a factory of recorders with the same hook.
pub(crate) fn recorders(
    log: &Log,
    hook: impl FnMut(&mut Transport<'_>, &Event) + Clone + 'static,
) -> impl FnMut() -> Recorder + 'static {
    let log = log.clone();
    move || Recorder::new(&log, hook.clone())
}

/// A hook that does nothing.
pub(crate) fn only_record(_transport: &mut Transport<'_>, _event: &Event) {}

/// A hook that echoes.
pub(crate) fn echo(transport: &mut Transport<'_>, event: &Event) {
    if let Event::Data(data) = event {
        transport.write(data);
    }
}

/// A hook that takes a connection through all its callbacks: the first data makes it write above its mark and pause
/// reading for a moment.
pub(crate) fn full_life(transport: &mut Transport<'_>, event: &Event) {
    if let Event::Data(_) = event {
        transport.set_write_buffer_limits(10, 5);
        transport.write(&vec![b'x'; MUCH]);
        transport.pause();
        transport.resume();
    }
}

/// Returns a hook that runs `act` in `connection_made`.
pub(crate) fn on_made(
    act: impl Fn(&mut Transport<'_>) + Clone + 'static,
) -> impl FnMut(&mut Transport<'_>, &Event) + Clone + 'static {
    move |transport, event| {
        if *event == Event::Made {
            act(transport);
        }
    }
}

/// Echoes, and records nothing.
pub(crate) struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.write(data);
    }
}

impl DatagramProtocol for Echo {
    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        transport.send_to(data, sender);
    }
}

/// The failed attempts to connect.
pub(crate) type Failures = Rc<RefCell<Vec<(Id, Error)>>>;

/// The factory of an outgoing connection: builds one recorder, or records a failure.
pub(crate) struct Caller {
    pub(crate) log: Log,
    pub(crate) failures: Failures,
    pub(crate) hook: Option<Hook>,
}

impl Caller {
    pub(crate) fn new(
        log: &Log,
        failures: &Failures,
        hook: impl FnMut(&mut Transport<'_>, &Event) + 'static,
    ) -> Self {
        Self { log: log.clone(), failures: Rc::clone(failures), hook: Some(Box::new(hook)) }
    }
}

impl Factory for Caller {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        let hook = self.hook.take().expect("a connector builds once");
        Some(Box::new(Recorder { log: self.log.clone(), hook, default_eof: true }))
    }

    fn connection_failed(&mut self, _context: &mut Context, id: Id, error: Error) {
        self.failures.borrow_mut().push((id, error));
    }
}
