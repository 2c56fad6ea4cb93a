//! The reading order in ARCHITECTURE.md, the length of its chapters, and the code that the book quotes.

use crate::code::{Source, functions, sources};
use std::fs;
use std::path::Path;

/// The most lines of all chapters together, with documentation and without unit tests, and the most lines of code.
/// Raising a number needs a line of reason in ARCHITECTURE.md.
const LINES: usize = 4_970;
const CODE: usize = 3_570;

/// Returns a section of ARCHITECTURE.md, without its heading.
pub(crate) fn section(heading: &str) -> String {
    let text = fs::read_to_string("ARCHITECTURE.md").unwrap();
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).expect("the section exists");
    section.split("\n## ").next().unwrap_or_default().to_owned()
}

/// Returns the words of a text in backquotes.
pub(crate) fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns the sources of the chapters.
fn chapters() -> Vec<&'static Source> {
    let order = section("Reading order");
    let names = quoted(&order).filter(|word| word.ends_with(".rs") && !word.starts_with("tests/"));
    let paths: Vec<_> = names.map(|name| Path::new("src").join(name)).collect();
    let sources = sources("src").iter();
    let chapters: Vec<_> = sources.filter(|source| paths.contains(&source.path)).collect();
    assert_eq!(paths.len(), chapters.len(), "each chapter is one file");
    chapters
}

#[test]
fn chapters_stay_within_the_budget() {
    let chapters = chapters();
    let parts = chapters.iter().map(|chapter| chapter.without_tests().trim_end());
    let lines: usize = parts.clone().map(|part| part.lines().count()).sum();
    let code: usize = parts.map(|part| part.lines().filter(|l| !l.trim().is_empty()).count()).sum();
    println!("{} chapters, {lines} lines, {code} of code", chapters.len());
    assert!(chapters.len() > 15, "the chapters are read");
    assert!(lines <= LINES && code <= CODE, "{lines} lines, {code} of code");
}

#[test]
fn every_step_of_the_journey_exists() {
    let (journey, chapters) = (fs::read_to_string("docs/journey.md").unwrap(), chapters());
    let steps: Vec<&str> = journey.lines().filter(|line| line.starts_with("| ")).collect();
    let steps: Vec<&str> = steps.into_iter().filter(|line| line.contains(".rs`")).collect();
    assert_eq!(steps.len(), 16, "{steps:?}");
    for step in steps {
        let words: Vec<&str> = quoted(step).collect();
        let path = Path::new("src").join(words[0]);
        let chapter = chapters.iter().find(|chapter| chapter.path == path);
        let chapter = chapter.unwrap_or_else(|| panic!("{} is no chapter", words[0]));
        let name = words[1].rsplit("::").next();
        let defined = functions(&chapter.code).iter().any(|f| Some(f.name) == name);
        assert!(defined, "{} has no function {}", words[0], words[1]);
    }
}

/// Quotations begin with the path of their file in a comment. A comment of three dots stands for left-out lines.
#[test]
fn code_that_the_book_quotes_is_in_the_sources() {
    let mut count = 0;
    for page in fs::read_dir("docs").unwrap() {
        let page = page.unwrap().path();
        let Some(text) =
            fs::read_to_string(&page).ok().filter(|_| page.extension() == Some("md".as_ref()))
        else {
            continue;
        };
        for quotation in text.split("```rust,ignore\n// ").skip(1) {
            let quotation = quotation.split("```").next().unwrap_or_default();
            let (path, code) = quotation.split_once('\n').unwrap();
            let source = trimmed(&fs::read_to_string(path).unwrap_or_else(|_| panic!("{path}")));
            for part in trimmed(code).split("// …\n") {
                assert!(source.contains(part), "{}: {path} has no {part}", page.display());
            }
            count += 1;
        }
    }
    assert!(count >= 6, "the quotations are read: {count}");
}

/// Returns the lines without their indentation.
fn trimmed(code: &str) -> String {
    code.lines().map(|line| line.trim().to_owned() + "\n").collect()
}
