//! What the running callback writes to its own connection, gathered until it returns.
//!
//! It is kept here and not with the connection, since it hardly ever has to wait: the callback
//! returns, the socket takes all of it, and the connection has never known of it. Whoever could see
//! the difference reaches the context through [`Transport`](crate::Transport), which first puts what
//! was gathered where all else waits.

use crate::api::context::Context;
use crate::values::id::Id;
use std::io;
use std::mem;

impl Context {
    /// Adds `data` that the running callback writes to its own connection.
    ///
    /// The capacity of the buffer, which has `GATHER` bytes, is the limit, so that one comparison decides.
    #[inline]
    pub(crate) fn gather(&mut self, id: Id, data: &[u8]) {
        if data.len() > self.gathered.capacity() - self.gathered.len() {
            return self.push_gathered(id, data);
        }
        self.gathered.extend_from_slice(data);
    }

    /// How many bytes are gathered.
    pub(crate) fn gathered(&self) -> usize {
        self.gathered.len()
    }

    /// Puts what was gathered behind what waits already, and `tail` behind it.
    #[inline(never)]
    pub(crate) fn push_gathered(&mut self, id: Id, tail: &[u8]) {
        let mut gathered = mem::take(&mut self.gathered);
        for piece in [&gathered, tail] {
            if !piece.is_empty() {
                self.push(id, piece);
            }
        }
        gathered.clear();
        self.gathered = gathered; // Its memory is kept.
    }

    /// A callback of this connection begins: what it writes is gathered.
    #[inline(always)]
    pub(crate) fn begin_callback(&mut self, id: Id) {
        self.running = Some(id);
    }

    /// The callback has panicked: what it wrote is dropped.
    pub(crate) fn drop_gathered(&mut self) {
        self.running = None;
        self.gathered.clear();
    }

    /// The callback has returned: sends what it wrote, with all that waited before.
    #[inline(always)]
    pub(crate) fn send_gathered(&mut self, id: Id) {
        self.running = None;
        if let Some(stream) = self.sources.stream_mut(id)
            && stream.can_write_directly()
        {
            let length = self.gathered.len();
            if length == 0 {
                if !stream.drops_oldest() {
                    return;
                }
            } else if stream.takes_at_once(length) {
                return match stream.offer(&self.gathered) {
                    Ok(()) => self.gathered.clear(),
                    Err(result) => self.not_all_sent(id, result),
                };
            }
        }
        self.not_all_sent(id, Ok(0));
    }

    /// The socket took only the first `count` bytes of what was gathered.
    #[inline(never)]
    fn not_all_sent(&mut self, id: Id, result: io::Result<usize>) {
        match result {
            Ok(count) => {
                self.gathered.drain(..count);
                self.running = Some(id);
                self.push_gathered(id, &[]);
                self.running = None;
                if let Some(stream) = self.sources.stream_mut(id) {
                    stream.end_piece();
                }
                self.flush(id);
            }
            Err(error) => {
                self.gathered.clear();
                self.break_off(id, error.into());
            }
        }
    }
}
