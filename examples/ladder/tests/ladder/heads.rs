//! Heads of the steps: each explains the step in the same way, and names files that exist.

use crate::size::steps;
use std::fs;
use std::path::{Path, PathBuf};

const PARTS: [&str; 3] = ["//! See it: ", "//! Change: ", "//! In Ropewalk: "];

#[test]
fn each_head_explains_its_step() {
    for (index, step) in steps().iter().enumerate() {
        let text = fs::read_to_string(main_file(step)).unwrap();
        let bug = match index {
            0 => "//! Bug before this step: ".to_owned(),
            before => format!("//! Bug of step {before}: "),
        };
        let mut rest = text.as_str();
        for part in [bug.as_str()].into_iter().chain(PARTS) {
            let place = rest.find(part);
            rest = &rest[place.unwrap_or_else(|| panic!("{}: no {part:?}", step.display()))..];
        }
    }
}

#[test]
fn named_files_exist() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.join("../..");
    let mut texts = vec![(package.join("README.md"), false)];
    texts.extend(steps().iter().map(|step| (main_file(step), true)));
    for (file, head_only) in texts {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().filter(|line| !head_only || line.starts_with("//!"));
        let text = lines.collect::<Vec<_>>().join(" ");
        // What is between backquotes.
        for name in text.split('`').skip(1).step_by(2).filter(|name| name.starts_with("src/")) {
            assert!(root.join(name).exists(), "{}: no {name}", file.display());
        }
    }
}

fn main_file(step: &Path) -> PathBuf {
    if step.is_dir() { step.join("main.rs") } else { step.to_owned() }
}
