//! Timers of filters.

use crate::Scene;
use crate::support::*;
use ropewalk::{ConnectOptions, Filter, FilterLink, ListenOptions};
use std::io;
use std::time::Duration;

/// Sends at most five bytes a tick.
#[derive(Default)]
struct Throttle {
    allowance: usize,
    ticking: bool,
}

impl Filter for Throttle {
    fn decode(&mut self, input: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        link.deliver(input);
        Ok(input.len())
    }

    fn encode(&mut self, plaintext: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        if !self.ticking {
            self.ticking = true;
            link.set_timer(Duration::from_micros(100));
        }
        let count = plaintext.len().min(self.allowance);
        self.allowance -= count;
        link.send(&plaintext[..count]);
        Ok(count)
    }

    fn timer_fired(&mut self, _link: &mut FilterLink<'_>) -> io::Result<()> {
        self.allowance = 5;
        self.ticking = false;
        Ok(())
    }
}

#[test]
fn throttle_sends_everything_after_close() {
    let mut scene = Scene::new(&ListenOptions::new(), only_record);
    scene.connect(
        &ConnectOptions::new().filter(Throttle::default),
        on_made(|transport| {
            transport.write(&[b'x'; 97]);
            transport.close();
        }),
    );
    scene.reasons();
    assert_eq!(scene.server.data(), [b'x'; 97]);
}

/// Answers only when its timer fires, and input was held until then.
#[derive(Default)]
struct Delay {
    ready: bool,
}

impl Filter for Delay {
    fn decode(&mut self, input: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        if !self.ready {
            link.set_timer(Duration::from_millis(1));
            return Ok(0);
        }
        link.deliver(input);
        Ok(input.len())
    }

    fn encode(&mut self, plaintext: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        link.send(plaintext);
        Ok(plaintext.len())
    }

    fn timer_fired(&mut self, _link: &mut FilterLink<'_>) -> io::Result<()> {
        self.ready = true;
        Ok(())
    }
}

#[test]
fn held_input_is_decoded_after_the_timer() {
    let mut scene = Scene::new(&ListenOptions::new().filter(Delay::default), only_record);
    scene.connect(
        &ConnectOptions::new(),
        on_made(|transport| {
            transport.write(b"hello");
            transport.write_eof();
        }),
    );
    scene.reasons();
    assert_eq!(scene.server.data(), b"hello");
}

/// Fails, panics or delivers when its timer fires.
struct Misbehaves(fn(&mut FilterLink<'_>) -> io::Result<()>);

impl Filter for Misbehaves {
    fn start(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        link.establish();
        link.set_timer(Duration::ZERO);
        Ok(())
    }

    fn decode(&mut self, input: &[u8], _link: &mut FilterLink<'_>) -> io::Result<usize> {
        Ok(input.len())
    }

    fn encode(&mut self, plaintext: &[u8], _link: &mut FilterLink<'_>) -> io::Result<usize> {
        Ok(plaintext.len())
    }

    fn timer_fired(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        (self.0)(link)
    }
}

#[test]
fn failing_timer_ends_only_its_connection() {
    let fails: [fn(&mut FilterLink<'_>) -> io::Result<()>; 3] = [
        |_| Err(io::Error::other("no more")),
        |_| panic!("expected by the test"),
        |link| {
            link.deliver(b"x");
            Ok(())
        },
    ];
    for (index, fail) in fails.into_iter().enumerate() {
        let options = ListenOptions::new().filter(move || Misbehaves(fail));
        let mut scene = Scene::new(&options, only_record);
        scene.connect(&ConnectOptions::new(), only_record);
        let (server, _) = scene.reasons();
        let expected = if index == 1 { "Panicked" } else { "Failed" };
        assert!(server.len() == 1 && server[0].starts_with(expected), "{index}: {server:?}");
        assert_eq!(scene.server.data(), b"");
    }
}
