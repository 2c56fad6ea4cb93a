//! Names of members and rooms: validity and equality.
//!
//! Two names are the same if a reader could confuse them: if they differ in case only ([Unicode,
//! 3.13](https://www.unicode.org/versions/latest/core-spec/chapter-3/), case folding), or in similar characters
//! ([UTS 39](https://www.unicode.org/reports/tr39/), 4).

use caseless::default_case_fold_str as fold_case;
use std::fmt;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_security::{GeneralSecurityProfile, MixedScript, skeleton};

/// The maximum number of characters of a name. It stands before every line.
const MAX_LENGTH: usize = 20;

/// The maximum number of combining marks after a letter. Vietnamese and Devanagari need two.
const MAX_MARKS: usize = 2;

/// Words with which the server's lines begin, or by which they name a client. Otherwise `* you are alone in lobby`
/// could be a member's `/me are alone in lobby`.
const RESERVED: [&str; 13] = [
    "goodbye", "in", "me", "nobody", "server", "system", "that", "there", "usage", "welcome",
    "what", "you", "your",
];

/// Why a name is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It has characters other than letters and digits, or too many.
    Characters,
    /// Letters of several scripts could be confused with those of another name.
    Scripts,
    /// The server uses it.
    Reserved,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Characters => "a name has 1 to 20 letters, digits, _ or -",
            Self::Scripts => "its letters are of more than one script",
            Self::Reserved => "the server uses it itself",
        })
    }
}

/// Checks a [normalised] name: letters and digits that UTS 39 allows in identifiers (3.1), of one script (5.1).
pub(super) fn check(name: &str) -> Result<(), Fault> {
    let length = name.chars().take(MAX_LENGTH + 1).count();
    if !(1..=MAX_LENGTH).contains(&length) || !has_letters_and_digits_only(name) {
        return Err(Fault::Characters);
    }
    if !name.is_single_script() {
        return Err(Fault::Scripts);
    }
    if RESERVED.iter().any(|word| are_same(word, name)) {
        return Err(Fault::Reserved);
    }
    Ok(())
}

fn has_letters_and_digits_only(name: &str) -> bool {
    let mut marks = MAX_MARKS; // A mark cannot be the first character.
    name.chars().all(|character| {
        let category = character.general_category_group();
        marks = if category == GeneralCategoryGroup::Mark { marks + 1 } else { 0 };
        match category {
            _ if "_-".contains(character) => true,
            GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number => {
                character.is_alphanumeric() && character.identifier_allowed()
            }
            GeneralCategoryGroup::Mark => marks <= MAX_MARKS && character.identifier_allowed(),
            _ => false,
        }
    })
}

/// Returns the displayed form of a name, with compatibility characters, such as wide letters, replaced (NFKC).
pub(super) fn normalised(name: &str) -> String {
    name.nfkc().collect()
}

/// Returns the same text for names that differ in case only.
pub(super) fn folded(name: &str) -> String {
    normalised(&fold_case(&normalised(name)))
}

/// Returns the keys of a name. Names with a common key are the same. Case is folded before and after the
/// comparison of similar characters: `ALICE` is the same as `alice`, and so is `aIice` with a capital I.
pub(super) fn keys(name: &str) -> [String; 2] {
    let similar = |text: &str| skeleton(text).collect::<String>();
    let folded = folded(name);
    [fold_case(&similar(&folded)), fold_case(&similar(&normalised(name)))]
}

/// Returns true if a reader could confuse the names.
fn are_same(one: &str, other: &str) -> bool {
    let others = keys(other);
    keys(one).iter().any(|key| others.contains(key))
}

/// Returns true if an action would read like a line of the server about the member: `* alice left`.
pub(super) fn imitates_the_server(action: &str) -> bool {
    let words: Vec<String> = action.split_whitespace().map(folded).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["left"] | ["left", "for", _] | ["joined", _] | ["is", "now", "known", "as", _] => true,
        ["was", "told"] | ["is", "taken"] => true,
        // The member's name may be a number: `* 3 more joined, 6283 more left`.
        ["more", change, ..] => {
            ["joined", "left", "renamed"].iter().any(|it| change.starts_with(it))
        }
        ["left", why, ..] => why.starts_with('('),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_good(name: &str) -> bool {
        check(&normalised(name)).is_ok()
    }

    #[test]
    fn valid_names_are_short_letters_digits_and_marks() {
        for good in [
            "a",
            "Zoë_2-x",
            "日本",
            "さくら花子",
            "Нина",
            "देवी",
            "שלום",
            "Nguyễn",
            "12345678901234567890",
            "ñandúñandúñandúñandú",
        ] {
            assert!(is_good(good), "{good}");
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
            "a\u{200d}b",
        ] {
            assert!(!is_good(bad), "{bad}");
        }
    }

    #[test]
    fn invisible_and_foreign_marks_are_invalid() {
        for mark in ['\u{345}', '\u{5bf}', '\u{64b}', '\u{eb1}', '\u{34f}', '\u{fe0f}', '\u{e0041}']
        {
            assert!(!is_good(&format!("victim{mark}")), "{:?}", mark.escape_unicode());
            assert!(!is_good(&mark.to_string()), "{:?}", mark.escape_unicode());
        }
        assert!(!is_good("a\u{301}\u{302}\u{303}\u{304}"));
        assert_eq!(check("p\u{430}ypal"), Err(Fault::Scripts), "Latin and Cyrillic");
    }

    #[test]
    fn confusable_names_are_the_same() {
        for (one, other) in [
            ("ZOË", "zoë"),
            ("ΝΙΚΟΣ", "νικος"),
            ("sam", "ſam"),
            ("alice", "ALICE"),
            ("alice", "aIice"),
            ("bob", "b0b"),
            ("ｗｉｄｅ", "wide"),
            ("Zoe\u{308}", "Zo\u{eb}"),
            ("сара", "capa"),
        ] {
            assert!(are_same(one, other), "{one} {other}");
        }
        assert!(!are_same("zoe", "zoë"));
        assert!(!are_same("alice", "alicia"));
    }

    #[test]
    fn the_servers_words_are_invalid_names() {
        for name in ["you", "YOU", "y0u", "ｙｏｕ", "Welcome", "usage"] {
            assert!(!is_good(name), "{name}");
        }
        assert!(is_good("yours"));
    }

    #[test]
    fn actions_that_imitate_announcements_are_detected() {
        for action in
            ["left", "Left  for lobby", "joined lobby", "left (too slow)", "was told", "more left"]
        {
            assert!(imitates_the_server(action), "{action}");
        }
        for action in ["waves", "left the oven on", "joined the others there"] {
            assert!(!imitates_the_server(action), "{action}");
        }
    }
}
