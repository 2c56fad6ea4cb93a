//! Watches: descriptors that the user reads and writes.

use crate::sys::WatchBackend;
use crate::values::watch::{Interest, Ready};
use std::io;

/// A watched descriptor.
///
/// The poll reports changes only (it is edge-triggered). Users of a watch expect callbacks as long as the
/// descriptor is ready, and read as much as they like. So an event is a hint: the descriptor is polled before
/// each callback and once after, and is queued again as long as it is ready.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) descriptor: Box<dyn WatchBackend>,
    pub(crate) interest: Interest,
}

impl Watch {
    pub(crate) fn ready(&self) -> io::Result<Ready> {
        self.descriptor.ready(self.interest)
    }
}
