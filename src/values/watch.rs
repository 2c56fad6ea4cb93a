//! The interest of a watcher, and the readiness of the descriptor that it watches.

/// What a descriptor is watched for.
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
    /// Returns true if it includes reading.
    pub fn wants_readable(self) -> bool {
        matches!(self, Self::Readable | Self::Both)
    }

    /// Returns true if it includes writing.
    pub fn wants_writable(self) -> bool {
        matches!(self, Self::Writable | Self::Both)
    }
}

/// What a descriptor is ready for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// A read would not block.
    pub readable: bool,
    /// A write would not block.
    pub writable: bool,
}
