//! Watches: descriptors that are read and written by others. Floor 1.

use crate::sys::watch::Interest;
use crate::sys::{Descriptor, Ready};
use std::io;

/// A descriptor that is watched.
///
/// The poll tells of changes only (it is edge-triggered). Those who watch a descriptor expect to hear
/// of it as long as it is ready, and read as much as they like. So what the poll tells is a hint to
/// ask the descriptor, before each callback and once after; it is listed again as long as it is ready.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) descriptor: Descriptor,
    pub(crate) interest: Interest,
}

impl Watch {
    pub(crate) fn ready(&self) -> io::Result<Ready> {
        self.descriptor.ready(self.interest)
    }
}
