//! The programs, as demos.

use std::path::PathBuf;
use std::process::{Command, Stdio};

fn demo(name: &str) -> String {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let mut command = Command::new(path.join("examples").join(name));
    let end = command.arg("--demo").stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&end.stderr), "");
    assert!(end.status.success());
    String::from_utf8_lossy(&end.stdout).into_owned()
}

#[test]
fn frames_are_drawn_while_a_client_is_served() {
    let output = demo("frames");
    let last = output.lines().last().unwrap();
    let numbers: Vec<u32> = last.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [frames, turns] = numbers[..] else { panic!("{last}") };
    assert!(frames >= 5 && turns > 2 * frames, "{last}");
    assert!(output.contains("2 connections"), "{output}");
}

#[test]
fn tasks_answer_the_clients_of_a_reactor() {
    let output = demo("in_tokio");
    assert!(output.contains("client: received '5 characters\n'"), "{output}");
}
