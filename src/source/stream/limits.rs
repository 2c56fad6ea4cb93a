//! How much may wait to be sent, and what the protocol knows of it. Floor 0.

use crate::values::slow_reader::SlowReader;

/// Where gathering ends to pay, in bytes. A system call that is saved is worth the copying of about
/// this much; from here on a write goes to the socket directly, with what waited before it.
pub(crate) const GATHER: usize = 16 * 1024;

/// asyncio's high-water mark, in bytes; its low mark is a quarter of it.
const HIGH_WATER: usize = 64 * 1024;

/// How many bytes may wait when more is written, unless set: generous, and far from all memory.
const WRITE_LIMIT: usize = 64 * 1024 * 1024;

/// The marks on the descriptors that wait, below [`WAITING`](crate::source::fd_passing::WAITING). Bytes are no
/// measure for them: one byte is enough to pass a descriptor.
const DESCRIPTORS_HIGH: usize = 256;
const DESCRIPTORS_LOW: usize = DESCRIPTORS_HIGH / 4;

/// How many bytes may wait to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Above so many the protocol is told to pause writing.
    high_water: usize,
    /// At so many or fewer it is told to resume.
    low_water: usize,
    /// A write that finds more than this ends the connection, whatever else is chosen.
    write_limit: usize,
    /// Up to so many nothing has to be looked at: none of the limits is reached. Zero where each
    /// write has to be looked at.
    pub(super) gather: usize,
    /// Whether each write has to be looked at.
    check_each_write: bool,
    /// The limit of [`SlowReader::Disconnect`], else none. Kept apart from the policy, which would take eight bytes
    /// of every connection for its kind.
    disconnect_at: usize,
    disconnects: bool,
    /// The policy is [`SlowReader::Pause`].
    pauses: bool,
}

impl Limits {
    pub(crate) fn set_marks(&mut self, high: usize, low: usize) {
        (self.high_water, self.low_water) = (high, low.min(high));
        self.update();
    }

    pub(crate) fn set_write_limit(&mut self, bytes: usize) {
        self.write_limit = bytes;
        self.update();
    }

    pub(crate) fn set_slow_reader(&mut self, slow_reader: SlowReader) {
        (self.disconnects, self.disconnect_at) = match slow_reader {
            SlowReader::Disconnect(bytes) => (true, bytes),
            SlowReader::Pause | SlowReader::DropOldest(_) => (false, usize::MAX),
        };
        self.pauses = slow_reader == SlowReader::Pause;
        self.update();
    }

    /// A write that finds more than this ends the connection.
    pub(crate) fn most(&self) -> usize {
        self.disconnect_at.min(self.write_limit)
    }

    /// Whether the marks on bytes call `pause_writing` and `resume_writing`.
    fn uses_marks(&self) -> bool {
        self.pauses
    }

    /// Whether a connection on which too much waits ends, without a call of `pause_writing` before.
    pub(crate) fn disconnects(&self) -> bool {
        self.disconnects
    }

    /// Whether more waits than a high-water mark that calls `pause_writing`.
    pub(super) fn is_above(&self, bytes: usize, descriptors: usize) -> bool {
        self.uses_marks() && bytes > self.high_water
            // Descriptors are never dropped, so their mark counts where bytes are dropped, too.
            || !self.disconnects() && descriptors > DESCRIPTORS_HIGH
    }

    /// Whether no more waits than each low-water mark whose high-water mark calls `pause_writing`.
    pub(super) fn is_below(&self, bytes: usize, descriptors: usize) -> bool {
        (bytes <= self.low_water || !self.uses_marks())
            && (descriptors <= DESCRIPTORS_LOW || self.disconnects())
    }

    /// Sets whether each write has to be looked at.
    pub(crate) fn set_check_each_write(&mut self, check_each_write: bool) {
        self.check_each_write = check_each_write;
        self.update();
    }

    fn update(&mut self) {
        let gather = GATHER.min(self.high_water).min(self.most());
        self.gather = if self.check_each_write { 0 } else { gather };
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            high_water: HIGH_WATER,
            low_water: HIGH_WATER / 4,
            write_limit: WRITE_LIMIT,
            gather: GATHER,
            check_each_write: false,
            disconnect_at: usize::MAX,
            disconnects: false,
            pauses: true,
        }
    }
}

/// What the protocol knows of the marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flow {
    /// There is nothing to know: no more waits than the high-water mark.
    #[default]
    Even,
    /// More waited, though it may have been sent since: a protocol that saw it and stopped of itself
    /// has to hear that it may go on. So it is told to pause, and then to resume.
    Crossed,
    /// It was told to pause writing, and not yet to resume.
    Paused,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_gathered_stays_below_every_limit_whenever_it_is_set() {
        let mut limits = Limits::default();
        assert_eq!(limits.gather, GATHER);
        limits.set_marks(5000, 9000);
        assert_eq!((limits.low_water, limits.gather), (5000, 5000));
        limits.set_write_limit(4000);
        assert_eq!((limits.most(), limits.gather), (4000, 4000));
        limits.set_slow_reader(SlowReader::Disconnect(3000));
        assert_eq!((limits.most(), limits.gather), (3000, 3000));
        limits.set_slow_reader(SlowReader::Disconnect(6000));
        assert_eq!((limits.most(), limits.gather), (4000, 4000), "the write limit holds as well");
        limits.set_check_each_write(true);
        assert_eq!(limits.gather, 0);
        limits.set_write_limit(WRITE_LIMIT);
        assert_eq!(limits.gather, 0, "still closely");
        limits.set_check_each_write(false);
        assert_eq!(limits.gather, 5000);
        limits.set_slow_reader(SlowReader::Disconnect(10));
        assert_eq!(limits.gather, 10);
    }

    #[test]
    fn the_marks_are_crossed_by_one_byte_or_one_descriptor_more() {
        let mut limits = Limits::default();
        limits.set_marks(100, 10);
        assert!(!limits.is_above(100, 256));
        assert!(limits.is_above(101, 0) && limits.is_above(0, 257));
        assert!(limits.is_below(10, 64));
        assert!(!limits.is_below(11, 0) && !limits.is_below(0, 65));
        // Bytes are dropped then, descriptors are not.
        limits.set_slow_reader(SlowReader::DropOldest(50));
        assert!(!limits.is_above(101, 256) && limits.is_above(0, 257));
        assert!(limits.is_below(101, 64) && !limits.is_below(0, 65));
        limits.set_slow_reader(SlowReader::Disconnect(50));
        assert!(!limits.is_above(101, 257) && limits.is_below(101, 65));
    }
}
