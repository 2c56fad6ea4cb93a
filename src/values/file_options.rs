//! Options of the file of a Unix socket.

/// Options of the file of a bound Unix socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileOptions {
    /// The permissions; `None` for those that the umask leaves.
    pub(crate) mode: Option<u32>,
    /// True if the file stays when the socket is closed.
    pub(crate) keep: bool,
}

impl FileOptions {
    pub(crate) const fn new() -> Self {
        Self { mode: None, keep: false }
    }
}
