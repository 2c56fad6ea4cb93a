//! Size of a step: how many lines of code it changes.

use std::fs;
use std::path::{Path, PathBuf};

/// At most this many lines of code differ between a step and the one before. Comments are free.
const MOST: usize = 60;

/// Returns the files and folders of the steps, in order.
pub(crate) fn steps() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/bin");
    let mut steps: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    steps.sort();
    steps
}

#[test]
fn each_step_changes_at_most_sixty_lines() {
    let mut before = Vec::new();
    for file in steps() {
        let now = code(&text(&file));
        let changed = changed_lines(&before, &now);
        println!("{changed:3} of {:3} lines: {}", now.len(), file.display());
        assert!(changed <= MOST, "{} changes {changed} lines", file.display());
        before = now;
    }
}

/// Returns the text of a step. Its reactor is where it was before it got a file of its own.
fn text(step: &Path) -> String {
    if !step.is_dir() {
        return fs::read_to_string(step).unwrap();
    }
    let reactor = fs::read_to_string(step.join("reactor.rs")).unwrap();
    fs::read_to_string(step.join("main.rs")).unwrap().replace("mod reactor;\n", &reactor)
}

/// Returns the lines without indentation, comments and empty lines.
fn code(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim().to_owned());
    lines.filter(|line| !line.is_empty() && !line.starts_with("//")).collect()
}

/// Returns how many lines are added, removed or replaced, by the longest common subsequence.
fn changed_lines(before: &[String], now: &[String]) -> usize {
    // `common[i][j]` is its length for the lines from `i` and `j` on.
    let mut common = vec![vec![0; now.len() + 1]; before.len() + 1];
    for i in (0..before.len()).rev() {
        for j in (0..now.len()).rev() {
            common[i][j] = if before[i] == now[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut changed) = (0, 0, 0);
    while i < before.len() || j < now.len() {
        let (mut removed, mut added) = (0, 0);
        while i < before.len() || j < now.len() {
            if i < before.len() && j < now.len() && before[i] == now[j] {
                break;
            } else if j == now.len() || i < before.len() && common[i + 1][j] >= common[i][j + 1] {
                (i, removed) = (i + 1, removed + 1);
            } else {
                (j, added) = (j + 1, added + 1);
            }
        }
        // A line that is replaced counts once.
        changed += std::cmp::max(removed, added);
        while i < before.len() && j < now.len() && before[i] == now[j] {
            (i, j) = (i + 1, j + 1);
        }
    }
    changed
}

#[test]
fn changed_lines_are_counted() {
    let lines = |text: &str| code(&text.replace(' ', "\n"));
    assert_eq!(changed_lines(&lines("a b c d"), &lines("a b c d")), 0);
    assert_eq!(changed_lines(&lines("a b c d"), &lines("a x c d")), 1);
    assert_eq!(changed_lines(&lines("a b c d"), &lines("b c x y d")), 3);
    assert_eq!(changed_lines(&lines(""), &lines("a b")), 2);
}
