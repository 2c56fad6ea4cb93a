//! What keys and pastes do to the line being typed. It does no I/O.

use crate::editor::draft::Draft;
use crate::editor::history::History;
use crate::editor::keys::{Key, Keys};
use crate::editor::paste::{Paste, TooLong};

/// The default maximum length of a line in bytes, as that of received lines.
const MAX_LENGTH: usize = 16 * 1024;

/// The default length of the history: more than a user goes back by pressing a key.
const MAX_HISTORY: usize = 100;

/// The default number of pasted lines that are entered without a question: more than are written by hand.
const UNCONFIRMED_LINES: usize = 20;

/// An event that a key causes, other than a change of the line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The key has no effect here.
    Bell,
    /// Ctrl-L: clear the screen.
    Clear,
    /// Tab: complete the word before the cursor.
    Complete,
    /// Ctrl-D on an empty line: the end of the input.
    End,
    /// Enter, or pasted lines: they are finished.
    Lines(Vec<String>),
    /// A line for the user: what happens to a paste, or how a word can be completed.
    Notice(String),
    /// The terminal's report of the cursor's column, from 1.
    Position(usize),
}

/// The line being typed, previous lines, and pasted text.
#[derive(Debug)]
pub(super) struct Input {
    keys: Keys,
    draft: Draft,
    history: History,
    paste: Option<Paste>,
    /// Pasted text that is entered when the user has agreed.
    unconfirmed: Option<String>,
    pub(super) max_length: usize,
    pub(super) unconfirmed_lines: usize,
}

impl Default for Input {
    fn default() -> Self {
        Self {
            keys: Keys::default(),
            draft: Draft::default(),
            history: History::new(MAX_HISTORY),
            paste: None,
            unconfirmed: None,
            max_length: MAX_LENGTH,
            unconfirmed_lines: UNCONFIRMED_LINES,
        }
    }
}

impl Input {
    /// Takes one byte from the terminal.
    pub(super) fn feed(&mut self, byte: u8) -> Option<Event> {
        if let Some(paste) = &mut self.paste {
            let text = paste.feed(byte)?;
            self.paste = None;
            return self.pasted(text);
        }
        match self.keys.feed(byte)? {
            Key::Position(column) => Some(Event::Position(column)),
            Key::PasteBegin => {
                self.paste = Some(Paste::default());
                None
            }
            key => match self.unconfirmed.take() {
                Some(text) => self.answered(&text, key),
                None => self.pressed(key),
            },
        }
    }

    pub(super) fn draft(&self) -> &Draft {
        &self.draft
    }

    pub(super) fn set_max_history(&mut self, lines: usize) {
        self.history.set_max_lines(lines);
    }

    /// Returns true while pasted text is received.
    pub(super) fn is_pasting(&self) -> bool {
        self.paste.is_some()
    }

    /// Discards a paste without an end.
    pub(super) fn abandon_paste(&mut self) -> Option<Event> {
        self.paste.take().map(|_| discarded("the paste has no end"))
    }

    /// Returns true until the question about pasted text is answered.
    pub(super) fn is_asking(&self) -> bool {
        self.unconfirmed.is_some()
    }

    /// Completes the word before the cursor: replaces it by the only candidate, or by what all candidates begin with.
    /// If that adds nothing, returns the candidates to print, or the bell if there are none.
    pub(super) fn complete(&mut self, candidates: &[String]) -> Option<Event> {
        let word = self.draft.before_cursor().1;
        let common = common_beginning(candidates);
        let is_longer = common.len() > word.len();
        if !self.has_room(common.len()) || candidates.is_empty() {
            return Some(Event::Bell);
        }
        if is_longer || candidates.len() == 1 {
            self.draft.replace_word(common);
            return None;
        }
        Some(Event::Notice(listed(candidates)))
    }

