//! What stands between two lines.

use memchr::{memchr, memchr_iter};
use std::borrow::Cow;

/// What ends a line.
///
/// ```
/// use ropewalk_protocols::Delimiter;
///
/// // Records that end in a zero byte.
/// let delimiter = Delimiter::new(b"\0");
/// assert_eq!(delimiter.as_bytes(), b"\0");
/// assert_eq!(Delimiter::default(), Delimiter::NEWLINE);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delimiter {
    /// Never empty.
    bytes: Cow<'static, [u8]>,
    /// A CR before it belongs to it, if there is one.
    takes_cr: bool,
}

impl Delimiter {
    /// CR LF, as most Internet protocols have it, and nothing else: a CR or an LF alone is part of
    /// the line. It is Twisted's default.
    pub const CRLF: Self = Self { bytes: Cow::Borrowed(b"\r\n"), takes_cr: false };

    /// LF, or CR LF: what people and programs send who did not read the specification. An LF is
    /// sent. It is the default, so that a first server understands whatever client is at hand.
    ///
    /// Where two programs must agree to the byte what a line is, a mail relay and the next one say,
    /// do not be lenient: take [`CRLF`](Self::CRLF).
    pub const NEWLINE: Self = Self { bytes: Cow::Borrowed(b"\n"), takes_cr: true };

    /// Exactly these bytes.
    ///
    /// # Panics
    ///
    /// If there are none: lines without end have no end.
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref().to_vec();
        assert!(!bytes.is_empty(), "a delimiter has at least one byte");
        Self { bytes: Cow::Owned(bytes), takes_cr: false }
    }

    /// What is sent after a line.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where the line at the beginning of `data` ends, and where the next one begins. None ends in
    /// the first `searched` bytes: that was looked for before.
    pub(super) fn find(&self, data: &[u8], searched: usize) -> Option<(usize, usize)> {
        // Its last byte is looked for, and only then the others before it: so nothing of what was
        // searched is searched again, wherever the pieces in which it came had cut it.
        let next = memchr_iter(self.last(), &data[searched..])
            .map(|index| searched + index + 1)
            .find(|&next| data[..next].ends_with(&self.bytes))?;
        let end = next - self.bytes.len();
        let cr = self.takes_cr && data[..end].ends_with(b"\r");
        Some((end - usize::from(cr), next))
    }

    /// How much of `data` can be taken without going beyond the end of a line.
    pub(super) fn first_possible_end(&self, data: &[u8]) -> usize {
        memchr(self.last(), data).map_or(data.len(), |index| index + 1)
    }

    /// Whether `unfinished`, in which no line ends, may still become a line of at most `max` bytes:
    /// what is beyond them may be the beginning of the delimiter.
    pub(super) fn may_end_within(&self, max: usize, unfinished: &[u8]) -> bool {
        let whole: &[u8] = if self.takes_cr { b"\r\n" } else { &self.bytes };
        let first = unfinished.len().saturating_sub(whole.len() - 1);
        unfinished.len() <= max
            || (first..=max).any(|begin| whole.starts_with(&unfinished[begin..]))
    }

    /// How many bytes at the end of what is skipped may belong to a delimiter that is not complete.
    pub(super) fn longest_beginning(&self) -> usize {
        self.bytes.len() - 1
    }

    fn last(&self) -> u8 {
        *self.bytes.last().expect("`new` takes none that is empty")
    }
}

impl Default for Delimiter {
    fn default() -> Self {
        Self::NEWLINE
    }
}
