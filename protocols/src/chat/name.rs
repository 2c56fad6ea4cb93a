//! Names, of people and of rooms: which are acceptable, and which are the same.

/// How many characters a name may have: it stands before every line.
const MAX_LENGTH: usize = 20;

/// What a name may be, for those who chose another one.
pub(super) const RULE: &str = "a name has 1 to 20 letters, digits, _ or -";

/// Whether it may be a name. Letters may be of any script.
pub(super) fn is_acceptable(name: &str) -> bool {
    let length = name.chars().take(MAX_LENGTH + 1).count();
    (1..=MAX_LENGTH).contains(&length)
        && name.chars().all(|character| {
            character.is_alphanumeric() && !is_invisible(character) || "_-".contains(character)
        })
}

/// The fillers of Hangul count as letters and show nothing: with one of them at its end, a name would
/// look like another's.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}')
}

/// The same for names that differ in case only.
pub(super) fn folded(name: &str) -> String {
    name.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_of_letters_digits_and_two_marks() {
        for good in ["a", "Zoë_2-x", "日本", "12345678901234567890", "ñandúñandúñandúñandú"]
        {
            assert!(is_acceptable(good), "{good}");
        }
        for bad in [
            "",
            " ",
            "a b",
            "123456789012345678901",
            "/join",
            "a:b",
            "\x1b",
            "*",
            "<a>",
            "a\u{3164}",
        ] {
            assert!(!is_acceptable(bad), "{bad}");
        }
    }

    #[test]
    fn names_that_differ_in_case_only_are_the_same() {
        assert_eq!(folded("ZOË"), folded("zoë"));
        assert_ne!(folded("zoe"), folded("zoë"));
    }
}
