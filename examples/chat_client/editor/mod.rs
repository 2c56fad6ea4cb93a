//! The line editor: from bytes of the keyboard to the visible part of the line. It does no I/O.
//!
//! A character as a reader sees it can be several code points: a letter with accents, a flag, a family. The cursor
//! moves by such clusters ([UAX 29](https://www.unicode.org/reports/tr29/), 3), and keys delete whole clusters.

mod keys;

use keys::{Key, Keys};
use std::mem;
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};
use unicode_width::UnicodeWidthStr;

/// The length of the history: more than a user goes back by pressing a key.
const HISTORY: usize = 100;

/// An event that a key causes, other than a change of the line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Ctrl-L: clear the screen.
    Clear,
    /// Ctrl-D on an empty line: the end of the input.
    End,
    /// Enter: the line is finished.
    Line(String),
    /// The terminal's report of the cursor's column, from 1.
    Position(usize),
}

/// The part of a line that fits into a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct View<'e> {
    pub(crate) before_cursor: &'e str,
    pub(crate) after_cursor: &'e str,
    /// The width of `before_cursor` in columns.
    pub(crate) column: usize,
}

/// The line that is being typed, and previous lines.
#[derive(Debug, Default)]
pub(crate) struct Editor {
    keys: Keys,
    line: String,
    /// The number of bytes before the cursor, which is at the boundary of a cluster.
    cursor: usize,
    history: Vec<String>,
    /// The index of the line in the history that is shown. Its length stands for the line that is being typed.
    place: usize,
    /// The line that is being typed, while a line of the history is shown.
    draft: String,
}

impl Editor {
    /// Takes one byte from the keyboard.
    pub(crate) fn feed(&mut self, byte: u8) -> Option<Event> {
        match self.keys.feed(byte)? {
            Key::Character(character) => {
                self.line.insert(self.cursor, character);
                self.go_to(self.cursor + character.len_utf8());
            }
            Key::Backspace => self.erase(self.cluster_left(), self.cursor),
            Key::Control(b'd') if self.line.is_empty() => return Some(Event::End),
            Key::Control(b'd') | Key::Delete => self.erase(self.cursor, self.cluster_right()),
            Key::Control(b'k') => self.erase(self.cursor, self.line.len()),
            Key::Control(b'u') => self.erase(0, self.cursor),
            Key::Control(b'w') => self.erase(self.space_left(), self.cursor),
            Key::Alt('d') => self.erase(self.cursor, self.word_right()),
            Key::Alt('\x7f') => self.erase(self.word_left(), self.cursor),
            Key::Control(b'a') | Key::Home => self.cursor = 0,
            Key::Control(b'e') | Key::End => self.cursor = self.line.len(),
            Key::Control(b'b') | Key::Left => self.cursor = self.cluster_left(),
            Key::Control(b'f') | Key::Right => self.cursor = self.cluster_right(),
            Key::Alt('b') => self.go_to(self.word_left()),
            Key::Alt('f') => self.go_to(self.word_right()),
            Key::Control(b'p') | Key::Up if self.place > 0 => self.show(self.place - 1),
            Key::Control(b'n') | Key::Down if self.place < self.history.len() => {
                self.show(self.place + 1);
            }
            Key::Control(b'l') => return Some(Event::Clear),
            Key::Enter => return Some(Event::Line(self.enter())),
            Key::Position(column) => return Some(Event::Position(column)),
            _ => {}
        }
        None
    }

    /// Returns the whole line.
    pub(crate) fn line(&self) -> &str {
        &self.line
    }

    /// Returns the part of the line that fits into `columns` with the cursor. The text before the cursor takes
    /// precedence.
    pub(crate) fn view(&self, columns: usize) -> View<'_> {
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

    fn cluster_left(&self) -> usize {
        let mut boundary = GraphemeCursor::new(self.cursor, self.line.len(), true);
        boundary.prev_boundary(&self.line, 0).ok().flatten().unwrap_or(0)
    }

