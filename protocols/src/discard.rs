//! The Discard protocol.

use ropewalk::{Protocol, Transport};

/// Discards all received data and sends nothing: the Discard protocol, [RFC
/// 863](https://www.rfc-editor.org/rfc/rfc863).
///
/// When the peer ends its side, the connection is closed.
///
/// ```
/// use ropewalk::{Error, Reactor};
/// use ropewalk_protocols::Discard;
///
/// let mut reactor = Reactor::new()?;
/// reactor.listen_tcp("127.0.0.1:0", || Discard)?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl Protocol for Discard {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}
