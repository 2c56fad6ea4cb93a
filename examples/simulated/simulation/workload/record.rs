//! The record of sent and received lines, and the checks.

use super::Report;
use ropewalk::Id;
use std::collections::{BTreeMap, BTreeSet};

/// The lines that a client has received in a room, from joining to leaving.
#[derive(Debug)]
pub(super) struct Stay {
    client: String,
    room: String,
    received: Vec<String>,
    /// True if the client has not left.
    lasts: bool,
}

impl Stay {
    pub(super) fn new(client: String, room: String) -> Self {
        Self { client, room, received: Vec::new(), lasts: true }
    }
}

/// The position of a line: the start of the server, the room, and the index.
type Position = (usize, &'static str, usize);

#[derive(Debug, Default)]
pub(super) struct Record {
    /// The lines of each room, for each start of the server.
    sent: Vec<BTreeMap<&'static str, Vec<String>>>,
    stays: Vec<Stay>,
    /// The members at the end, as the server lists them. A client need not know that its connection is lost.
    pub(super) present: BTreeSet<String>,
    /// The connections of the observers.
    pub(super) observers: Vec<Id>,
    pub(super) errors: Vec<String>,
    pub(super) report: Report,
}

impl Record {
    pub(super) fn server_started(&mut self) {
        self.sent.push(BTreeMap::new());
        self.observers.clear();
    }

    /// Records a line that an observer has received.
    pub(super) fn line_sent(&mut self, room: &'static str, line: &str) {
        if !line.contains(&format!("> to {room}, ")) {
            self.errors.push(format!("{room} has received a line for another room: `{line}`"));
        }
        if let Some(rooms) = self.sent.last_mut() {
            rooms.entry(room).or_default().push(line.to_owned());
        }
    }

    /// Records a line that a client has received.
    pub(super) fn line_received(&mut self, stay: Option<usize>, line: &str) {
        self.report.received += 1;
        match stay.map(|stay| &mut self.stays[stay]) {
            Some(stay) => stay.received.push(line.to_owned()),
            None => self.errors.push(format!("a client in no room has received `{line}`")),
        }
    }

    pub(super) fn begin_stay(&mut self, stay: Stay) -> usize {
        self.stays.push(stay);
        self.stays.len() - 1
    }

    pub(super) fn end_stay(&mut self, stay: usize) {
        self.stays[stay].lasts = false;
    }

    pub(super) fn check(&mut self) -> Result<(), String> {
        if let Some(first) = self.errors.first() {
            return Err(first.clone());
        }
        let positions = self.positions()?;
        self.stays.iter().try_for_each(|stay| self.check_stay(stay, &positions))
    }

    fn positions(&self) -> Result<BTreeMap<&str, Position>, String> {
        let mut positions = BTreeMap::new();
        for (start, rooms) in self.sent.iter().enumerate() {
            for (room, lines) in rooms {
                for (index, line) in lines.iter().enumerate() {
                    if positions.insert(line.as_str(), (start, *room, index)).is_some() {
                        return Err(format!("`{line}` was sent twice"));
                    }
                }
            }
        }
        Ok(positions)
    }

    fn check_stay(&self, stay: &Stay, positions: &BTreeMap<&str, Position>) -> Result<(), String> {
        let Stay { client, room, received, lasts } = stay;
        let Some(first) = received.first() else { return Ok(()) };
        let Some(&(start, sent_in, first)) = positions.get(first.as_str()) else {
            return Err(format!("{client} has received `{first}`, which was not sent"));
        };
        if sent_in != room {
            return Err(format!("{client} in {room} has received a line of {sent_in}"));
        }
        let own = format!("<{client}> ");
        let sent = &self.sent[start][sent_in][first..];
        let mut expected = sent.iter().filter(|line| !line.starts_with(&own));
        for line in received {
            match expected.next() {
                Some(next) if next == line => {}
                next => {
                    return Err(format!(
                        "{client} in {room} has received `{line}` instead of {next:?}"
                    ));
                }
            }
        }
        let is_present = *lasts && self.present.contains(client) && start + 1 == self.sent.len();
        match expected.next() {
            Some(missed) if is_present => {
                Err(format!("{client}, which is in {room}, has not received `{missed}`"))
            }
            _ => Ok(()),
        }
    }
}
