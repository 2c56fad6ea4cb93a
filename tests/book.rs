//! ARCHITECTURE.md names files and functions of the core. These tests check that they exist, and how long the chapters are.

use std::fs;
use std::path::Path;

/// The most lines of all chapters together, with documentation and without unit tests, and the most lines of code.
/// Raising a number needs a line of reason in ARCHITECTURE.md.
const LINES: usize = 4_500;
const CODE: usize = 3_200;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A section of ARCHITECTURE.md, without its heading.
fn section(heading: &str) -> String {
    let text = read("ARCHITECTURE.md");
    let start =
        text.find(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section {heading}"));
    let section = &text[start + heading.len() + 5..];
    section[..section.find("\n## ").unwrap_or(section.len())].to_owned()
}

/// The words of a text in backquotes that end with `suffix`.
fn quoted(text: &str, suffix: &str) -> Vec<String> {
    let words = text.split('`').skip(1).step_by(2);
    words
        .filter(|word| word.ends_with(suffix) && !word.starts_with("tests/"))
        .map(str::to_owned)
        .collect()
}

/// The lines of a file before its unit tests.
fn chapter(path: &str) -> Vec<String> {
    let text = read(&format!("src/{path}"));
    let text = text.split("#[cfg(test)]\nmod").next().unwrap_or_default().trim_end();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn chapters_stay_within_the_budget() {
    let chapters = quoted(&section("The book"), ".rs");
    assert!(chapters.len() > 15, "{chapters:?}");
    let (mut lines, mut code) = (0, 0);
    for path in &chapters {
        let chapter = chapter(path);
        lines += chapter.len();
        code += chapter.iter().filter(|line| is_code(line)).count();
    }
    println!("{} chapters, {lines} lines, {code} of code", chapters.len());
    assert!(lines <= LINES && code <= CODE, "{lines} lines, {code} of code");
}

fn is_code(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with("//")
}

#[test]
fn every_step_of_the_journey_exists() {
    let (journey, chapters) = (section("One byte's journey"), quoted(&section("The book"), ".rs"));
    let steps: Vec<&str> = journey.lines().filter(|line| line.contains(".rs`")).collect();
    assert!(steps.len() >= 10, "{steps:?}");
    for step in steps {
        let words: Vec<&str> = step.split('`').skip(1).step_by(2).collect();
        let (file, function) = (words[0], words[1]);
        let name = function.rsplit("::").next().unwrap_or(function);
        let text = read(&format!("src/{file}"));
        let defined =
            text.contains(&format!("fn {name}(")) || text.contains(&format!("fn {name}<"));
        assert!(defined, "{file} has no function {name}");
        assert!(chapters.iter().any(|chapter| chapter == file), "{file} is no chapter");
    }
}
