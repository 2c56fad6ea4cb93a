//! The Echo protocol.

use ropewalk::{Protocol, Transport};

/// Sends back all that comes: the Echo protocol,
/// [RFC 862](https://www.rfc-editor.org/rfc/rfc862).
///
/// While a peer does not read what it is sent, no more is taken from it. So one that writes and
/// never reads costs at most some 400 KB, and no more however long it goes on. When the peer ends its side,
/// it gets the rest of its echo, and the connection is closed.
///
/// ```
/// use ropewalk::{Error, Reactor};
/// use ropewalk_protocols::Echo;
///
/// let mut reactor = Reactor::new()?;
/// reactor.listen_tcp("127.0.0.1:0", || Echo)?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.write(data);
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        transport.pause();
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        transport.resume();
    }
}
