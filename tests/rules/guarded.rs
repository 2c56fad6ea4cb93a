//! The rules in docs/rules.md: the tests that they name exist, and ARCHITECTURE.md has the same numbers.

use crate::chapters::{quoted, section};
use crate::code::{functions, sources};
use std::collections::BTreeSet;
use std::fs;

/// Returns the names of all functions, files and folders that a rule may name as a test.
fn names() -> BTreeSet<String> {
    let folders = ["tests", "src", "simulation", "protocols", "crates", "examples"];
    let mut names = BTreeSet::new();
    for source in folders.into_iter().flat_map(sources) {
        names.extend(functions(&source.code).iter().map(|function| function.name.to_owned()));
        let path: Vec<_> = source.path.iter().filter_map(|word| word.to_str()).collect();
        names.extend(path.into_iter().map(|word| word.trim_end_matches(".rs").to_owned()));
    }
    names
}

#[test]
fn tests_named_by_the_rules_exist() {
    let (rules, names) = (fs::read_to_string("docs/rules.md").unwrap(), names());
    let rows: Vec<&str> = rules.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 40, "the rules are read");
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        // Options and paths: `links.rs` checks those.
        let words = quoted(tests).filter(|word| !word.contains([' ', '/', '.', ':']));
        for word in words {
            let name = word.trim_end_matches('…');
            let mut found = names.range(name.to_owned()..).take(1);
            let found = found.any(|found| found == name || word != name && found.starts_with(name));
            assert!(found, "no test is named {word}: {row}");
        }
        assert!(quoted(tests).count() > 0, "no test: {row}");
    }
}

#[test]
fn rules_have_the_same_numbers_in_both_places() {
    let rules = fs::read_to_string("docs/rules.md").unwrap();
    let list = section("The rules");
    let titles = list.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    let missing: Vec<&str> = titles
        .filter(|title| !rules.contains(&format!("| {}", title.trim_end_matches('.'))))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
    assert_eq!(rules.matches("\n| 11. ").count(), 1, "the rules are read");
}
