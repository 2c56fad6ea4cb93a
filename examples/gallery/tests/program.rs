//! The program, and what is written about the exhibits.

use ropewalk_gallery::EXHIBITS;
use std::fs;
use std::process::{Command, Output};

fn gallery(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ropewalk-gallery")).args(arguments).output().unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = gallery(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn without_arguments_it_lists_the_exhibits() {
    let list = printed(&[]);
    for exhibit in EXHIBITS {
        assert!(list.contains(exhibit.name) && list.contains(exhibit.about), "{list}");
    }
    assert!(list.contains("Try:"), "{list}");
}

#[test]
fn each_form_runs_alone_or_with_the_other() {
    let both = printed(&["edge_not_drained"]);
    assert!(both.contains("\nbroken:\n") && both.contains("\ncured:\n"), "{both}");
    assert!(both.contains(">     "), "{both}");
    let broken = printed(&["edge_not_drained", "--broken"]);
    assert!(broken.contains("the fault is there") && !broken.contains("\ncured:"), "{broken}");
    let cured = printed(&["edge_not_drained", "--cured"]);
    assert!(cured.contains("no fault") && !cured.contains("\nbroken:"), "{cured}");
}

#[test]
fn unknown_arguments_are_refused() {
    for arguments in [&["nothing"][..], &["edge_not_drained", "--fast"]] {
        let output = gallery(arguments);
        assert!(!output.status.success());
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn heads_and_readme_describe_each_exhibit() {
    let root = env!("CARGO_MANIFEST_DIR");
    let readme = fs::read_to_string(format!("{root}/README.md")).unwrap();
    for exhibit in EXHIBITS {
        let path = format!("src/exhibits/{}.rs", exhibit.name);
        let source = fs::read_to_string(format!("{root}/{path}")).unwrap();
        assert!(source.lines().count() <= 130, "{path} is too long");
        let (issue, title) = exhibit.issue.split_once(": ").unwrap();
        for part in ["What one sees:", "Why:", "The cure:", issue, title] {
            let head = source.split("\nuse ").next().unwrap().replace("\n//! ", " ");
            assert!(head.contains(part), "{path} has no '{part}' in its head");
        }
        let (project, number) = issue.split_once('#').unwrap();
        let link = format!("https://github.com/{project}/issues/{number}");
        let row = readme.lines().find(|line| line.contains(&format!("({path})")));
        assert!(row.is_some_and(|row| row.contains(&link)), "README.md has no row of {path}");
    }
}
