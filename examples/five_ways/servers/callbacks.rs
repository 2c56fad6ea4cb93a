//! The fourth way: callbacks of a protocol. The reactor polls, reads, writes and buffers.
//!
//! One thread serves all clients, as in the third way, and the program has only the service in it. A callback must not
//! block, or all clients wait.

use ropewalk::{Error, Reactor};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};

struct Service;

impl LineHandler for Service {
    type Line = str;

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        lines.write(service::answer(line).as_bytes());
    }
}

fn main() -> Result<(), Error> {
    let mut reactor = Reactor::new()?;
    let new = || LineReceiver::new(Service).max_length(service::LONGEST);
    let port = reactor.listen_tcp("127.0.0.1:0", new)?;
    service::announce(port.address().socket_addr().expect("a TCP address"));
    reactor.run()
}
