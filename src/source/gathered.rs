//! The buffer of gathered bytes: what the running callback writes to its own connection.

use crate::source::stream::GATHER;

/// The bytes that the running callback has written.
pub(crate) struct Gathered {
    /// Always `GATHER` bytes long, so that a write is a check and a copy.
    bytes: Vec<u8>,
    length: usize,
}

impl Gathered {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; GATHER], length: 0 }
    }

    /// Appends `data`, if there is space for it. Returns false if there is not.
    #[inline]
    pub(crate) fn push(&mut self, data: &[u8]) -> bool {
        let end = self.length + data.len();
        let Some(space) = self.bytes.get_mut(self.length..end) else {
            return false;
        };
        self.length = end; // Before the copy, so that the copy is a tail call.
        space.copy_from_slice(data);
        true
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    #[inline(always)]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.length = 0;
    }

    /// Takes the buffer out, and puts an empty one without memory in its place, which accepts nothing.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self { bytes: Vec::new(), length: 0 })
    }
}
