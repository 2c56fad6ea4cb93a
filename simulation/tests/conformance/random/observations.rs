//! Observations of a script's protocols in a step, as far as the script determines them.

use crate::environment::{Client, Server};
use crate::random::script::End;
use ropewalk::{Address, Id};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The observations of each protocol, in order.
pub(crate) type Observed = BTreeMap<String, Vec<String>>;

/// Shared by all protocols of an environment.
#[derive(Clone, Default)]
pub(crate) struct Observations(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    lines: BTreeMap<String, Vec<Line>>,
    ids: BTreeMap<End, Id>,
    /// The number of bytes that each end has written, and received.
    written: BTreeMap<End, usize>,
    received: BTreeMap<End, usize>,
    /// The names of datagram sockets.
    names: BTreeMap<String, String>,
    vague: Vec<bool>,
    /// The number of all events.
    event: usize,
}

enum Line {
    /// The number of chunks is not determined.
    Bytes(usize),
    Text(String),
}

impl Observations {
    pub(crate) fn new(vague: &[bool]) -> Self {
        let notes = Self::default();
        notes.0.borrow_mut().vague = vague.to_vec();
        notes
    }

    /// Records an event that may occur once or several times: refusals of datagrams sent together.
    pub(crate) fn note_once(&self, who: &str, text: &str) {
        let is_last =
            |lines: &Vec<Line>| matches!(lines.last(), Some(Line::Text(last)) if last == text);
        if !self.0.borrow().lines.get(who).is_some_and(is_last) {
            self.note(who, text);
        }
    }

    pub(crate) fn note(&self, who: impl ToString, text: impl Into<String>) {
        let inner = &mut *self.0.borrow_mut();
        inner.event += 1;
        inner.lines.entry(who.to_string()).or_default().push(Line::Text(text.into()));
    }

    /// Returns the next bytes that an end writes. This counts as an event: it may write more in the next turn.
    pub(crate) fn next_bytes(&self, end: End, count: usize) -> Vec<u8> {
        let mut inner = self.0.borrow_mut();
        inner.event += 1;
        let written = inner.written.entry(end).or_default();
        let from = *written;
        *written += count;
        (from..from + count).map(|place| byte(end, place)).collect()
    }

    /// Records that a paused end has noticed the peer's end. Whether it has queued data, and meets the end when it
    /// sends, is not determined if more was written than the system certainly buffers.
    pub(crate) fn eof_noticed(&self, end: End) {
        let is_vague = self.0.borrow().vague.get(end.0) == Some(&true);
        if !is_vague {
            self.note(end, "eof noticed");
        }
    }

    /// Records received bytes.
    pub(crate) fn received(&self, end: End, data: &[u8]) {
        let inner = &mut *self.0.borrow_mut();
        inner.event += 1;
        let received = inner.received.entry(end).or_default();
        let peer = peer(end);
        let lines = inner.lines.entry(end.to_string()).or_default();
        let is_wrong = |(place, found): (usize, &u8)| *found != byte(peer, *received + place);
        if let Some(place) = data.iter().enumerate().position(is_wrong) {
            lines.push(Line::Text(format!("a wrong byte, number {}", *received + place)));
        }
        *received += data.len();
        match lines.last_mut() {
            _ if inner.vague.get(end.0) == Some(&true) => {}
            Some(Line::Bytes(before)) => *before += data.len(),
            _ => lines.push(Line::Bytes(data.len())),
        }
    }

    pub(crate) fn know(&self, end: End, id: Id) {
        self.0.borrow_mut().ids.insert(end, id);
    }

    pub(crate) fn id(&self, end: End) -> Option<Id> {
        self.0.borrow().ids.get(&end).copied()
    }

    pub(crate) fn know_name(&self, address: &Address, name: String) {
        self.0.borrow_mut().names.insert(address.to_string(), name);
    }

    /// Returns the name of the socket with this address.
    pub(crate) fn name(&self, address: &Address) -> String {
        let address = address.to_string();
        self.0.borrow().names.get(&address).cloned().unwrap_or(address)
    }

    /// Returns the number of events, to wait until there are no more.
    pub(crate) fn event(&self) -> usize {
        self.0.borrow().event
    }

    pub(crate) fn observed(&self) -> Observed {
        let text = |line: &Line| match line {
            Line::Bytes(count) => format!("{count} bytes"),
            Line::Text(text) => text.clone(),
        };
        let lines = &self.0.borrow().lines;
        let event = lines.iter().filter(|(_, lines)| !lines.is_empty());
        event.map(|(who, lines)| (who.clone(), lines.iter().map(text).collect())).collect()
    }

    /// Begins the next step.
    pub(crate) fn forget(&self) {
        self.0.borrow_mut().lines.clear();
    }
}

fn peer(end: End) -> End {
    End(end.0, if end.1 == Client { Server } else { Client })
}

/// Returns data in which missing, misplaced or foreign bytes are detectable.
fn byte(end: End, place: usize) -> u8 {
    (place % 251) as u8 ^ (place >> 12) as u8 ^ (end.0 as u8) << 2 ^ end.1 as u8
}
