//! The line being typed: its text, its cursor and the part that is visible.
//!
//! A character as a reader sees it can be several code points: a letter with accents, a flag, a family. The cursor
//! moves by such clusters ([UAX 29](https://www.unicode.org/reports/tr29/), 3), and keys delete whole clusters.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};
use unicode_width::UnicodeWidthStr;

/// The part of a line that fits into a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct View<'e> {
    pub(super) before_cursor: &'e str,
    pub(super) after_cursor: &'e str,
    /// The width of `before_cursor` in columns.
    pub(super) column: usize,
}

/// The line being typed.
#[derive(Debug, Default)]
pub(super) struct Draft {
    line: String,
    /// The number of bytes before the cursor, which is at the boundary of a cluster.
    cursor: usize,
}

impl Draft {
    /// Returns the whole line.
    pub(super) fn line(&self) -> &str {
        &self.line
    }

    /// Returns the line, and begins an empty one.
    pub(super) fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.line)
    }

    /// Replaces the line. The cursor is at its end.
    pub(super) fn set(&mut self, line: String) {
        self.cursor = line.len();
        self.line = line;
    }

    /// Inserts text at the cursor, without control characters other than the tab.
    pub(super) fn insert(&mut self, text: &str) {
        let text: String = text.chars().filter(|&c| c == '\t' || !c.is_control()).collect();
        self.line.insert_str(self.cursor, &text);
        self.go_to(self.cursor + text.len());
    }

    /// Returns the text before the cursor, divided before its last word. Words are separated by spaces.
    pub(super) fn before_cursor(&self) -> (&str, &str) {
        let before = &self.line[..self.cursor];
        let is_space = |(_, character): &(usize, char)| character.is_whitespace();
        let space = before.char_indices().rev().find(is_space);
        before.split_at(space.map_or(0, |(index, character)| index + character.len_utf8()))
    }

    /// Replaces the word before the cursor.
    pub(super) fn replace_word(&mut self, text: &str) {
        let begin = self.before_cursor().0.len();
        self.line.drain(begin..self.cursor);
        self.cursor = begin;
        self.insert(text);
    }

    /// Returns the part of the line that fits into `columns` with the cursor. The text before the cursor takes
    /// precedence.
    pub(super) fn view(&self, columns: usize) -> View<'_> {
        let available = columns.saturating_sub(1);
        let (before, after) = self.line.split_at(self.cursor);
        let (shown, column) = fitting(before.graphemes(true).rev(), available);
        let (more, _) = fitting(after.graphemes(true), available - column);
        View {
            before_cursor: &before[before.len() - shown..],
            after_cursor: &after[..more],
            column,
        }
    }

    /// Deletes the cluster before the cursor.
    pub(super) fn backspace(&mut self) {
        self.erase(self.cluster_left(), self.cursor);
    }

    /// Deletes the cluster after the cursor.
    pub(super) fn delete(&mut self) {
        self.erase(self.cursor, self.cluster_right());
    }

    /// Deletes from the place that `begin` returns to the cursor.
    pub(super) fn erase_from(&mut self, begin: impl FnOnce(&Self) -> usize) {
        self.erase(begin(self), self.cursor);
    }

    /// Deletes from the cursor to the place that `end` returns.
    pub(super) fn erase_to(&mut self, end: impl FnOnce(&Self) -> usize) {
        self.erase(self.cursor, end(self));
    }

    /// Moves the cursor to the place that `place` returns.
    pub(super) fn move_to(&mut self, place: impl FnOnce(&Self) -> usize) {
        self.go_to(place(self));
    }

    pub(super) fn begin(&self) -> usize {
        0
    }

    pub(super) fn end(&self) -> usize {
        self.line.len()
    }

    pub(super) fn cluster_left(&self) -> usize {
        let mut boundary = GraphemeCursor::new(self.cursor, self.line.len(), true);
        boundary.prev_boundary(&self.line, 0).ok().flatten().unwrap_or(0)
    }

    pub(super) fn cluster_right(&self) -> usize {
        let mut boundary = GraphemeCursor::new(self.cursor, self.line.len(), true);
        boundary.next_boundary(&self.line, 0).ok().flatten().unwrap_or(self.line.len())
    }

    /// Returns the beginning of the word before the cursor.
    pub(super) fn word_left(&self) -> usize {
        let mut words = self.line[..self.cursor].unicode_word_indices();
        words.next_back().map_or(0, |(begin, _)| begin)
    }

    /// Returns the end of the word after the cursor.
    pub(super) fn word_right(&self) -> usize {
        let mut words = self.line[self.cursor..].unicode_word_indices();
        words.next().map_or(self.line.len(), |(begin, word)| self.cursor + begin + word.len())
    }

    /// Returns the beginning of the text without spaces before the cursor.
    pub(super) fn space_left(&self) -> usize {
        let before = self.line[..self.cursor].trim_end();
        before
            .rfind(char::is_whitespace)
            .map_or(0, |space| space + before[space..].chars().next().map_or(0, char::len_utf8))
    }

    fn erase(&mut self, begin: usize, end: usize) {
        self.line.drain(begin..end);
        self.go_to(begin);
    }

    /// Moves the cursor, or to the end of the cluster if `place` is in a cluster.
    fn go_to(&mut self, place: usize) {
        self.cursor = place;
        let mut boundary = GraphemeCursor::new(place, self.line.len(), true);
        if boundary.is_boundary(&self.line, 0) != Ok(true) {
            self.cursor = self.cluster_right();
        }
    }
}

/// Returns the number of bytes of `clusters` that fit into `columns`, and their width.
fn fitting<'c>(clusters: impl Iterator<Item = &'c str>, columns: usize) -> (usize, usize) {
    let ends = clusters.scan((0, 0), |(bytes, end), cluster| {
        *bytes += cluster.len();
        *end += cluster.width();
        Some((*bytes, *end))
    });
    ends.take_while(|&(_, end)| end <= columns).last().unwrap_or_default()
}
