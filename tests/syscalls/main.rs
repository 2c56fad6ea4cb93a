//! System calls that fail, injected by strace(1), and system calls that are counted.
#![cfg(target_os = "linux")]

mod counts;
mod datagram_calls;
#[path = "../support/datagrams.rs"]
mod datagrams;
mod streams;
#[path = "../support/mod.rs"]
mod support;

use std::process::Output;
use support::*;

/// Runs the test `name` in a child under strace, and asserts that it ran.
fn traced(name: &str, options: &[&str]) -> Output {
    let wrapper = [&["timeout", "-k", "1", "20", "strace", "-f", "--quiet=all"], options].concat();
    let output = child(name, &wrapper).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("running 1 test"), "child {name} ran no test:\n{text}");
    output
}
