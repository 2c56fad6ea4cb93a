//! The protocols of random scripts: they record what they observe, and have a few behaviours.

use crate::actors::plain;
use crate::environment::{Client, Server, Side};
use crate::random::observations::Observations;
use crate::random::script::{Behaviour, End};
use ropewalk::{Address, Context, DatagramProtocol, DatagramTransport, Error, Factory, Id};
use ropewalk::{Producer, Protocol, Reason, Transport};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

pub(crate) struct Stream {
    notes: Observations,
    end: End,
    behaviour: Behaviour,
}

impl Protocol for Stream {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.notes.know(self.end, transport.id());
        self.notes.note(self.end, "made");
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.notes.received(self.end, data);
        if self.behaviour.answers {
            transport.write(&self.notes.next_bytes(self.end, data.len()));
        }
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        self.notes.note(self.end, "eof");
        if !self.behaviour.stays {
            transport.close();
        }
    }

    fn eof_noticed(&mut self, _transport: &mut Transport<'_>) {
        self.notes.eof_noticed(self.end);
    }

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, reason: Reason) {
        self.notes.note(self.end, format!("lost: {reason}"));
    }
}

/// The connections made in a step, in this order.
pub(crate) type Coming = Rc<RefCell<VecDeque<(usize, Behaviour)>>>;

/// A factory of the protocols of a listener, or of a connecting client.
pub(crate) struct Streams {
    pub(crate) notes: Observations,
    pub(crate) side: Side,
    pub(crate) coming: Coming,
}

impl Streams {
    pub(crate) fn client(notes: &Observations, conn: usize, behaviour: Behaviour) -> Self {
        let coming = Rc::new(RefCell::new(VecDeque::from([(conn, behaviour)])));
        Self { notes: notes.clone(), side: Client, coming }
    }

    pub(crate) fn server(notes: &Observations, coming: &Coming) -> Self {
        Self { notes: notes.clone(), side: Server, coming: Rc::clone(coming) }
    }
}

impl Factory for Streams {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        let Some((conn, behaviour)) = self.coming.borrow_mut().pop_front() else {
            self.notes.note("calls", "a connection that nobody made");
            return None;
        };
        let (notes, end) = (self.notes.clone(), End(conn, self.side));
        Some(Box::new(Stream { notes, end, behaviour }))
    }

    fn connection_failed(&mut self, _context: &mut Context, _id: Id, error: Error) {
        let conn = self.coming.borrow_mut().pop_front().map_or(usize::MAX, |(conn, _)| conn);
        self.notes.note(End(conn, self.side), format!("failed: {}", plain(&error)));
    }
}

/// A producer of some chunks, one for each request.
pub(crate) struct Pieces {
    pub(crate) notes: Observations,
    pub(crate) end: End,
    pub(crate) left: usize,
    pub(crate) size: usize,
}

impl Producer for Pieces {
    fn resume_producing(&mut self, transport: &mut Transport<'_>) {
        if self.left == 0 {
            return transport.unregister_producer();
        }
        self.left -= 1;
        transport.write(&self.notes.next_bytes(self.end, self.size));
    }
}

pub(crate) struct Datagrams {
    pub(crate) notes: Observations,
    pub(crate) name: String,
}

impl Datagrams {
    fn note(&self, text: impl Into<String>) {
        self.notes.note(&self.name, text);
    }
}

impl DatagramProtocol for Datagrams {
    fn start_protocol(&mut self, _transport: &mut DatagramTransport<'_>) {
        self.note("started");
    }

    fn datagram_received(
        &mut self,
        _transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        let first = data.first().copied().unwrap_or_default();
        let whole = if data.iter().all(|byte| *byte == first) { "" } else { ", torn" };
        let (length, sender) = (data.len(), self.notes.name(sender));
        self.note(format!("{length} bytes of {first} from {sender}{whole}"));
    }

    fn datagram_truncated(
        &mut self,
        _transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        self.note(format!("truncated, {} bytes from {}", data.len(), self.notes.name(sender)));
    }

    fn connection_refused(&mut self, _transport: &mut DatagramTransport<'_>) {
        self.notes.note_once(&self.name, "refused");
    }

    fn error_received(&mut self, _transport: &mut DatagramTransport<'_>, error: Error) {
        self.note(format!("error: {}", plain(&error)));
    }

    fn pause_writing(&mut self, _transport: &mut DatagramTransport<'_>) {
        self.note("pause writing");
    }

    fn resume_writing(&mut self, _transport: &mut DatagramTransport<'_>) {
        self.note("resume writing");
    }

    fn stop_protocol(&mut self, _transport: &mut DatagramTransport<'_>) {
        self.note("stopped");
    }
}
