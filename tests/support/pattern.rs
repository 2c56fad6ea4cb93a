//! Test data.

/// Returns bytes in which a loss, a repetition or a swap is visible.
pub(crate) fn pattern(count: usize) -> Vec<u8> {
    /// A prime number, so that a lost chunk of a usual size changes the data.
    const PERIOD: usize = 65_537;
    let mut bytes: Vec<u8> = (0..count.min(PERIOD)).map(|n| (n ^ (n >> 8)) as u8).collect();
    while bytes.len() < count {
        bytes.extend_from_within(..PERIOD.min(count - bytes.len()));
    }
    bytes
}
