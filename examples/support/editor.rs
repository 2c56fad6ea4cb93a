//! A line that is being typed: from the bytes of a keyboard to what the screen is to show. It knows
//! nothing of either.

use std::mem;

/// How many lines the up key goes back.
const HISTORY: usize = 100;

/// What a key has brought about, beyond a change of the line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Ctrl-L: the screen is to be cleared.
    Clear,
    /// Ctrl-D, with nothing typed: the end of the input.
    End,
    /// Enter: this line.
    Line(String),
}

/// The line, and what was typed before it.
#[derive(Debug, Default)]
pub(crate) struct Editor {
    keys: Keys,
    line: Vec<char>,
    /// How many characters stand before the cursor.
    cursor: usize,
    history: Vec<Vec<char>>,
    /// Which line of the history is shown; beyond its end, the one that is being written.
    place: usize,
    /// The one that is being written, while another is shown.
    draft: Vec<char>,
}

impl Editor {
    /// Takes one byte from the keyboard.
    pub(crate) fn feed(&mut self, byte: u8) -> Option<Event> {
        match self.keys.feed(byte)? {
            Key::Backspace if self.cursor > 0 => self.erase(self.cursor - 1),
            Key::Character(character) => {
                self.line.insert(self.cursor, character);
                self.cursor += 1;
            }
            Key::Control(b'd') if self.line.is_empty() => return Some(Event::End),
            Key::Control(b'd') | Key::Delete if self.cursor < self.line.len() => {
                self.line.remove(self.cursor);
            }
            Key::Control(b'k') => self.line.truncate(self.cursor),
            Key::Control(b'l') => return Some(Event::Clear),
            Key::Control(b'u') => self.erase(0),
            Key::Control(b'w') => self.erase(self.beginning_of_word()),
            Key::Control(b'a') | Key::Home => self.cursor = 0,
            Key::Control(b'e') | Key::End => self.cursor = self.line.len(),
            Key::Control(b'b') | Key::Left => self.cursor = self.cursor.saturating_sub(1),
            Key::Control(b'f') | Key::Right => self.cursor = self.line.len().min(self.cursor + 1),
            Key::Control(b'p') | Key::Up if self.place > 0 => self.show(self.place - 1),
            Key::Control(b'n') | Key::Down if self.place < self.history.len() => {
                self.show(self.place + 1);
            }
            Key::Enter => return Some(Event::Line(self.enter())),
            _ => {}
        }
        None
    }

    /// As much of the line as fits into so many columns, the cursor included; and the column of the
    /// cursor in it. When the line is longer, what is before the cursor goes first.
    pub(crate) fn view(&self, columns: usize) -> (String, usize) {
        let room = columns.saturating_sub(1);
        let (before, after) = self.line.split_at(self.cursor);
        let shown = fitting(before.iter().rev(), room);
        let column = before[before.len() - shown..].iter().copied().map(width).sum();
        let more = fitting(after.iter(), room - column);
        let text = self.line[self.cursor - shown..self.cursor + more].iter().collect();
        (text, column)
    }

    /// Removes what stands from `begin` to the cursor.
    fn erase(&mut self, begin: usize) {
        self.line.drain(begin..self.cursor);
        self.cursor = begin;
    }

    fn beginning_of_word(&self) -> usize {
        let before = &self.line[..self.cursor];
        let end = before.iter().rposition(|c| !c.is_whitespace()).map_or(0, |last| last + 1);
        before[..end].iter().rposition(|c| c.is_whitespace()).map_or(0, |last| last + 1)
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
        let text = line.iter().collect();
        if !line.is_empty() && self.history.last() != Some(&line) {
            self.history.push(line);
        }
        if self.history.len() > HISTORY {
            self.history.remove(0);
        }
        (self.cursor, self.place) = (0, self.history.len());
        text
    }
}

/// How many characters fit into so many columns.
fn fitting<'c>(characters: impl Iterator<Item = &'c char>, columns: usize) -> usize {
    let ends = characters.scan(0, |end, &character| {
        *end += width(character);
        Some(*end)
    });
    ends.take_while(|&end| end <= columns).count()
}

