//! Gathering: what the running callback writes to its own connection is sent when the callback returns.
//!
//! The bytes are kept in the context until then, and not with the connection: mostly the socket accepts all of
//! them, and nothing has to be queued. Every way to the context that could show the difference leads through
//! [`Transport::context`](crate::Transport::context), which first moves them to the send buffer.

use crate::api::context::Context;
use crate::values::id::Id;
use std::io;

impl Context {
    /// Adds `data` that the running callback writes to its own connection.
    #[inline]
    pub(crate) fn gather(&mut self, id: Id, data: &[u8]) {
        if !self.gathered.push(data) {
            self.push_gathered(id, data);
        }
    }

    /// The number of gathered bytes.
    pub(crate) fn gathered(&self) -> usize {
        self.gathered.len()
    }

    /// Moves the gathered bytes behind the queued data, and `tail` behind them.
    #[inline(never)]
    pub(crate) fn push_gathered(&mut self, id: Id, tail: &[u8]) {
        self.push_gathered_from(id, 0);
        if !tail.is_empty() {
            self.push(id, tail);
        }
    }

    /// Moves the gathered bytes from `start` on behind the queued data.
    fn push_gathered_from(&mut self, id: Id, start: usize) {
        let mut gathered = self.gathered.take();
        let bytes = &gathered.bytes()[start..];
        if !bytes.is_empty() {
            self.push(id, bytes);
        }
        gathered.clear();
        self.gathered = gathered;
    }

    /// A callback of this connection begins: what it writes is gathered.
    #[inline(always)]
    pub(crate) fn begin_callback(&mut self, id: Id) {
        self.running = id;
    }

    /// The callback has panicked: what it wrote is dropped.
    pub(crate) fn drop_gathered(&mut self) {
        self.running = Id::NONE;
        self.gathered.clear();
    }

    /// The callback has returned: sends what it wrote, behind the queued data.
    #[inline(always)]
    pub(crate) fn send_gathered(&mut self, id: Id) {
        self.running = Id::NONE;
        if let Some(stream) = self.sources.stream_mut(id)
            && stream.can_write_directly()
        {
            let length = self.gathered.len();
            if length == 0 {
                if !stream.drops_oldest() {
                    return;
                }
            } else if stream.takes_at_once(length) {
                return match stream.offer(self.gathered.bytes()) {
                    Ok(()) => {
                        self.journal.sent(id, length);
                        self.gathered.clear();
                    }
                    Err(result) => self.not_all_sent(id, result),
                };
            }
        }
        self.queue_gathered(id, 0);
    }

    /// Queues the gathered bytes from `start` on, and flushes.
    #[inline(never)]
    fn queue_gathered(&mut self, id: Id, start: usize) {
        self.running = id;
        self.push_gathered_from(id, start);
        self.running = Id::NONE;
        if let Some(stream) = self.sources.stream_mut(id) {
            stream.end_chunk();
        }
        self.flush(id);
    }

    /// The socket did not accept all of the gathered bytes.
    #[cold]
    fn not_all_sent(&mut self, id: Id, result: io::Result<usize>) {
        self.note_offer(id, &result.as_ref().copied());
        match result {
            Ok(count) => self.queue_gathered(id, count),
            Err(error) => {
                self.gathered.clear();
                self.break_off(id, error.into());
            }
        }
    }
}
