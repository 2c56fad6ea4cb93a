//! The exercises of the documentation: their breaks and their tests exist.

use std::fs;

/// The texts in backquotes after `mark`, one in a line.
fn marked<'a>(page: &'a str, mark: &str) -> Vec<&'a str> {
    let quoted = |line: &'a str| line.strip_prefix(mark)?.strip_prefix(" `")?.strip_suffix('`');
    page.lines().filter_map(quoted).collect()
}

#[test]
fn exercises_name_breaks_and_the_tests_that_fail() {
    let page = fs::read_to_string("docs/exercises.md").unwrap();
    let script = fs::read_to_string("tests/sabotage/run").unwrap();
    let (breaks, tests) = (marked(&page, "- Break:"), marked(&page, "- Test:"));
    assert_eq!((breaks.len(), tests.len()), (20, 20));
    for (name, test) in breaks.into_iter().zip(tests) {
        let head = format!("sabotage '{name}' ");
        let entry = script.split_once(&head).unwrap_or_else(|| panic!("no break is named {name}"));
        let command = entry.1.lines().nth(1).unwrap();
        assert!(command.ends_with(&format!(" {test}")), "{name} fails another test: {command}");
    }
}
