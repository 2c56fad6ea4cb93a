//! Options of the file that is the name of a Unix socket.

/// What becomes of the file that a bound socket has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileOptions {
    /// As the umask has it, if there is none.
    pub(crate) mode: Option<u32>,
    /// It stays when the socket is closed.
    pub(crate) keep: bool,
}

impl FileOptions {
    pub(crate) const fn new() -> Self {
        Self { mode: None, keep: false }
    }
}
