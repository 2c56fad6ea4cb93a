//! Watches: descriptors that are read and written by others. Floor 1.

use crate::world::{Descriptor, Ready};
use std::io;

/// For what a descriptor is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "addReader")]
#[doc(alias = "addWriter")]
pub enum Interest {
    /// For nothing, for the time being.
    Nothing,
    /// For something to read; the end and an error count, too.
    Readable,
    /// For room to write; an error counts, too.
    Writable,
    /// For both.
    Both,
}

impl Interest {
    pub(crate) fn wants_readable(self) -> bool {
        matches!(self, Self::Readable | Self::Both)
    }

    pub(crate) fn wants_writable(self) -> bool {
        matches!(self, Self::Writable | Self::Both)
    }
}

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
