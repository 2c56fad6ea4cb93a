//! Files to serve.

use std::fs::File;
use std::io;
use std::path::Path;

/// Opens a regular file for reading. It never blocks; open(2) of a FIFO without a writer would.
///
/// # Errors
///
/// Fails if open(2) fails, or if `path` is no regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NONBLOCK);
    }
    let file = options.open(path)?;
    match file.metadata()?.file_type() {
        kind if kind.is_file() => Ok(file),
        kind if kind.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        _ => Err(io::Error::other("not a regular file")),
    }
}
