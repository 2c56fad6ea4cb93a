//! Protocols and helpers for tests of the kit.

use ropewalk::{Protocol, Transport};
use ropewalk_protocols::{LineHandler, LineTransport};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

type Hook<A> = Box<dyn FnMut(&mut Transport<'_>, A)>;

/// A protocol with closures as callbacks.
#[derive(Default)]
pub(crate) struct Hooks {
    made: Option<Hook<()>>,
    data: Option<Hook<Vec<u8>>>,
    eof: Option<Hook<()>>,
}

impl Hooks {
    pub(crate) fn made(act: impl FnMut(&mut Transport<'_>, ()) + 'static) -> Self {
        Self { made: Some(Box::new(act)), ..Self::default() }
    }

    pub(crate) fn data(act: impl FnMut(&mut Transport<'_>, Vec<u8>) + 'static) -> Self {
        Self { data: Some(Box::new(act)), ..Self::default() }
    }

    pub(crate) fn eof(act: impl FnMut(&mut Transport<'_>, ()) + 'static) -> Self {
        Self { eof: Some(Box::new(act)), ..Self::default() }
    }
}

impl Protocol for Hooks {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        if let Some(act) = &mut self.made {
            act(transport, ());
        }
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        if let Some(act) = &mut self.data {
            act(transport, data.to_vec());
        }
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        match &mut self.eof {
            Some(act) => act(transport, ()),
            None => transport.close(),
        }
    }
}

/// Sends each line back reversed, and closes after "bye".
pub(crate) struct Reverse;

impl LineHandler for Reverse {
    type Line = str;

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        lines.send_line(line.chars().rev().collect::<String>());
        if line == "bye" {
            lines.close();
        }
    }

    fn line_length_exceeded(&mut self, lines: &mut LineTransport<'_>, _beginning: &str) {
        lines.send_line("too long");
    }
}

/// Returns the message of a panic.
pub(crate) fn panic_message<R>(code: impl FnOnce() -> R) -> String {
    let payload = catch_unwind(AssertUnwindSafe(code)).err().expect("a panic");
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).expect("with a message")
}
