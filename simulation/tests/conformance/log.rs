//! The recorded events of a scenario.

#[path = "../../../tests/support/pattern.rs"]
mod pattern;

pub(crate) use pattern::pattern;
use ropewalk::Id;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;

/// The events of each protocol, in order. The order between protocols is not determined.
#[derive(Clone, Default)]
pub(crate) struct Log {
    lines: Rc<RefCell<BTreeMap<String, Vec<Line>>>>,
    ids: Rc<RefCell<BTreeMap<String, Id>>>,
    /// The ids, own and peer's; the latest, if there are several of one name.
    addresses: Rc<RefCell<BTreeMap<String, (SocketAddr, SocketAddr)>>>,
}

#[derive(Debug)]
enum Line {
    /// The number of chunks is not determined.
    Data(Vec<u8>),
    Text(String),
}

impl Log {
    pub(crate) fn note(&self, who: &str, text: impl Into<String>) {
        self.lines.borrow_mut().entry(who.to_owned()).or_default().push(Line::Text(text.into()));
    }

    pub(crate) fn data(&self, who: &str, data: &[u8]) {
        let mut log = self.lines.borrow_mut();
        let lines = log.entry(who.to_owned()).or_default();
        match lines.last_mut() {
            Some(Line::Data(before)) => before.extend(data),
            _ => lines.push(Line::Data(data.to_vec())),
        }
    }

    /// The number of resumptions is mostly not determined.
    pub(crate) fn note_once(&self, who: &str, text: &str) {
        if !self.has(who, text) {
            self.note(who, text);
        }
    }

    /// Records the id of a connection.
    pub(crate) fn know(&self, who: &str, id: Id) {
        self.ids.borrow_mut().insert(who.to_owned(), id);
    }

    pub(crate) fn id(&self, who: &str) -> Id {
        self.ids.borrow()[who]
    }

    pub(crate) fn know_addresses(&self, who: &str, local: SocketAddr, peer: SocketAddr) {
        self.addresses.borrow_mut().insert(who.to_owned(), (local, peer));
    }

    pub(crate) fn addresses(&self, who: &str) -> (SocketAddr, SocketAddr) {
        self.addresses.borrow()[who]
    }

    /// Returns the latest protocol with a name and a number.
    pub(crate) fn last(&self, who: &str) -> String {
        let lines = self.lines.borrow();
        lines.keys().rfind(|name| name.starts_with(who)).expect("somebody").clone()
    }

    /// Returns the events of a protocol, and removes them.
    pub(crate) fn take(&self, who: &str) -> Vec<String> {
        let lines = self.lines.borrow_mut().remove(who).unwrap_or_default();
        lines.iter().map(Line::to_string).collect()
    }

    /// Removes the events of all protocols with names that begin with `prefix`.
    pub(crate) fn forget(&self, beginning: &str) {
        self.lines.borrow_mut().retain(|who, _| !who.starts_with(beginning));
    }

    /// Returns the number of bytes that a protocol has received.
    pub(crate) fn bytes(&self, who: &str) -> usize {
        let length = |line: &Line| if let Line::Data(data) = line { data.len() } else { 0 };
        self.lines.borrow().get(who).map_or(0, |lines| lines.iter().map(length).sum())
    }

    /// Returns true if a protocol has an event that begins with a text.
    pub(crate) fn has(&self, who: &str, beginning: &str) -> bool {
        self.count(who, beginning) > 0
    }

    pub(crate) fn count(&self, who: &str, beginning: &str) -> usize {
        let fits = |line: &&Line| matches!(line, Line::Text(text) if text.starts_with(beginning));
        self.lines.borrow().get(who).map_or(0, |lines| lines.iter().filter(fits).count())
    }

    pub(crate) fn lost(&self, who: &str) -> bool {
        self.has(who, "lost")
    }

    pub(crate) fn made(&self, who: &str) -> bool {
        self.has(who, "made")
    }

    /// Returns a line for each protocol.
    pub(crate) fn lines(&self) -> Vec<String> {
        let log = self.lines.borrow();
        let line = |(who, lines): (&String, &Vec<Line>)| {
            let lines: Vec<String> = lines.iter().map(Line::to_string).collect();
            format!("{who}: {}", lines.join(", "))
        };
        log.iter().map(line).collect()
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(data) if data.len() <= 60 => {
                write!(f, "{:?}", String::from_utf8_lossy(data))
            }
            Self::Data(data) if *data == pattern(data.len()) => write!(f, "{} bytes", data.len()),
            Self::Data(data) => write!(f, "{} bytes that nobody wrote so", data.len()),
            Self::Text(text) => f.write_str(text),
        }
    }
}
