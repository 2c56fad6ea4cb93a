//! Delimiters of lines.

use memchr::{memchr, memchr_iter};
use std::borrow::Cow;

/// The delimiter at the end of a line.
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
    /// A preceding CR belongs to the delimiter.
    takes_cr: bool,
}

impl Delimiter {
    /// CR LF, as in most Internet protocols: a CR or an LF alone is part of the line. It is Twisted's default.
    pub const CRLF: Self = Self { bytes: Cow::Borrowed(b"\r\n"), takes_cr: false };

    /// LF or CR LF; an LF is sent. It is the default, since many clients send either.
    ///
    /// Where two programs must agree exactly on the end of a line, for example two mail relays, use
    /// [`CRLF`](Self::CRLF).
    pub const NEWLINE: Self = Self { bytes: Cow::Borrowed(b"\n"), takes_cr: true };

    /// Returns a delimiter of exactly these bytes.
    ///
    /// # Panics
    ///
    /// If it is empty.
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref().to_vec();
        assert!(!bytes.is_empty(), "a delimiter must have at least one byte");
        Self { bytes: Cow::Owned(bytes), takes_cr: false }
    }

    /// Returns the bytes that are sent after a line.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the end of the first line in `data`, and the beginning of the next line. No line ends in the first
    /// `searched` bytes, which were searched before.
    pub(super) fn find(&self, data: &[u8], searched: usize) -> Option<(usize, usize)> {
        // Searches for the last byte of the delimiter, and then compares the bytes before it. So no byte is
        // searched twice, wherever the chunks were cut.
        let next = memchr_iter(self.last(), &data[searched..])
            .map(|index| searched + index + 1)
            .find(|&next| data[..next].ends_with(&self.bytes))?;
        let end = next - self.bytes.len();
        let cr = self.takes_cr && data[..end].ends_with(b"\r");
        Some((end - usize::from(cr), next))
    }

    /// Returns how much of `data` can be taken without going beyond the end of a line.
    pub(super) fn first_possible_end(&self, data: &[u8]) -> usize {
        memchr(self.last(), data).map_or(data.len(), |index| index + 1)
    }

    /// Returns true if `unfinished`, in which no line ends, may still become a line of at most `max` bytes: the
    /// bytes beyond may be the beginning of the delimiter.
    pub(super) fn may_end_within(&self, max: usize, unfinished: &[u8]) -> bool {
        let whole: &[u8] = if self.takes_cr { b"\r\n" } else { &self.bytes };
        let first = unfinished.len().saturating_sub(whole.len() - 1);
        unfinished.len() <= max
            || (first..=max).any(|begin| whole.starts_with(&unfinished[begin..]))
    }

    /// Returns how many bytes at the end of skipped data may belong to an incomplete delimiter.
    pub(super) fn longest_beginning(&self) -> usize {
        self.bytes.len() - 1
    }

    fn last(&self) -> u8 {
        *self.bytes.last().expect("a delimiter is not empty")
    }
}

impl Default for Delimiter {
    fn default() -> Self {
        Self::NEWLINE
    }
}
