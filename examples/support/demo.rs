//! The client of demos.

use crate::output::say;
use ropewalk::{Protocol, Reason, Transport};

/// A client that sends a line, ends its side, and prints what it receives until the other side ends. Then it stops the
/// reactor.
#[derive(Debug)]
pub struct DemoClient;

impl Protocol for DemoClient {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        say(format_args!("client: sends 'hello' and ends its side"));
        transport.write(b"hello");
        transport.write_eof();
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, data: &[u8]) {
        say(format_args!("client: received '{}'", String::from_utf8_lossy(data)));
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        say(format_args!("client: the connection ended: {reason}"));
        transport.context().stop();
    }
}
