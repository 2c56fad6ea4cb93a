//! Framing of lines: where they begin and end. It does no I/O.

use crate::line::Delimiter;

/// The framing of a connection's data, and its state.
#[derive(Debug)]
pub(super) struct Framing {
    pub(super) delimiter: Delimiter,
    /// In bytes, without the delimiter.
    pub(super) max_length: usize,
    mode: Mode,
    /// How many bytes of the unfinished line were searched. Without it, a line that arrives byte by byte would be
    /// searched again for each byte.
    searched: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Lines,
    Raw,
    /// In a line that was too long, up to its end.
    Skipping,
}

/// The first frame of some data.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'d> {
    /// A line, and its length with the delimiter.
    Line(&'d [u8], usize),
    /// All data, in raw mode.
    Raw(&'d [u8]),
    /// Bytes of a line that was too long.
    Skipped(usize),
    /// The beginning of a line that is too long, as many bytes as the limit.
    TooLong(&'d [u8]),
    /// A line that has not ended yet.
    Unfinished,
}

impl Framing {
    pub(super) fn new(delimiter: Delimiter, max_length: usize) -> Self {
        Self { delimiter, max_length, mode: Mode::Lines, searched: 0 }
    }

    pub(super) fn set_delimiter(&mut self, delimiter: Delimiter) {
        self.delimiter = delimiter;
        // The search was for another delimiter.
        self.searched = 0;
    }

    pub(super) fn set_raw_mode(&mut self) {
        self.enter(Mode::Raw);
    }

    pub(super) fn set_line_mode(&mut self) {
        // The end of a skipped line has not been found yet.
        if self.mode == Mode::Raw {
            self.enter(Mode::Lines);
        }
    }

    /// Returns true if the unfinished data is a line that could be delivered.
    pub(super) fn is_in_line(&self) -> bool {
        self.mode == Mode::Lines
    }

    /// Returns the first frame of `data`. `data` begins after the last frame; after `Unfinished`, it begins with
    /// the same bytes, followed by new ones.
    pub(super) fn next<'d>(&mut self, data: &'d [u8]) -> Frame<'d> {
        match self.mode {
            Mode::Lines => self.next_line(data),
            Mode::Raw => Frame::Raw(data),
            Mode::Skipping => self.skip(data),
        }
    }

    /// Returns how much of `data`, which follows unfinished data, may belong to the same line.
    pub(super) fn first_possible_end(&self, data: &[u8]) -> usize {
        match self.mode {
            Mode::Lines | Mode::Skipping => self.delimiter.first_possible_end(data),
            Mode::Raw => data.len(),
        }
    }

    fn next_line<'d>(&mut self, data: &'d [u8]) -> Frame<'d> {
        match self.delimiter.find(data, self.searched) {
            Some((end, next)) if end <= self.max_length => {
                self.searched = 0;
                Frame::Line(&data[..end], next)
            }
            None if self.delimiter.may_end_within(self.max_length, data) => {
                self.searched = data.len();
                Frame::Unfinished
            }
            _ => {
                self.enter(Mode::Skipping);
                Frame::TooLong(&data[..self.max_length])
            }
        }
    }

    fn skip<'d>(&mut self, data: &'d [u8]) -> Frame<'d> {
        if let Some((_, next)) = self.delimiter.find(data, self.searched) {
            self.enter(Mode::Lines);
            return Frame::Skipped(next);
        }
        // The delimiter may have begun.
        self.searched = data.len().min(self.delimiter.longest_beginning());
        match data.len() - self.searched {
            0 => Frame::Unfinished,
            skipped => Frame::Skipped(skipped),
        }
    }

    fn enter(&mut self, mode: Mode) {
        self.mode = mode;
        self.searched = 0;
    }
}
