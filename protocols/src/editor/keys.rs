//! Keys, decoded from the bytes of a terminal (xterm and compatible ones).

/// A key, or a combination of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Alt with a character.
    Alt(char),
    Backspace,
    Character(char),
    /// Ctrl with a letter.
    Control(u8),
    Delete,
    Down,
    End,
    Enter,
    Home,
    Left,
    /// The mark before pasted text. It is not a key.
    PasteBegin,
    /// The terminal's report of the cursor's column, from 1. It is not a key.
    Position(usize),
    Right,
    Up,
}

/// The decoder. A key can be several bytes.
#[derive(Debug, Default)]
pub(super) struct Keys {
    begun: Vec<u8>,
    /// True if the last byte was CR: an LF behind it belongs to the same Enter.
    after_return: bool,
}

impl Keys {
    /// Takes one byte, and returns the key if it is complete.
    pub(super) fn feed(&mut self, byte: u8) -> Option<Key> {
        let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
        if after_return && byte == b'\n' {
            return None;
        }
        self.begun.push(byte);
        let key = match self.begun[..] {
            // The beginning of a special key's sequence.
            [0x1b] | [0x1b, b'[' | b'O'] => return None,
            // No sequence contains a control character. Alt-Backspace is the only combination of Alt with one.
            [0x1b, 0x08 | 0x7f] => Some(Key::Alt('\x7f')),
            [0x1b, .., ..=0x1f] => return self.begin_again(byte),
            [0x1b, b'[', .., 0x20..=0x3f] if self.begun.len() < 32 => return None,
            [0x1b, b'[', ..] | [0x1b, b'O', _] => special(&self.begun[2..]),
            [b'\r' | b'\n'] => Some(Key::Enter),
            [0x08 | 0x7f] => Some(Key::Backspace),
            [1..=26] => Some(Key::Control(byte - 1 + b'a')),
            [..=0x1f] => None,
            [0x1b, ref text @ ..] | ref text => match str::from_utf8(text) {
                Ok(text) => {
                    let make = if self.begun[0] == 0x1b { Key::Alt } else { Key::Character };
                    text.chars().next().filter(|c| !c.is_control()).map(make)
                }
                Err(error) if error.error_len().is_none() => return None,
                Err(_) if text.len() > 1 => return self.begin_again(byte),
                Err(_) => None,
            },
        };
        self.begun.clear();
        key
    }

    /// Discards an unknown sequence, and starts again with `byte`.
    fn begin_again(&mut self, byte: u8) -> Option<Key> {
        self.begun.clear();
        self.feed(byte)
    }
}

/// Decodes the sequence after `ESC [` or `ESC O`.
fn special(sequence: &[u8]) -> Option<Key> {
    match sequence {
        b"A" => Some(Key::Up),
        b"B" => Some(Key::Down),
        b"C" => Some(Key::Right),
        b"D" => Some(Key::Left),
        b"H" | b"1~" | b"7~" => Some(Key::Home),
        b"F" | b"4~" | b"8~" => Some(Key::End),
        b"3~" => Some(Key::Delete),
        b"200~" => Some(Key::PasteBegin),
        // With Alt or Ctrl.
        b"1;3C" | b"1;5C" => Some(Key::Alt('f')),
        b"1;3D" | b"1;5D" => Some(Key::Alt('b')),
        [position @ .., b'R'] => {
            let (_, column) = str::from_utf8(position).ok()?.split_once(';')?;
            column.parse().ok().filter(|&column| column > 0).map(Key::Position)
        }
        _ => None,
    }
}
