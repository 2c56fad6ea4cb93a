//! Protocols that record their events, and then act as the scenario requires.

use crate::log::Log;
use ropewalk::{Address, Context, DatagramProtocol, DatagramTransport, Error, Factory, Id};
use ropewalk::{Protocol, Reason, Transport};

/// An event of a protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event<'a> {
    Made,
    Data(&'a [u8]),
    Eof,
    EofNoticed,
    PauseWriting,
    ResumeWriting,
    ReadingResumed,
    Lost,
}

/// An event of a datagram protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DatagramEvent<'a> {
    Started,
    Data(&'a [u8], &'a Address),
    Other,
}

/// Closes when the peer has ended, as protocols do by default.
pub(crate) fn quiet(transport: &mut Transport<'_>, event: Event<'_>) {
    if let Event::Eof = event {
        transport.close();
    }
}

pub(crate) fn pause_when_made(transport: &mut Transport<'_>, event: Event<'_>) {
    match event {
        Event::Made => transport.pause(),
        event => quiet(transport, event),
    }
}

/// Does nothing.
pub(crate) fn idle(_transport: &mut Transport<'_>, _heard: Event<'_>) {}

pub(crate) fn echo(transport: &mut Transport<'_>, event: Event<'_>) {
    match event {
        Event::Data(data) => transport.write(data),
        event => quiet(transport, event),
    }
}

pub(crate) fn silent(_transport: &mut DatagramTransport<'_>, _news: DatagramEvent<'_>) {}

pub(crate) struct Actor<H> {
    name: String,
    log: Log,
    hook: H,
}

impl<H: FnMut(&mut Transport<'_>, Event<'_>) + 'static> Actor<H> {
    fn handle(&mut self, transport: &mut Transport<'_>, event: Event<'_>, text: &str) {
        self.log.note(&self.name, text);
        (self.hook)(transport, event);
    }
}

impl<H: FnMut(&mut Transport<'_>, Event<'_>) + 'static> Protocol for Actor<H> {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.log.know(&self.name, transport.id());
        let local = transport.local_address().socket_addr();
        if let (Some(local), Some(peer)) = (local, transport.peer().socket_addr()) {
            self.log.know_addresses(&self.name, local, peer);
        }
        self.handle(transport, Event::Made, "made");
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.log.data(&self.name, data);
        (self.hook)(transport, Event::Data(data));
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        self.handle(transport, Event::Eof, "eof");
    }

    fn eof_noticed(&mut self, transport: &mut Transport<'_>) {
        self.handle(transport, Event::EofNoticed, "eof noticed");
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        self.handle(transport, Event::PauseWriting, "pause writing");
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        self.handle(transport, Event::ResumeWriting, "resume writing");
    }

    fn reading_resumed(&mut self, transport: &mut Transport<'_>) {
        self.log.note_once(&self.name, "reading resumed");
        (self.hook)(transport, Event::ReadingResumed);
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        self.handle(transport, Event::Lost, &format!("lost: {reason}"));
    }
}

/// A factory of protocols with one name; the second one is `NAME 2`.
pub(crate) struct Actors<H> {
    pub(crate) name: String,
    pub(crate) log: Log,
    pub(crate) hook: H,
    pub(crate) made: u32,
}

impl<H> Factory for Actors<H>
where
    H: FnMut(&mut Transport<'_>, Event<'_>) + Clone + 'static,
{
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        self.made += 1;
        let name = match self.made {
            1 => self.name.clone(),
            number => format!("{} {number}", self.name),
        };
        Some(Box::new(Actor { name, log: self.log.clone(), hook: self.hook.clone() }))
    }

    fn connection_failed(&mut self, _context: &mut Context, _id: Id, error: Error) {
        self.log.note(&self.name, format!("failed: {}", plain(&error)));
    }
}

/// Returns an error's kind and text, without the part between "cannot …" and the first colon before a space, which
/// is usually an address.
pub(crate) fn plain(error: &Error) -> String {
    let text = error.to_string();
    let (_, why) = text.split_once(": ").unwrap_or(("", &text));
    format!("{:?}, {why}", error.kind())
}

pub(crate) struct DatagramActor<H> {
    pub(crate) name: String,
    pub(crate) log: Log,
    pub(crate) hook: H,
}

impl<H: FnMut(&mut DatagramTransport<'_>, DatagramEvent<'_>) + 'static> DatagramActor<H> {
    fn handle(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        event: DatagramEvent<'_>,
        text: &str,
    ) {
        self.log.note(&self.name, text);
        (self.hook)(transport, event);
    }
}

impl<H: FnMut(&mut DatagramTransport<'_>, DatagramEvent<'_>) + 'static> DatagramProtocol
    for DatagramActor<H>
{
    fn start_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        self.log.know(&self.name, transport.id());
        self.handle(transport, DatagramEvent::Started, "started");
    }

    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        let text = match data.len() {
            0..=60 => format!("{:?}", String::from_utf8_lossy(data)),
            length => format!("{length} bytes"),
        };
        self.handle(transport, DatagramEvent::Data(data, sender), &text);
    }

    fn datagram_truncated(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        _sender: &Address,
    ) {
        let text = format!("truncated {:?}", String::from_utf8_lossy(data));
        self.handle(transport, DatagramEvent::Other, &text);
    }

    fn connection_refused(&mut self, transport: &mut DatagramTransport<'_>) {
        self.handle(transport, DatagramEvent::Other, "refused");
    }

    fn error_received(&mut self, transport: &mut DatagramTransport<'_>, error: Error) {
        self.handle(transport, DatagramEvent::Other, &format!("error: {}", plain(&error)));
    }

    fn pause_writing(&mut self, transport: &mut DatagramTransport<'_>) {
        self.handle(transport, DatagramEvent::Other, "pause writing");
    }

    fn resume_writing(&mut self, transport: &mut DatagramTransport<'_>) {
        self.handle(transport, DatagramEvent::Other, "resume writing");
    }

    fn stop_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        self.handle(transport, DatagramEvent::Other, "stopped");
    }
}
