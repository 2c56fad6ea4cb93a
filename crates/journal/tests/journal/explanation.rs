//! Records in sentences.

use crate::support::{Folder, echo, run_program};
use ropewalk_journal::reading::{self, Filter};
use std::fs;

/// Returns the explanation of an echo, without ids and times.
fn explained(filter: &Filter) -> Vec<String> {
    let mut text = Vec::new();
    reading::write_explanation(&*echo(false), filter, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    text.lines().map(|line| line.trim_start().split_once(' ').unwrap().1.to_owned()).collect()
}

#[test]
fn echo_is_one_chain_of_sentences() {
    let lines = explained(&Filter::default());
    let echo = lines.iter().find(|line| line.contains("Echo::data_received")).unwrap();
    let (begin, chain) = echo.split_once(" is readable").unwrap();
    assert!(begin.starts_with("the kernel reports that connection #"), "{begin}");
    let chain = chain.trim_start_matches(" and writable");
    assert_eq!(
        chain,
        " → 5 bytes are read → Echo::data_received is called with them → send(2) takes 5 bytes → \
         nothing is left to do"
    );
}

#[test]
fn connection_is_explained_from_its_listener_on() {
    let lines = explained(&Filter::default());
    let made = lines.iter().find(|line| line.contains("Echo becomes its callback object"));
    let made = made.unwrap();
    for part in [
        "accept(2) returns a connection → ",
        " is made → its peer is 127.0.0.1:",
        " → Echo::connection_made is called",
    ] {
        assert!(made.contains(part), "{made} has no {part}");
    }
}

#[test]
fn program_explains_a_callback() {
    let folder = Folder::new();
    let path = folder.file("echo.journal");
    fs::write(&path, echo(true)).unwrap();
    let path = path.to_str().unwrap();
    let (code, out, _) = run_program(&["--explain", "--callback", "Echo::data_received", path]);
    assert_eq!(code, 0);
    assert!(out.ends_with(": Echo::data_received is called with 5 bytes\n"), "{out}");
}
