//! Limits on queued data, and the state of their notifications.

use crate::values::slow_reader::SlowReader;

/// The size up to which writes are gathered, in bytes. Saving a system call is worth about this much copying; a
/// longer write goes to the socket at once, together with the data queued before it.
pub(crate) const GATHER: usize = 16 * 1024;

/// The default high-water mark, in bytes: asyncio's. The low-water mark is a quarter of it.
const HIGH_WATER: usize = 64 * 1024;

/// The default limit on queued bytes when more is written: generous, and far below the memory of a machine.
const WRITE_LIMIT: usize = 64 * 1024 * 1024;

/// The marks on queued descriptors, below [`MAX_QUEUED`](crate::source::fd_passing::MAX_QUEUED). Marks on bytes do
/// not limit them: one byte is enough to pass a descriptor.
const DESCRIPTORS_HIGH: usize = 256;
const DESCRIPTORS_LOW: usize = DESCRIPTORS_HIGH / 4;

/// The limits on queued data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Above this number of bytes the protocol is notified to pause writing.
    high_water: usize,
    /// At this number of bytes or fewer it is notified to resume.
    low_water: usize,
    /// A write that finds more queued bytes than this ends the connection, whatever the policy.
    write_limit: usize,
    /// Up to this number of bytes no check is needed: no limit is reached. Zero if each write is checked.
    pub(super) gather: usize,
    /// True if each write is checked.
    check_each_write: bool,
    /// The limit of [`SlowReader::Disconnect`], else `usize::MAX`. Stored apart from the policy: its
    /// discriminant would take eight bytes of every connection.
    pub(super) disconnect_at: usize,
    disconnects: bool,
    /// True if the policy is [`SlowReader::Pause`]: the marks on bytes call `pause_writing` and `resume_writing`.
    pauses: bool,
}

impl Limits {
    pub(crate) fn set_marks(&mut self, high: usize, low: usize) {
        (self.high_water, self.low_water) = (high, low.min(high));
        self.update();
    }

    /// Returns the high-water and the low-water mark.
    pub(crate) fn marks(&self) -> (usize, usize) {
        (self.high_water, self.low_water)
    }

    pub(crate) fn write_limit(&self) -> usize {
        self.write_limit
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

    /// Returns the number of queued bytes above which a write ends the connection.
    pub(crate) fn most(&self) -> usize {
        self.disconnect_at.min(self.write_limit)
    }

    /// Returns true if too much queued data ends the connection, without a call of `pause_writing` before.
    pub(crate) fn disconnects(&self) -> bool {
        self.disconnects
    }

    /// Returns true if more is queued than a high-water mark that calls `pause_writing`.
    pub(super) fn is_above(&self, bytes: usize, descriptors: usize) -> bool {
        self.pauses && bytes > self.high_water
            // Descriptors are never dropped, so their mark also applies if bytes are dropped.
            || !self.disconnects() && descriptors > DESCRIPTORS_HIGH
    }

    /// Returns true if no more is queued than each low-water mark that calls `resume_writing`.
    pub(super) fn is_below(&self, bytes: usize, descriptors: usize) -> bool {
        (bytes <= self.low_water || !self.pauses)
            && (descriptors <= DESCRIPTORS_LOW || self.disconnects())
    }

    /// Sets whether each write is checked.
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

/// The state of the notifications about the marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flow {
    /// No notification is due: no more is queued than the high-water mark.
    #[default]
    Even,
    /// The high-water mark was exceeded, and the protocol was not notified yet. It is notified to pause and
    /// then to resume, even if the data has been sent since: a protocol that has noticed the crossing itself
    /// and stopped writing needs the call to resume.
    Crossed,
    /// The protocol was notified to pause writing, and not yet to resume.
    Paused,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gathered_data_stays_below_every_limit() {
        let mut limits = Limits::default();
        assert_eq!(limits.gather, GATHER);
        limits.set_marks(5000, 9000);
        assert_eq!((limits.low_water, limits.gather), (5000, 5000));
        limits.set_write_limit(4000);
        assert_eq!((limits.most(), limits.gather), (4000, 4000));
        limits.set_slow_reader(SlowReader::Disconnect(3000));
        assert_eq!((limits.most(), limits.gather), (3000, 3000));
        limits.set_slow_reader(SlowReader::Disconnect(6000));
        assert_eq!((limits.most(), limits.gather), (4000, 4000), "the write limit also applies");
        limits.set_check_each_write(true);
        assert_eq!(limits.gather, 0);
        limits.set_write_limit(WRITE_LIMIT);
        assert_eq!(limits.gather, 0, "each write is still checked");
        limits.set_check_each_write(false);
        assert_eq!(limits.gather, 5000);
        limits.set_slow_reader(SlowReader::Disconnect(10));
        assert_eq!(limits.gather, 10);
    }

    #[test]
    fn one_byte_or_descriptor_more_crosses_the_marks() {
        let mut limits = Limits::default();
        limits.set_marks(100, 10);
        assert!(!limits.is_above(100, 256));
        assert!(limits.is_above(101, 0) && limits.is_above(0, 257));
        assert!(limits.is_below(10, 64));
        assert!(!limits.is_below(11, 0) && !limits.is_below(0, 65));
        // Bytes are dropped with this policy, descriptors are not.
        limits.set_slow_reader(SlowReader::DropOldest(50));
        assert!(!limits.is_above(101, 256) && limits.is_above(0, 257));
        assert!(limits.is_below(101, 64) && !limits.is_below(0, 65));
        limits.set_slow_reader(SlowReader::Disconnect(50));
        assert!(!limits.is_above(101, 257) && limits.is_below(101, 65));
    }
}
