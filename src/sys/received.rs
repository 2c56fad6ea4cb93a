//! The result of a read with descriptors.

use crate::sys::OwnedFd;

/// The maximum number of descriptors in one message (SCM_MAX_FD, unix(7)).
pub(crate) const MOST: usize = 253;

/// The result of a [read with descriptors](crate::backend::StreamBackend::read_with_descriptors).
#[derive(Debug, Default)]
pub struct ReceivedMessage {
    /// The number of bytes.
    pub count: usize,
    /// The descriptors that came with them.
    pub descriptors: Vec<OwnedFd>,
    /// Further descriptors came and were closed (MSG_CTRUNC, recv(2)): they were not to be taken, or the
    /// process has reached its limit.
    pub cut: bool,
    /// More than bytes came. Such a read stops behind the message that carried it, even if more bytes have
    /// arrived.
    pub stopped: bool,
}