    fn pressed(&mut self, key: Key) -> Option<Event> {
        if let Key::Character(character) = key {
            return self.typed(character);
        }
        let draft = &mut self.draft;
        match key {
            Key::Backspace => draft.backspace(),
            Key::Control(b'd') if draft.line().is_empty() => return Some(Event::End),
            Key::Control(b'd') | Key::Delete => draft.delete(),
            Key::Control(b'i') => return Some(Event::Complete),
            Key::Control(b'k') => draft.erase_to(Draft::end),
            Key::Control(b'u') => draft.erase_from(Draft::begin),
            Key::Control(b'w') => draft.erase_from(Draft::space_left),
            Key::Alt('d') => draft.erase_to(Draft::word_right),
            Key::Alt('\x7f') => draft.erase_from(Draft::word_left),
            Key::Control(b'a') | Key::Home => draft.move_to(Draft::begin),
            Key::Control(b'e') | Key::End => draft.move_to(Draft::end),
            Key::Control(b'b') | Key::Left => draft.move_to(Draft::cluster_left),
            Key::Control(b'f') | Key::Right => draft.move_to(Draft::cluster_right),
            Key::Alt('b') => draft.move_to(Draft::word_left),
            Key::Alt('f') => draft.move_to(Draft::word_right),
            Key::Control(b'p') | Key::Up => self.show(|history, line| history.previous(line)),
            Key::Control(b'n') | Key::Down => self.show(|history, _| history.next()),
            Key::Control(b'l') => return Some(Event::Clear),
            Key::Enter => return Some(Event::Lines(vec![self.enter()])),
            _ => {}
        }
        None
    }

    fn typed(&mut self, character: char) -> Option<Event> {
        if !self.has_room(character.len_utf8()) {
            return Some(Event::Bell);
        }
        self.draft.insert(character.encode_utf8(&mut [0; 4]));
        None
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.draft.line().len() + bytes <= self.max_length
    }

    fn show(&mut self, line: impl FnOnce(&mut History, &str) -> Option<String>) {
        if let Some(line) = line(&mut self.history, self.draft.line()) {
            self.draft.set(line);
        }
    }

    fn enter(&mut self) -> String {
        let line = self.draft.take();
        self.history.add(&line);
        line
    }

    fn pasted(&mut self, text: Result<String, TooLong>) -> Option<Event> {
        let (Ok(text), None) = (&text, &self.unconfirmed) else {
            let why = if text.is_err() { "the paste is too long" } else { "there was no answer" };
            self.unconfirmed = None;
            return Some(discarded(why));
        };
        if !text.split('\n').all(|line| self.has_room(line.len())) {
            return Some(discarded("a pasted line is too long"));
        }
        let count = text.lines().count();
        if count > self.unconfirmed_lines {
            self.unconfirmed = Some(text.clone());
            return Some(Event::Notice(format!(
                "({count} lines were pasted: y enters them all, any other key none)"
            )));
        }
        self.accept(text)
    }

    /// Takes the key that answers the question.
    fn answered(&mut self, text: &str, key: Key) -> Option<Event> {
        match key {
            Key::Character('y' | 'Y') => self.accept(text),
            _ => Some(discarded("the answer was no")),
        }
    }

    /// Acts as if the text were typed. Text without LF stays in the line being typed.
    fn accept(&mut self, text: &str) -> Option<Event> {
        let mut lines = Vec::new();
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                lines.push(self.enter());
            }
            self.draft.insert(line);
        }
        (!lines.is_empty()).then_some(Event::Lines(lines))
    }
}

fn discarded(why: &str) -> Event {
    Event::Notice(format!("({why}: nothing was entered)"))
}

/// Returns the text with which all candidates begin.
fn common_beginning(candidates: &[String]) -> &str {
    let Some((first, others)) = candidates.split_first() else { return "" };
    others.iter().fold(first, |common, other| {
        let mut pairs = common.char_indices().zip(other.chars());
        let end = pairs.find(|((_, one), other)| one != other).map(|((index, _), _)| index);
        &common[..end.unwrap_or_else(|| common.len().min(other.len()))]
    })
}

/// Returns the first candidates, for a line or two.
fn listed(candidates: &[String]) -> String {
    /// More than a user reads.
    const MOST: usize = 50;
    let shown: Vec<&str> = candidates.iter().take(MOST).map(|name| name.trim()).collect();
    match candidates.len() - shown.len() {
        0 => shown.join("  "),
        more => format!("{}  and {more} more", shown.join("  ")),
    }
}
