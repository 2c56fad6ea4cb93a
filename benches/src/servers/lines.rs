//! Line splitting, for servers with a library that delivers bytes only.

/// The received part of an incomplete line.
#[derive(Debug, Default)]
pub(super) struct Lines {
    unfinished: Vec<u8>,
}

impl Lines {
    /// Calls `forward` once with all lines that `data` completes, unchanged, if there are any. The
    /// rest is kept.
    pub(super) fn cut(&mut self, data: &[u8], forward: impl FnOnce(&[u8])) {
        let Some(last) = data.iter().rposition(|&byte| byte == b'\n') else {
            self.unfinished.extend_from_slice(data);
            return;
        };
        let (whole, rest) = data.split_at(last + 1);
        if self.unfinished.is_empty() {
            forward(whole);
        } else {
            self.unfinished.extend_from_slice(whole);
            forward(&self.unfinished);
            self.unfinished.clear();
        }
        self.unfinished.extend_from_slice(rest);
    }

    /// Returns true if no line has begun.
    pub(super) fn is_empty(&self) -> bool {
        self.unfinished.is_empty()
    }
}