/// How many columns a character takes: a rough East Asian Width (Unicode TR 11), which is right for
/// what people type.
fn width(character: char) -> usize {
    match u32::from(character) {
        0x0300..=0x036f | 0x200b..=0x200f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
        0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 => 2,
        0x1f300..=0x1f64f | 0x1f680..=0x1f6ff | 0x1f900..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// A key, or a combination of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Backspace,
    Character(char),
    /// With the letter that is held down together with it.
    Control(u8),
    Delete,
    Down,
    End,
    Enter,
    Home,
    Left,
    Right,
    Up,
}

/// What has come of a key that sends several bytes.
#[derive(Debug, Default)]
struct Keys {
    begun: Vec<u8>,
}

impl Keys {
    fn feed(&mut self, byte: u8) -> Option<Key> {
        self.begun.push(byte);
        let key = match self.begun[..] {
            // The beginning of what a special key sends.
            [0x1b] | [0x1b, b'[' | b'O'] => return None,
            [0x1b, b'[', .., 0x20..=0x3f] if self.begun.len() < 32 => return None,
            [0x1b, b'[', ..] | [0x1b, b'O', _] => special(&self.begun[2..]),
            // Escape alone means nothing; what follows does.
            [0x1b, _] => return self.begin_anew(byte),
            [b'\r' | b'\n'] => Some(Key::Enter),
            [0x08 | 0x7f] => Some(Key::Backspace),
            [b'\t'] => Some(Key::Character(' ')),
            [1..=26] => Some(Key::Control(byte - 1 + b'a')),
            [..=0x1f] => None,
            _ => match str::from_utf8(&self.begun) {
                Ok(text) => text.chars().next().filter(|c| !c.is_control()).map(Key::Character),
                Err(error) if error.error_len().is_none() => return None,
                Err(_) if self.begun.len() > 1 => return self.begin_anew(byte),
                Err(_) => None,
            },
        };
        self.begun.clear();
        key
    }

    /// What has come so far led nowhere.
    fn begin_anew(&mut self, byte: u8) -> Option<Key> {
        self.begun.clear();
        self.feed(byte)
    }
}

/// What follows `ESC [` or `ESC O`, in xterm's words and those of its kin.
fn special(sequence: &[u8]) -> Option<Key> {
    match sequence {
        b"A" => Some(Key::Up),
        b"B" => Some(Key::Down),
        b"C" => Some(Key::Right),
        b"D" => Some(Key::Left),
        b"H" | b"1~" | b"7~" => Some(Key::Home),
        b"F" | b"4~" | b"8~" => Some(Key::End),
        b"3~" => Some(Key::Delete),
        _ => None,
    }
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
        editor.view(1_000).0
    }

    #[test]
    fn backspace_takes_a_character_and_not_a_byte() {
        assert_eq!(text(&typed("zoë\x7f")), "zo");
        assert_eq!(text(&typed("\x7f\x7f你好\x7f")), "你");
    }

    #[test]
    fn words_and_lines_are_erased() {
        assert_eq!(text(&typed("one two  \x17")), "one ");
        assert_eq!(text(&typed("one\x17\x17two")), "two");
        assert_eq!(text(&typed("one two\x15three")), "three");
    }

    #[test]
    fn the_cursor_moves_and_what_is_typed_goes_there() {
        assert_eq!(text(&typed("bd\x1b[Dc\x1b[Ha\x1b[Fe")), "abcde");
        assert_eq!(text(&typed("abc\x1bOD\x1bOD\x1b[3~")), "ac");
        assert_eq!(text(&typed("abc\x1b[D\x1b[D\x1b[D\x1b[D\x1b[C\x0b")), "a");
    }

    #[test]
    fn unknown_keys_leave_nothing_behind() {
        assert_eq!(text(&typed("a\x1b[15;2~b\x1b[1;5Cc\x1bOPd\x1be\0\x1d")), "abcde");
    }

    #[test]
    fn what_is_not_utf8_is_ignored() {
        let mut editor = Editor::default();
        for &byte in b"a\xff\xc3b\xe4\xbd\x80\x80c" {
            assert_eq!(editor.feed(byte), None);
        }
        assert_eq!(text(&editor), "ab\u{4f40}c");
    }

    #[test]
    fn enter_gives_the_line_and_control_d_the_end() {
        let mut editor = Editor::default();
        let line = |text: &str| Event::Line(text.to_owned());
        assert_eq!(events(&mut editor, "one\rtwo\n"), [line("one"), line("two")]);
        assert_eq!(events(&mut editor, "x\x04\x15\x04"), [Event::End]);
        assert_eq!(events(&mut editor, "\x0c"), [Event::Clear]);
    }

    #[test]
    fn history_goes_back_and_returns_to_the_draft() {
        let mut editor = Editor::default();
        events(&mut editor, "one\rtwo\rdraft\x1b[A\x1b[A\x1b[A");
        assert_eq!(text(&editor), "one");
        events(&mut editor, "\x1b[B\x1b[B\x1b[B");
        assert_eq!(text(&editor), "draft");
    }

    #[test]
    fn a_long_line_shows_the_part_at_the_cursor() {
        let mut editor = typed("0123456789");
        assert_eq!(editor.view(5), ("6789".to_owned(), 4));
        assert_eq!(editor.view(11), ("0123456789".to_owned(), 10));
        events(&mut editor, "\x1b[H");
        assert_eq!(editor.view(5), ("0123".to_owned(), 0));
        assert_eq!(typed("你好吗").view(6), ("好吗".to_owned(), 4));
        assert_eq!(editor.view(0), (String::new(), 0));
    }
}
