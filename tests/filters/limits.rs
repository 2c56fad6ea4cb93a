//! Marks and limits on filtered connections.

use super::*;
use ropewalk::{Filter, FilterLink};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn marks_count_plaintext_and_encoded_bytes() {
    let mut scene = Scene::ciphered(on_made(|transport| transport.pause()));
    let id = scene.connect(&ciphered(), only_record);
    scene.turn_until("both are made", |scene| scene.server.made() + scene.client.made() == 2);
    scene.reactor.context().transport(id).write(&pattern(8_000_000));
    assert_eq!(scene.reactor.context().transport(id).write_buffer_size(), 8_000_000);
    turns(&mut scene.reactor, 10);
    let waiting = scene.reactor.context().transport(id).write_buffer_size();
    assert!(waiting > 1_000_000 && waiting < 8_100_000, "{waiting}");
    let is_pause = |event: &Event| *event == Event::PauseWriting;
    assert_eq!(scene.client.count(is_pause), 1);
    let server = scene.server.ids()[0];
    scene.reactor.context().transport(server).resume();
    scene.turn_until("it resumes", |scene| {
        scene.client.count(|event| *event == Event::ResumeWriting) == 1
    });
    scene.turn_until("all arrived", |scene| scene.server.data().len() == 8_000_000);
    assert_eq!(scene.reactor.context().transport(id).write_buffer_size(), 0);
}

/// Counts the bytes that it encodes.
struct Counting(Arc<AtomicUsize>);

impl Filter for Counting {
    fn decode(&mut self, input: &[u8], _link: &mut FilterLink<'_>) -> io::Result<usize> {
        Ok(input.len())
    }

    fn encode(&mut self, plaintext: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        self.0.fetch_add(plaintext.len(), Ordering::Relaxed);
        link.send(plaintext);
        Ok(plaintext.len())
    }
}

#[test]
fn little_is_encoded_before_the_socket_takes_it() {
    let encoded = Arc::new(AtomicUsize::new(0));
    let mut scene = Scene::new(&ListenOptions::new(), on_made(|transport| transport.pause()));
    let counted = Arc::clone(&encoded);
    let options = ConnectOptions::new().filter(move || Counting(Arc::clone(&counted)));
    let id = scene.connect(&options, on_made(|transport| transport.write(&vec![0; 20_000_000])));
    scene.turn_until("both are made", |scene| scene.server.made() + scene.client.made() == 2);
    turns(&mut scene.reactor, 200);
    let sent = scene.reactor.context().transport(id).counts().sent;
    let ahead = encoded.load(Ordering::Relaxed) - usize::try_from(sent).unwrap();
    assert!(ahead > 0 && ahead <= 2 * 64 * 1024, "{ahead} bytes are encoded and not sent");
}

#[test]
fn write_limit_ends_the_connection() {
    let mut scene = Scene::ciphered(on_made(|transport| transport.pause()));
    let id = scene.connect(&ciphered(), on_made(|transport| transport.set_write_limit(100_000)));
    scene.turn_until("both are made", |scene| scene.server.made() + scene.client.made() == 2);
    for _ in 0..200 {
        scene.reactor.context().transport(id).write(&[1; 100_000]);
        turns(&mut scene.reactor, 1);
    }
    assert_eq!(scene.client.reasons(), ["WriteLimit"]);
}

/// A filter that decodes nothing, delivers too much, or answers without end.
enum Rude {
    Idle,
    Overrun,
    Answers,
}

impl Filter for Rude {
    fn decode(&mut self, input: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        match self {
            Self::Idle => return Ok(0),
            Self::Overrun => link.deliver(&vec![0; link.room() + 1]),
            Self::Answers => link.send(&[0; 10_000]),
        }
        Ok(input.len().min(1))
    }

    fn encode(&mut self, plaintext: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        link.send(plaintext);
        Ok(plaintext.len())
    }
}

fn rude(make: fn() -> Rude) -> Scene {
    let mut scene = Scene::new(&ListenOptions::new().filter(make), only_record);
    scene.connect(
        &ConnectOptions::new(),
        on_made(|transport| {
            transport.pause();
            transport.write(&pattern(300_000));
        }),
    );
    scene.turn_until("it is lost", |scene| scene.server.lost() == 1);
    scene
}

#[test]
fn filter_that_decodes_nothing_fails() {
    let reasons = rude(|| Rude::Idle).server.reasons();
    assert!(reasons[0].contains("consumed no byte"), "{reasons:?}");
}

#[test]
fn filter_that_delivers_too_much_fails() {
    let reasons = rude(|| Rude::Overrun).server.reasons();
    assert!(reasons[0].contains("more data than there was room"), "{reasons:?}");
}

#[test]
fn answers_without_a_reader_end_the_connection() {
    assert_eq!(rude(|| Rude::Answers).server.reasons(), ["WriteLimit"]);
}
