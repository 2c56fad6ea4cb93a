//! Lengths of files and functions.

use crate::code::{functions, sources};

const FOLDERS: [&str; 7] =
    ["src", "protocols", "crates", "simulation", "examples", "benches", "tests"];

#[test]
fn files_have_at_most_350_lines() {
    let mut long = Vec::new();
    for source in FOLDERS.into_iter().flat_map(sources) {
        let lines = source.text.lines().count();
        if lines > 350 {
            long.push(format!("{}: {lines}", source.path.display()));
        }
    }
    assert!(long.is_empty(), "too long: {long:#?}");
}

#[test]
fn functions_have_at_most_45_lines() {
    let mut long = Vec::new();
    for source in FOLDERS.into_iter().flat_map(sources) {
        for function in functions(&source.code) {
            if function.lines > 45 {
                let (path, name) = (source.path.display(), function.name);
                long.push(format!("{path}: {name} has {} lines", function.lines));
            }
        }
    }
    assert!(long.is_empty(), "too long: {long:#?}");
}
