//! Where lines begin and end. It knows bytes only; others deliver them.

use crate::line::Delimiter;

/// What a connection's lines look like, and where in them it stands.
#[derive(Debug)]
pub(super) struct Framing {
    pub(super) delimiter: Delimiter,
    /// In bytes, without the delimiter.
    pub(super) max_length: usize,
    mode: Mode,
    /// How many bytes of the line that has begun were searched for its end. Without it a line that
    /// comes byte by byte would be searched from its beginning for every one of them.
    searched: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Lines,
    Raw,
    /// In a line that was too long, up to its end.
    Skipping,
}

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'d> {
    /// A line, and how many bytes it takes up with its delimiter.
    Line(&'d [u8], usize),
    /// All of it, as it is.
    Raw(&'d [u8]),
    /// So many bytes of a line that was too long.
    Skipped(usize),
    /// The first bytes, as many as allowed, of a line that is too long.
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
        // What was searched was searched for another one.
        self.searched = 0;
    }

    pub(super) fn set_raw_mode(&mut self) {
        self.enter(Mode::Raw);
    }

    pub(super) fn set_line_mode(&mut self) {
        // The end of a line that is being skipped is still to be found.
        if self.mode == Mode::Raw {
            self.enter(Mode::Lines);
        }
    }

    /// Whether what is unfinished is a line that could have been delivered.
    pub(super) fn is_in_line(&self) -> bool {
        self.mode == Mode::Lines
    }

    /// What stands at the beginning of `data`. `data` goes on where the last piece ended: if that was
    /// unfinished, with the same bytes, and more behind them.
    pub(super) fn next<'d>(&mut self, data: &'d [u8]) -> Piece<'d> {
        match self.mode {
            Mode::Lines => self.next_line(data),
            Mode::Raw => Piece::Raw(data),
            Mode::Skipping => self.skip(data),
        }
    }

    /// How much of `data`, which comes behind something unfinished, may belong to it.
    pub(super) fn first_possible_end(&self, data: &[u8]) -> usize {
        match self.mode {
            Mode::Lines | Mode::Skipping => self.delimiter.first_possible_end(data),
            Mode::Raw => data.len(),
        }
    }

    fn next_line<'d>(&mut self, data: &'d [u8]) -> Piece<'d> {
        match self.delimiter.find(data, self.searched) {
            Some((end, next)) if end <= self.max_length => {
                self.searched = 0;
                Piece::Line(&data[..end], next)
            }
            None if self.delimiter.may_end_within(self.max_length, data) => {
                self.searched = data.len();
                Piece::Unfinished
            }
            _ => {
                self.enter(Mode::Skipping);
                Piece::TooLong(&data[..self.max_length])
            }
        }
    }

    fn skip<'d>(&mut self, data: &'d [u8]) -> Piece<'d> {
        if let Some((_, next)) = self.delimiter.find(data, self.searched) {
            self.enter(Mode::Lines);
            return Piece::Skipped(next);
        }
        // The delimiter may have begun.
        self.searched = data.len().min(self.delimiter.longest_beginning());
        match data.len() - self.searched {
            0 => Piece::Unfinished,
            skipped => Piece::Skipped(skipped),
        }
    }

    fn enter(&mut self, mode: Mode) {
        self.mode = mode;
        self.searched = 0;
    }
}
