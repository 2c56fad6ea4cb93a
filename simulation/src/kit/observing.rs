//! Observations of a connection under test.

use crate::kit::TestConnection;
use crate::kit::recording::copy_reason;
use ropewalk::{Id, Reason};

/// # Observing
impl TestConnection {
    /// Takes what the protocol has written and the peer has read since the last call.
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

    /// Returns what the next [`take`](Self::take) will return.
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

    /// Returns true if the protocol has ended its side, by `write_eof` or `close`, and the peer has read all data
    /// before it.
    pub fn has_ended(&self) -> bool {
        self.test_end().has_ended
    }

    /// Returns true if the peer has received a reset: the protocol has aborted, or has closed with unread data.
    pub fn was_reset(&self) -> bool {
        self.test_end().was_reset
    }

    /// Returns true if the factory refused this peer, and the connection was closed.
    pub fn was_refused(&self) -> bool {
        self.record.borrow().id.is_none()
    }

    /// Returns the reason of `connection_lost`, or `None` before that callback.
    #[doc(alias = "disconnecting")]
    pub fn reason(&self) -> Option<Reason> {
        self.record.borrow().reason.as_ref().map(copy_reason)
    }

    /// Returns the names of the callbacks so far, beginning with the factory's `build`.
    pub fn callbacks(&self) -> Vec<&'static str> {
        self.record.borrow().callbacks.clone()
    }

    /// Returns the id of the connection in the protocol's reactor.
    ///
    /// # Panics
    ///
    /// If it [was refused](Self::was_refused).
    pub fn id(&self) -> Id {
        self.record.borrow().id.expect("the connection was not refused")
    }

    /// Returns true if the protocol has [paused](ropewalk::Transport::pause) reading.
    ///
    /// # Panics
    ///
    /// As [`call`](Self::call).
    pub fn is_paused(&mut self) -> bool {
        let id = self.id();
        self.call(|context| context.transport(id).is_paused())
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        panic!("the written data is not UTF-8: \"{}\"", error.as_bytes().escape_ascii())
    })
}
