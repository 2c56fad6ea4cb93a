//! Removal of harmful characters from displayed text.

use std::fmt::{self, Write};
use unicode_properties::{GeneralCategory, UnicodeEmoji, UnicodeGeneralCategory};

/// Text to display: characters that could move the cursor, ring the bell, change the direction of text or hide in
/// it are printed as U+FFFD.
///
/// Those are control characters other than the tab; line and paragraph separators; format characters, including
/// those that change the direction of text ([UAX 9](https://www.unicode.org/reports/tr9/), 2), tags and characters
/// without width; variation selectors and fillers. A joiner between two emoji and the selector after an emoji are
/// kept.
///
/// ```
/// use ropewalk_chat::Harmless;
///
/// assert_eq!(Harmless("\u{1b}[2Jhello").to_string(), "\u{fffd}[2Jhello");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Harmless<'t>(pub &'t str);

impl fmt::Display for Harmless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Most text is ASCII only.
        if self.0.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
            return f.write_str(self.0);
        }
        let mut before = None;
        let mut characters = self.0.chars().peekable();
        while let Some(character) = characters.next() {
            let joins = joins_emoji(before, character, characters.peek().copied());
            let shown = if joins || !is_harmful(character) {
                character
            } else {
                char::REPLACEMENT_CHARACTER
            };
            f.write_char(shown)?;
            before = Some(character);
        }
        Ok(())
    }
}

fn is_harmful(character: char) -> bool {
    match character {
        '\t' => false,
        // Fillers are letters. Variation selectors and the grapheme joiner are marks.
        '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' => true,
        '\u{34F}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' => true,
        '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' => true,
        _ => matches!(
            character.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        ),
    }
}

/// Returns true if a character joins two emoji, as in families, or selects the coloured form of an emoji.
fn joins_emoji(before: Option<char>, character: char, after: Option<char>) -> bool {
    let is_emoji = |character: Option<char>| character.is_some_and(UnicodeEmoji::is_emoji_char);
    let is_part = |character: Option<char>| is_emoji(character) || character == Some('\u{FE0F}');
    match character {
        '\u{200D}' => is_part(before) && is_emoji(after),
        '\u{FE0F}' => is_emoji(before),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::Harmless;

    fn clean(text: &str) -> String {
        Harmless(text).to_string()
    }

    #[test]
    fn control_characters_are_replaced_and_others_kept() {
        for kept in ["", "a\tb, 日本 é 👍", "👨‍👩‍👧 ❤️ 👩‍❤️‍👨 🇩🇪", "नमस्ते"]
        {
            assert_eq!(clean(kept), kept);
        }
        assert_eq!(clean("\x1b[2J\x07"), "\u{FFFD}[2J\u{FFFD}");
        assert_eq!(clean("a\rb\u{9b}c\u{202e}d\u{2028}"), "a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}");
    }

    #[test]
    fn characters_without_width_are_replaced() {
        for hidden in
            ['\u{200B}', '\u{200D}', '\u{2060}', '\u{FEFF}', '\u{AD}', '\u{E0041}', '\u{FE0F}']
        {
            assert_eq!(clean(&format!("a{hidden}b")), "a\u{FFFD}b", "{}", hidden.escape_unicode());
        }
    }
}
