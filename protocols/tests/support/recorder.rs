//! A line handler that records its callbacks, and executes commands in lines.

#![allow(dead_code)] // Each test program uses a part of it.

use ropewalk::{Id, Reason};
use ropewalk_protocols::{Delimiter, LineHandler, LineReceiver, LineTransport};
use std::cell::RefCell;
use std::rc::Rc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Made(Id),
    Line(String),
    /// Raw data, in one or more chunks.
    Raw(String),
    TooLong(String),
    Eof(String),
    Lost(String),
}

/// The record, shared by recorders.
pub(crate) type Record = Rc<RefCell<Vec<Event>>>;

/// Lines that are commands: `close`, `abort`, `pause`, `blink` (pause and resume immediately), `raw N` (N raw
/// bytes), `raw` (raw until a `!`), `until X` (another delimiter), `max N`.
pub(crate) struct Recorder {
    pub(crate) record: Record,
    /// The number of raw bytes left. `None`: until a `!`.
    pub(crate) missing: Option<usize>,
    pub(crate) pauses_always: bool,
    pub(crate) closes_if_too_long: bool,
    pub(crate) survives_eof: bool,
}

impl Recorder {
    pub(crate) fn new(record: &Record) -> Self {
        Self {
            record: record.clone(),
            missing: None,
            pauses_always: false,
            closes_if_too_long: false,
            survives_eof: false,
        }
    }

    pub(crate) fn receiver(record: &Record) -> LineReceiver<Self> {
        LineReceiver::new(Self::new(record))
    }

    fn record_event(&self, events: Event) {
        self.record.borrow_mut().push(events);
    }
}

impl LineHandler for Recorder {
    type Line = [u8];

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        self.record_event(Event::Made(lines.id()));
    }

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &[u8]) {
        let line = text(line);
        let (word, argument) = line.split_once(' ').unwrap_or((&line, ""));
        match word {
            "abort" => lines.abort(),
            "blink" => {
                lines.pause();
                lines.resume();
            }
            "close" => lines.close(),
            "max" => lines.set_max_length(argument.parse().unwrap()),
            "pause" => lines.pause(),
            "raw" => {
                self.missing = argument.parse().ok();
                lines.set_raw_mode();
            }
            "until" => lines.set_delimiter(Delimiter::new(argument)),
            _ if self.pauses_always => lines.pause(),
            _ => {}
        }
        self.record_event(Event::Line(line));
    }

    fn raw_data_received(&mut self, lines: &mut LineTransport<'_>, data: &[u8]) {
        assert!(!data.is_empty(), "a chunk is never empty");
        let end = match self.missing {
            Some(missing) => missing,
            None => data.iter().position(|&byte| byte == b'!').map_or(usize::MAX, |at| at + 1),
        };
        let (ours, rest) = data.split_at(data.len().min(end));
        if let Some(missing) = &mut self.missing {
            *missing -= ours.len();
        }
        if ours.len() == end {
            lines.set_line_mode(rest);
        }
        let mut record = self.record.borrow_mut();
        match record.last_mut() {
            Some(Event::Raw(before)) => before.push_str(&text(ours)),
            _ => record.push(Event::Raw(text(ours))),
        }
    }

    fn line_length_exceeded(&mut self, lines: &mut LineTransport<'_>, beginning: &[u8]) {
        self.record_event(Event::TooLong(text(beginning)));
        if self.closes_if_too_long {
            lines.close();
        }
    }

    fn eof_received(&mut self, lines: &mut LineTransport<'_>, unfinished: &[u8]) {
        self.record_event(Event::Eof(text(unfinished)));
        if !self.survives_eof {
            lines.close();
        }
    }

    fn connection_lost(&mut self, _lines: &mut LineTransport<'_>, reason: Reason) {
        self.record_event(Event::Lost(reason.to_string()));
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Returns the recorded lines.
pub(crate) fn lines_of(record: &Record) -> Vec<String> {
    let lines = |events: &Event| match events {
        Event::Line(line) => Some(line.clone()),
        _ => None,
    };
    record.borrow().iter().filter_map(lines).collect()
}
