//! What others may be shown.

use std::fmt::{self, Write};

/// Text that does nothing but stand there: what could move another one's cursor, ring his bell or
/// turn his line around is replaced by U+FFFD.
pub(super) struct Harmless<'t>(pub(super) &'t str);

impl fmt::Display for Harmless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = self.0.split(is_harmful);
        f.write_str(parts.next().unwrap_or_default())?;
        parts.try_for_each(|part| {
            f.write_char(char::REPLACEMENT_CHARACTER)?;
            f.write_str(part)
        })
    }
}

/// Control characters but for the tab; line and paragraph separators; and what changes the direction
/// of writing ([UAX 9](https://www.unicode.org/reports/tr9/), 2.1 to 2.6).
fn is_harmful(character: char) -> bool {
    match character {
        '\t' => false,
        '\u{061C}' | '\u{200E}' | '\u{200F}' => true,
        '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => true,
        _ => character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::Harmless;

    #[test]
    fn what_plays_with_a_terminal_is_replaced_and_all_else_kept() {
        let clean = |text| Harmless(text).to_string();
        assert_eq!(clean("a\tb, 日本 é 👍"), "a\tb, 日本 é 👍");
        assert_eq!(clean("\x1b[2J\x07"), "\u{FFFD}[2J\u{FFFD}");
        assert_eq!(clean("a\rb\u{9b}c\u{202e}d\u{2028}"), "a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}");
        assert_eq!(clean(""), "");
    }
}
