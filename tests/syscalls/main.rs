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

fn traced(name: &str, options: &[&str]) -> Output {
    let wrapper = [&["timeout", "-k", "1", "20", "strace", "-f", "--quiet=all"], options].concat();
    child(name, &wrapper).output().unwrap()
}
