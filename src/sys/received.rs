//! The result of a read with descriptors.

use crate::sys::OwnedFd;

/// The maximum number of descriptors in one message (SCM_MAX_FD, unix(7)).
pub(crate) const MAX_DESCRIPTORS: usize = 253;

/// The result of a [read with descriptors](crate::backend::StreamBackend::read_with_descriptors).
#[derive(Debug, Default)]
pub struct ReceivedMessage {
    /// The number of bytes.
    pub count: usize,
    /// The descriptors received with them.
    pub descriptors: Vec<OwnedFd>,
    /// True if further descriptors were closed (MSG_CTRUNC, recv(2)): they were not requested, or the process
    /// has reached its limit.
    pub cut: bool,
    /// True if more than bytes was received. Such a read stops behind the message that carried it, even if more
    /// bytes have arrived.
    pub stopped: bool,
}