    fn cluster_right(&self) -> usize {
        let mut boundary = GraphemeCursor::new(self.cursor, self.line.len(), true);
        boundary.next_boundary(&self.line, 0).ok().flatten().unwrap_or(self.line.len())
    }

    /// Returns the beginning of the word before the cursor.
    fn word_left(&self) -> usize {
        let mut words = self.line[..self.cursor].unicode_word_indices();
        words.next_back().map_or(0, |(begin, _)| begin)
    }

    /// Returns the end of the word after the cursor.
    fn word_right(&self) -> usize {
        let mut words = self.line[self.cursor..].unicode_word_indices();
        words.next().map_or(self.line.len(), |(begin, word)| self.cursor + begin + word.len())
    }

    /// Returns the beginning of the text without spaces before the cursor.
    fn space_left(&self) -> usize {
        let before = self.line[..self.cursor].trim_end();
        before
            .rfind(char::is_whitespace)
            .map_or(0, |space| space + before[space..].chars().next().map_or(0, char::len_utf8))
    }

    fn show(&mut self, place: usize) {
        if self.place == self.history.len() {
            self.draft = mem::take(&mut self.line);
        }
        self.place = place;
        self.line = self.history.get(place).unwrap_or(&self.draft).clone();
        self.cursor = self.line.len();
    }

