//! Windows.

/// There is nothing to set.
pub(crate) const FLAGS: i32 = 0;
