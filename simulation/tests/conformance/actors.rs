//! Protocols that note what they hear, and then do what the scene says.

use crate::log::Log;
use ropewalk::{Address, Context, DatagramProtocol, DatagramTransport, Error, Factory, Id};
use ropewalk::{Protocol, Reason, Transport};

/// What a protocol hears.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Heard<'a> {
    Made,
    Data(&'a [u8]),
    Eof,
    EofNoticed,
    PauseWriting,
    ResumeWriting,
    ReadingResumed,
    Lost,
}

/// What a datagram protocol hears.
#[derive(Clone, Copy, Debug)]
pub(crate) enum News<'a> {
    Started,
    Data(&'a [u8], &'a Address),
    Other,
}

/// Closes at the peer's end, as protocols do of themselves.
pub(crate) fn quiet(transport: &mut Transport<'_>, heard: Heard<'_>) {
    if let Heard::Eof = heard {
        transport.close();
    }
}

pub(crate) fn pause_when_made(transport: &mut Transport<'_>, heard: Heard<'_>) {
    match heard {
        Heard::Made => transport.pause(),
        heard => quiet(transport, heard),
    }
}

/// Does nothing of itself.
pub(crate) fn idle(_transport: &mut Transport<'_>, _heard: Heard<'_>) {}

pub(crate) fn echo(transport: &mut Transport<'_>, heard: Heard<'_>) {
    match heard {
        Heard::Data(data) => transport.write(data),
        heard => quiet(transport, heard),
    }
}

pub(crate) fn silent(_transport: &mut DatagramTransport<'_>, _news: News<'_>) {}

pub(crate) struct Actor<H> {
    name: String,
    log: Log,
    hook: H,
}

impl<H: FnMut(&mut Transport<'_>, Heard<'_>) + 'static> Actor<H> {
    fn hear(&mut self, transport: &mut Transport<'_>, heard: Heard<'_>, text: &str) {
        self.log.note(&self.name, text);
        (self.hook)(transport, heard);
    }
}

impl<H: FnMut(&mut Transport<'_>, Heard<'_>) + 'static> Protocol for Actor<H> {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.log.know(&self.name, transport.id());
        let local = transport.local_address().and_then(|local| local.socket_addr());
        if let (Some(local), Some(peer)) = (local, transport.peer().socket_addr()) {
            self.log.know_addresses(&self.name, local, peer);
        }
        self.hear(transport, Heard::Made, "made");
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.log.data(&self.name, data);
        (self.hook)(transport, Heard::Data(data));
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        self.hear(transport, Heard::Eof, "eof");
    }

    fn eof_noticed(&mut self, transport: &mut Transport<'_>) {
        self.hear(transport, Heard::EofNoticed, "eof noticed");
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        self.hear(transport, Heard::PauseWriting, "pause writing");
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        self.hear(transport, Heard::ResumeWriting, "resume writing");
    }

    fn reading_resumed(&mut self, transport: &mut Transport<'_>) {
        self.log.note_once(&self.name, "reading resumed");
        (self.hook)(transport, Heard::ReadingResumed);
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        self.hear(transport, Heard::Lost, &format!("lost: {reason}"));
    }
}

/// Makes actors of one name; the second is `NAME 2`.
pub(crate) struct Actors<H> {
    pub(crate) name: String,
    pub(crate) log: Log,
    pub(crate) hook: H,
    pub(crate) made: u32,
}

impl<H> Factory for Actors<H>
where
    H: FnMut(&mut Transport<'_>, Heard<'_>) + Clone + 'static,
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

/// An error's kind and words, with what is between "cannot …" and the first colon that a space follows,
/// an address mostly, left out.
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

impl<H: FnMut(&mut DatagramTransport<'_>, News<'_>) + 'static> DatagramActor<H> {
    fn hear(&mut self, transport: &mut DatagramTransport<'_>, news: News<'_>, text: &str) {
        self.log.note(&self.name, text);
        (self.hook)(transport, news);
    }
}

impl<H: FnMut(&mut DatagramTransport<'_>, News<'_>) + 'static> DatagramProtocol
    for DatagramActor<H>
{
    fn start_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        self.log.know(&self.name, transport.id());
        self.hear(transport, News::Started, "started");
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
        self.hear(transport, News::Data(data, sender), &text);
    }

    fn datagram_truncated(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        _sender: &Address,
    ) {
        let text = format!("truncated {:?}", String::from_utf8_lossy(data));
        self.hear(transport, News::Other, &text);
    }

    fn connection_refused(&mut self, transport: &mut DatagramTransport<'_>) {
        self.hear(transport, News::Other, "refused");
    }

    fn error_received(&mut self, transport: &mut DatagramTransport<'_>, error: Error) {
        self.hear(transport, News::Other, &format!("error: {}", plain(&error)));
    }

    fn pause_writing(&mut self, transport: &mut DatagramTransport<'_>) {
        self.hear(transport, News::Other, "pause writing");
    }

    fn resume_writing(&mut self, transport: &mut DatagramTransport<'_>) {
        self.hear(transport, News::Other, "resume writing");
    }

    fn stop_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        self.hear(transport, News::Other, "stopped");
    }
}