    fn enter(&mut self) -> String {
        let line = mem::take(&mut self.line);
        if !line.is_empty() && self.history.last() != Some(&line) {
            self.history.push(line.clone());
        }
        if self.history.len() > HISTORY {
            self.history.remove(0);
        }
        (self.cursor, self.place) = (0, self.history.len());
        line
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

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Editor {
        let mut editor = Editor::default();
        assert_eq!(events(&mut editor, text), []);
        editor
    }

    fn events(editor: &mut Editor, text: &str) -> Vec<Event> {
        text.bytes().filter_map(|byte| editor.feed(byte)).collect()
    }

    fn text(editor: &Editor) -> String {
        editor.line().to_owned()
    }

    fn column(text: &str) -> usize {
        typed(text).view(1_000).column
    }

    fn view(editor: &Editor, columns: usize) -> (String, usize) {
        let View { before_cursor, after_cursor, column } = editor.view(columns);
        (format!("{before_cursor}{after_cursor}"), column)
    }

    #[test]
    fn backspace_deletes_a_whole_character() {
        assert_eq!(text(&typed("zoë\x7f")), "zo");
        assert_eq!(text(&typed("\x7f\x7f你好\x7f")), "你");
    }

    #[test]
    fn control_keys_delete_words_and_lines() {
        assert_eq!(text(&typed("one two  \x17")), "one ");
        assert_eq!(text(&typed("one\x17\x17two")), "two");
        assert_eq!(text(&typed("one two\x15three")), "three");
    }

    #[test]
    fn typed_text_is_inserted_at_the_cursor() {
        assert_eq!(text(&typed("bd\x1b[Dc\x1b[Ha\x1b[Fe")), "abcde");
        assert_eq!(text(&typed("abc\x1bOD\x1bOD\x1b[3~")), "ac");
        assert_eq!(text(&typed("abc\x1b[D\x1b[D\x1b[D\x1b[D\x1b[C\x0b")), "a");
    }

    #[test]
    fn unknown_keys_type_nothing() {
        assert_eq!(text(&typed("a\x1b[15;2~b\x1b[1;5Cc\x1bOPd\x1be\0\x1d")), "abcd");
    }

    #[test]
    fn invalid_utf8_is_ignored() {
        let mut editor = Editor::default();
        for &byte in b"a\xff\xc3b\xe4\xbd\x80\x80c" {
            assert_eq!(editor.feed(byte), None);
        }
        assert_eq!(text(&editor), "ab\u{4f40}c");
    }

    #[test]
    fn enter_and_control_d_cause_events() {
        let mut editor = Editor::default();
        let line = |text: &str| Event::Line(text.to_owned());
        assert_eq!(events(&mut editor, "one\rtwo\n"), [line("one"), line("two")]);
        assert_eq!(events(&mut editor, "x\x04\x15\x04"), [Event::End]);
        assert_eq!(events(&mut editor, "\x0c"), [Event::Clear]);
    }

    #[test]
    fn history_returns_to_the_draft() {
        let mut editor = Editor::default();
        events(&mut editor, "one\rtwo\rdraft\x1b[A\x1b[A\x1b[A");
        assert_eq!(text(&editor), "one");
        events(&mut editor, "\x1b[B\x1b[B\x1b[B");
        assert_eq!(text(&editor), "draft");
    }

    #[test]
    fn long_line_shows_the_part_at_the_cursor() {
        let mut editor = typed("0123456789");
        assert_eq!(view(&editor, 5), ("6789".to_owned(), 4));
        assert_eq!(view(&editor, 11), ("0123456789".to_owned(), 10));
        events(&mut editor, "\x1b[H");
        assert_eq!(view(&editor, 5), ("0123".to_owned(), 0));
        assert_eq!(view(&typed("你好吗"), 6), ("好吗".to_owned(), 4));
        assert_eq!(view(&editor, 0), (String::new(), 0));
    }

    #[test]
    fn cursor_moves_by_clusters() {
        for wide in ["✅", "☕", "⭐", "🇩🇪", "👨\u{200d}👩\u{200d}👧", "❤\u{fe0f}", "👍🏽", "好"]
        {
            assert_eq!(column(wide), 2, "{wide}");
            assert_eq!(column(&format!("{wide}\x1b[D")), 0, "{wide}");
            assert_eq!(text(&typed(&format!("a{wide}\x7f"))), "a", "{wide}");
            assert_eq!(text(&typed(&format!("a{wide}b\x1b[D\x1b[D\x1b[3~"))), "ab", "{wide}");
        }
        assert_eq!(column("e\u{301}\u{323}"), 1);
        assert_eq!(text(&typed("ae\u{301}\u{323}\x7f")), "a");
    }

    #[test]
    fn cursor_is_never_inside_a_cluster() {
        // Typed text can join the cluster after the cursor.
        let mut editor = typed("👧x\x1b[H👨\u{200d}");
        assert_eq!(view(&editor, 80), ("👨\u{200d}👧x".to_owned(), 2));
        events(&mut editor, "\x7f");
        assert_eq!(text(&editor), "x");
        // Deleting a character can join two halves of a flag.
        assert_eq!(view(&typed("🇩x🇪\x1b[D\x7f"), 80), ("🇩🇪".to_owned(), 2));
    }

    #[test]
    fn alt_and_control_move_and_delete_words() {
        assert_eq!(text(&typed("one two\x1bb|")), "one |two");
        assert_eq!(text(&typed("one, two-\x1bb\x1bb|")), "|one, two-");
        assert_eq!(text(&typed("one two\x1b[1;5D|\x1b[1;3D\x1b[1;3D^")), "^one |two");
        assert_eq!(text(&typed("one two\x01\x1bf|\x1b[1;5C^")), "one| two^");
        assert_eq!(text(&typed("one two\x1b\x7f|")), "one |");
        assert_eq!(text(&typed("one two\x01\x1bd|")), "| two");
    }

    #[test]
    fn unknown_combinations_type_nothing() {
        assert_eq!(text(&typed("a\tb\x1bx\x1b\u{f6}\x1bé\x1b\x1bzc")), "abc");
        // Escape alone.
        assert_eq!(events(&mut typed("a\x1b"), "\r"), [Event::Line("a".to_owned())]);
        assert_eq!(events(&mut typed("a\x1b["), "\r"), [Event::Line("a".to_owned())]);
    }

    #[test]
    fn cursor_report_is_not_typed() {
        let mut editor = typed("a");
        assert_eq!(events(&mut editor, "\x1b[24;17R\x1b[R\x1b[1;0R"), [Event::Position(17)]);
        assert_eq!(text(&editor), "a");
    }
}
