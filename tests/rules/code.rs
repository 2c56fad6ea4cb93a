//! Source files, as the rules read them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// A source file.
pub(crate) struct Source {
    /// From the root of the repository.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// The text without comments, and with empty strings. Its lines are those of the text.
    pub(crate) code: String,
}

impl Source {
    /// Returns the code without the unit tests at its end.
    pub(crate) fn without_tests(&self) -> &str {
        if self.path.ends_with("tests.rs") || self.path.ends_with("advice_tests.rs") {
            return "";
        }
        self.code.split("#[cfg(test)]\nmod").next().unwrap_or_default()
    }
}

/// Returns all Rust files below a folder. They are read once.
pub(crate) fn sources(folder: &'static str) -> &'static [Source] {
    static READ: Mutex<BTreeMap<&str, &[Source]>> = Mutex::new(BTreeMap::new());
    READ.lock().unwrap().entry(folder).or_insert_with(|| read(folder).leak())
}

fn read(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = stripped(&text);
                found.push(Source { path: path.strip_prefix(root).unwrap().into(), text, code });
            }
        }
    }
    assert!(found.len() > 3, "{folder} has sources");
    found
}

/// Removes comments, and what is in strings and characters. Keeps the ends of lines.
pub(crate) fn stripped(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_name = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let skipped = match first {
            '/' => comment(rest),
            '"' => Some(string(rest)),
            'r' if !in_name || code.ends_with('b') => raw_string(rest),
            '\'' => character(rest),
            _ => None,
        };
        let length = skipped.unwrap_or_else(|| first.len_utf8());
        match skipped {
            None => code.push(first),
            Some(length) => {
                code.extend(rest[..length].chars().filter(|c| *c == '\n'));
                code.push_str(if first == '/' { "" } else { "\"\"" });
            }
        }
        rest = &rest[length..];
    }
    code
}

/// Returns the length of the comment that `text` begins with. Block comments may be nested.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let (mut depth, mut at) = (0, 0);
    loop {
        let next = text[at..].find(['/', '*']).map_or(text.len(), |next| at + next);
        let (step, deeper) = match text.get(next..next + 2) {
            Some("/*") => (2, 1),
            Some("*/") => (2, -1),
            Some(_) => (1, 0),
            None => return Some(text.len()),
        };
        (at, depth) = (next + step, depth + deeper);
        if depth == 0 {
            return Some(at);
        }
    }
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    let begin = 1 + hashes;
    if !text[begin..].starts_with('"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let length = text[begin + 1..].find(&end).map(|at| begin + 1 + at + end.len());
    Some(length.unwrap_or(text.len()))
}

/// Returns the length of the character that `text` begins with; none if it begins with a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().skip(1);
    match characters.next()?.1 {
        '\\' => Some(4 + text.get(3..)?.find('\'')?),
        _ => characters.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1),
    }
}

/// A function, with the number of its lines.
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    pub(crate) lines: usize,
}

/// Returns all functions that have a body, from `fn` to the closing brace.
pub(crate) fn functions(code: &str) -> Vec<Function<'_>> {
    let found = code
        .match_indices("fn ")
        .filter(|(at, _)| !code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
    let functions = found.filter_map(|(at, _)| {
        let name = &code[at + 3..];
        let name = &name[..name.find(|c: char| !c.is_alphanumeric() && c != '_')?];
        let end = if name.is_empty() { None } else { body_end(code, at) };
        end.map(|end| Function { name, lines: code[at..end].lines().count() })
    });
    functions.collect()
}

/// Returns the end of the body of the function at `at`; none if it has no body.
fn body_end(code: &str, at: usize) -> Option<usize> {
    let (mut parentheses, mut braces) = (0, 0);
    for (offset, c) in code[at..].char_indices() {
        match c {
            '(' | '[' => parentheses += 1,
            ')' | ']' => parentheses -= 1,
            ';' if parentheses == 0 && braces == 0 => return None,
            '{' if parentheses == 0 || braces > 0 => braces += 1,
            '}' if braces > 0 => {
                braces -= 1;
                if braces == 0 {
                    return Some(at + offset + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Returns true if `word` occurs in `code` and is not a part of a longer name: `nix::` does not occur in `unix::`.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let (begins, ends) = (word.starts_with(is_part), word.ends_with(is_part));
    code.match_indices(word).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + word.len()..]);
        !(begins && before.ends_with(is_part) || ends && after.starts_with(is_part))
    })
}

#[test]
fn comments_and_strings_are_stripped() {
    let text =
        "a /* x /* \" */ */ b // fn f\n\"fn \\\" {\" 'x' '\\'' <'a> r#\"{ \" \n\"# b\"\\\\\" c";
    assert_eq!(stripped(text), "a  b \n\"\" \"\" \"\" <'a> \n\"\" b\"\" c");
}

#[test]
fn functions_are_measured_from_name_to_brace() {
    let code = "fn a(x: [u8; 2]) {\n if x { }\n}\ntrait T { fn b(); }\nfn c() -> fn(u8) { d }";
    let found: Vec<_> =
        functions(code).iter().map(|function| (function.name, function.lines)).collect();
    assert_eq!(found, [("a", 3), ("c", 1)]);
}
