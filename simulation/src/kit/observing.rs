//! Observations of a connection under test.

use crate::kit::TestConnection;
use crate::kit::recording::copy_reason;
use ropewalk::{Id, Reason};

/// # Observing
impl TestConnection {
    /// What the protocol wrote and the peer has read, since it was last taken.
    #[doc(alias = "value")]
    #[doc(alias = "readOutbound")]
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.test_end().received)
    }

    /// [`take`](Self::take), as text.
    ///
    /// # Panics
    ///
    /// If it is not UTF-8.
    pub fn take_text(&mut self) -> String {
        text(self.take())
    }

    /// What the next [`take`](Self::take) is going to bring, and still does after this.
    pub fn peek(&self) -> Vec<u8> {
        self.test_end().received.clone()
    }

    /// [`peek`](Self::peek), as text.
    ///
    /// # Panics
    ///
    /// If it is not UTF-8.
    pub fn peek_text(&self) -> String {
        text(self.peek())
    }

    /// Whether the protocol has ended its side, by `write_eof` or `close`, and the peer has read all
    /// that came before.
    pub fn has_ended(&self) -> bool {
        self.test_end().has_ended
    }

    /// Whether the peer was sent a reset: the protocol has aborted, or has closed with something unread.
    pub fn was_reset(&self) -> bool {
        self.test_end().was_reset
    }

    /// Whether the factory would have no protocol for this peer, and the connection was closed.
    pub fn was_refused(&self) -> bool {
        self.record.borrow().id.is_none()
    }

    /// Why the connection ended, as the protocol was told; `None` as long as it has not been.
    #[doc(alias = "disconnecting")]
    pub fn reason(&self) -> Option<Reason> {
        self.record.borrow().reason.as_ref().map(copy_reason)
    }

    /// The names of the callbacks that were made so far, in order, beginning with the factory's `build`.
    pub fn callbacks(&self) -> Vec<&'static str> {
        self.record.borrow().callbacks.clone()
    }

    /// The name of the connection in the reactor on which the protocol lives.
    ///
    /// # Panics
    ///
    /// If it [was refused](Self::was_refused), and never had one.
    pub fn id(&self) -> Id {
        self.record.borrow().id.expect("a connection that was not refused")
    }

    /// Whether the protocol has [paused](ropewalk::Transport::pause) reading.
    ///
    /// # Panics
    ///
    /// As [`call`](Self::call).
    pub fn is_paused(&mut self) -> bool {
        let id = self.id();
        self.call(|context| context.is_paused(id))
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        panic!("what was written is not UTF-8: \"{}\"", error.as_bytes().escape_ascii())
    })
}
