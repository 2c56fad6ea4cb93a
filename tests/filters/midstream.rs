//! Filters that are added in mid-stream.

use super::streams::hello;
use super::*;
use ropewalk::{Filter, FilterLink, Producer};
use std::io;

/// A server that ciphers after the line `UPGRADE`.
fn upgrading() -> Scene {
    Scene::new(&ListenOptions::new(), |transport, event| {
        if let Event::Data(data) = event {
            match data.strip_prefix(b"UPGRADE\n") {
                Some(rest) => {
                    transport.write(b"OK\n");
                    transport.add_filter(ToyCipher::server(7), rest);
                    transport.write(b"Welcome.");
                }
                None => transport.write(data),
            }
        }
    })
}

#[test]
fn earlier_writes_are_plain_and_later_ones_encoded() {
    let mut scene = upgrading();
    scene.connect(&ConnectOptions::new(), |transport, event| match event {
        Event::Made => transport.write(b"UPGRADE\n"),
        Event::Data(data) if data.starts_with(b"OK\n") => {
            transport.add_filter(ToyCipher::client(7), &data[3..]);
            transport.write(b"secret");
        }
        _ => {}
    });
    scene.turn_until("all arrived", |scene| scene.client.data().len() == 3 + 8 + 6);
    assert_eq!(scene.client.data(), b"OK\nWelcome.secret");
    assert_eq!(scene.server.data(), b"UPGRADE\nsecret");
}

#[test]
fn received_bytes_are_handed_to_the_filter() {
    let mut scene = upgrading();
    // The command and the hello arrive together.
    let mut together = b"UPGRADE\n".to_vec();
    together.extend(hello());
    scene.connect(&ConnectOptions::new(), on_made(move |transport| transport.write(&together)));
    scene.turn_until("the answer to the hello", |scene| scene.client.data().len() > 8);
    assert!(scene.client.data().starts_with(b"OK\n"));
}

#[test]
fn filter_may_begin_before_the_answer() {
    let mut scene = upgrading();
    scene.connect(&ConnectOptions::new(), |transport, event| {
        if let Event::Made = event {
            transport.write(b"UPGRADE\n");
            transport.add_filter(Late(ToyCipher::client(7), false), b"");
            transport.write(b"secret");
            transport.close();
        }
    });
    scene.reasons();
    assert_eq!(scene.server.data()[..8], *b"UPGRADE\n");
    assert!(scene.server.data().ends_with(b"secret"));
}

/// A cipher that skips a line before the peer's first message.
struct Late(ToyCipher, bool);

impl Filter for Late {
    fn start(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        self.0.start(link)
    }

    fn decode(&mut self, input: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        if !self.1 {
            if input.len() < 3 {
                return Ok(0);
            }
            assert_eq!(input[..3], *b"OK\n");
            self.1 = true;
            return Ok(3);
        }
        self.0.decode(input, link)
    }

    fn encode(&mut self, plaintext: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        self.0.encode(plaintext, link)
    }

    fn close(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        self.0.close(link)
    }

    fn eof(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        self.0.eof(link)
    }
}

/// Writes when it is asked to, a number of times.
struct Counting(u8);

impl Producer for Counting {
    fn resume_producing(&mut self, transport: &mut Transport<'_>) {
        transport.write(&[self.0]);
        self.0 += 1;
        if self.0 == 50 {
            transport.unregister_producer();
        }
    }
}

#[test]
fn registered_producer_is_carried_over() {
    let mut scene = Scene::new(&ListenOptions::new(), |transport, event| {
        if let Event::Data(data) = event
            && let Some(at) = data.iter().position(|&byte| byte == 200)
        {
            transport.add_filter(ToyCipher::server(7), &data[at + 1..]);
        }
    });
    scene.connect(
        &ConnectOptions::new(),
        on_made(|transport| {
            transport.register_pull_producer(Counting(0)).unwrap();
            transport.write(&[200]);
            transport.add_filter(ToyCipher::client(7), b"");
            transport.close();
        }),
    );
    scene.reasons();
    let got = scene.server.data();
    assert!(got.ends_with(&(0..50).collect::<Vec<u8>>()), "{got:?}");
}

#[test]
fn second_filter_is_added_above_the_first() {
    let mut scene = Scene::ciphered(|transport, event| {
        if let Event::Data(data) = event {
            match data.strip_prefix(b"MORE\n") {
                Some(rest) => {
                    transport.write(b"plain to the second");
                    transport.add_filter(ToyCipher::server(9), rest);
                    transport.write(b" and not");
                }
                None => transport.write(data),
            }
        }
    });
    scene.connect(&ciphered(), |transport, event| match event {
        Event::Made => transport.write(b"MORE\n"),
        Event::Data(data) if data.starts_with(b"plain to the second") => {
            transport.add_filter(ToyCipher::client(9), &data[19..]);
            transport.write(b"!");
        }
        _ => {}
    });
    scene.turn_until("all arrived", |scene| scene.client.data().len() == 28);
    assert_eq!(scene.client.data(), b"plain to the second and not!");
}

#[test]
fn failed_handshake_ends_the_connection() {
    let mut scene = upgrading();
    scene.connect(&ConnectOptions::new(), |transport, event| match event {
        Event::Made => transport.write(b"UPGRADE\n"),
        Event::Data(data) if data.starts_with(b"OK\n") => {
            transport.add_filter(ToyCipher::client(8), &data[3..]);
        }
        _ => {}
    });
    let (server, client) = scene.reasons();
    assert!(server[0].contains("wrong checksum"), "{server:?}");
    assert!(client[0].contains("alert"), "{client:?}");
}

#[test]
fn close_waits_for_an_added_handshake() {
    let mut scene = upgrading();
    scene.connect(
        &ConnectOptions::new(),
        on_made(|transport| {
            transport.write(b"UPGRADE\n");
            transport.add_filter(Late(ToyCipher::client(7), false), b"");
            transport.close();
        }),
    );
    let reasons = scene.reasons();
    assert_eq!(reasons, (vec!["ClosedByPeer".to_owned()], vec!["Closed".to_owned()]));
}

#[test]
fn filter_for_a_closing_connection_is_dropped() {
    let mut scene = Scene::new(&ListenOptions::new(), only_record);
    scene.connect(
        &ConnectOptions::new(),
        on_made(|transport| {
            transport.write(b"plain");
            transport.close();
            transport.add_filter(ToyCipher::client(7), b"");
        }),
    );
    scene.reasons();
    assert_eq!(scene.server.data(), b"plain");
}
