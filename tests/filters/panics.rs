//! Panics and errors in each method of a filter.

use super::*;
use ropewalk::{Filter, FilterLink};
use std::io;

/// Panics, or fails, in one of its methods.
struct Failing {
    method: &'static str,
    panics: bool,
}

impl Failing {
    fn check(&self, method: &str) -> io::Result<()> {
        match (self.method == method, self.panics) {
            (false, _) => Ok(()),
            (true, false) => Err(io::Error::other("on purpose")),
            (true, true) => panic!("on purpose"),
        }
    }
}

impl Filter for Failing {
    fn start(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        self.check("start")?;
        link.establish();
        Ok(())
    }

    fn decode(&mut self, input: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        self.check("decode")?;
        link.deliver(input);
        Ok(input.len())
    }

    fn encode(&mut self, plaintext: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        self.check("encode")?;
        link.send(plaintext);
        Ok(plaintext.len())
    }

    fn close(&mut self, _link: &mut FilterLink<'_>) -> io::Result<()> {
        self.check("close")
    }

    fn eof(&mut self, _link: &mut FilterLink<'_>) -> io::Result<()> {
        self.check("eof")
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        assert!(self.method != "drop" || !self.panics, "on purpose");
    }
}

/// Runs a server with a failing filter, and a client that sends a word, receives it back, and ends.
fn play(method: &'static str, panics: bool) -> Scene {
    let options = ListenOptions::new().filter(move || Failing { method, panics });
    let mut scene = Scene::new(&options, echo);
    scene.connect(
        &ConnectOptions::new(),
        on_made(|transport| {
            transport.write(b"word");
            transport.write_eof();
        }),
    );
    scene.turn_until("the client is lost", |scene| scene.client.lost() == 1);
    turns(&mut scene.reactor, 5);
    scene
}

#[test]
fn panic_in_a_method_costs_one_connection() {
    for method in ["decode", "encode", "close", "eof"] {
        let mut scene = play(method, true);
        assert_eq!(scene.server.reasons(), ["Panicked"], "in {method}");
        assert_eq!(scene.reactor.context().statistics().panics, 1, "in {method}");
    }
    let scene = play("start", true);
    let refused = scene.refused.borrow();
    assert!(refused[0].1.to_string().contains("panicked"), "{refused:?}");
    let mut scene = play("drop", true);
    assert_eq!(scene.server.reasons(), ["ClosedByPeer"]);
    assert_eq!(scene.reactor.context().statistics().panics, 1);
}

#[test]
fn error_in_a_method_is_the_reason() {
    for method in ["decode", "encode", "close", "eof"] {
        let scene = play(method, false);
        let reasons = scene.server.reasons();
        assert!(reasons[0].contains("on purpose"), "in {method}: {reasons:?}");
    }
    let scene = play("start", false);
    let refused = scene.refused.borrow();
    assert!(refused[0].1.to_string().contains("on purpose"), "{refused:?}");
}

#[test]
fn panic_in_filter_factory_is_a_failed_handshake() {
    let options = ListenOptions::new().filter(|| -> Failing { panic!("on purpose") });
    let mut scene = Scene::new(&options, echo);
    scene.connect(&ConnectOptions::new(), only_record);
    scene.turn_until("it has failed", |scene| scene.refused.borrow().len() == 1);
    assert_eq!(scene.server.made(), 0);
}
