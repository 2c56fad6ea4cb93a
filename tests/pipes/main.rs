//! Connections over pipes, terminals, files and devices.
#![cfg(unix)]

mod ends;
mod kinds;
#[path = "../support/mod.rs"]
mod support;

use ropewalk::{Id, Pipes, Protocol, Reactor};
use std::io::{PipeReader, PipeWriter, pipe};
use std::os::fd::OwnedFd;

/// Returns a reactor with a protocol on two pipes, and the other ends of them.
fn adopted(protocol: impl Protocol) -> (Reactor, Id, PipeWriter, PipeReader) {
    let (input, writer) = pipe().unwrap();
    let (reader, output) = pipe().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let id = adopt(&mut reactor, input, output, protocol);
    (reactor, id, writer, reader)
}

fn adopt(
    reactor: &mut Reactor,
    input: impl Into<OwnedFd>,
    output: impl Into<OwnedFd>,
    protocol: impl Protocol,
) -> Id {
    Pipes::new().input(input).output(output).adopt(reactor.context(), protocol).unwrap()
}
