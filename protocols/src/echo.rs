//! The Echo protocol.

use ropewalk::{Protocol, Transport};

/// Sends all received data back: the Echo protocol, [RFC 862](https://www.rfc-editor.org/rfc/rfc862).
///
/// Reading is paused while the peer does not read its echo. A peer that only writes costs at most about 400 KB.
/// When the peer ends its side, the rest of its echo is sent, and the connection is closed.
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
