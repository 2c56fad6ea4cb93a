//! Pasted text, which the terminal encloses in marks
//! ([xterm](https://invisible-island.net/xterm/ctlseqs/ctlseqs.html#h2-Bracketed-Paste-Mode)).

/// The mark behind pasted text.
const END: &[u8] = b"\x1b[201~";

/// The most bytes of a paste. It is more than is meant for a line editor.
const MAX_LENGTH: usize = 1024 * 1024;

/// Pasted text before its end is received.
#[derive(Debug, Default)]
pub(super) struct Paste {
    bytes: Vec<u8>,
    is_too_long: bool,
}

/// Pasted text that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Paste {
    /// Takes one byte. Returns the text when its end was received. Lines end in LF, and other control characters
    /// than the tab are removed: they would be commands to the terminal, or an end that the text itself contains.
    pub(super) fn feed(&mut self, byte: u8) -> Option<Result<String, TooLong>> {
        self.bytes.push(byte);
        if byte == b'~' && self.bytes.ends_with(END) {
            self.bytes.truncate(self.bytes.len() - END.len());
            return Some(if self.is_too_long { Err(TooLong) } else { Ok(self.text()) });
        }
        if self.bytes.len() >= MAX_LENGTH + END.len() {
            self.is_too_long = true;
            // The mark may have begun.
            self.bytes.drain(..self.bytes.len() - (END.len() - 1));
        }
        None
    }

    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes).replace("\r\n", "\n").replace('\r', "\n");
        text.chars().filter(|&c| matches!(c, '\n' | '\t') || !c.is_control()).collect()
    }
}
