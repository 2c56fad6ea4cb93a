//! A file that receives all records.

use crate::TARGET;
use log::error;
use ropewalk::journal::{Cursor, Journal, Observer};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// An observer that writes all records of its reactor to a file.
///
/// The records of a turn are appended when it ends, with one write. The reactor waits for it. A [buffer](Self::buffered)
/// makes the writes fewer. A turn that makes more records than the journal keeps (4,096 by default) leaves a record
/// that says how many are missing.
///
/// If a write fails, an error is logged, and nothing more is written: a full disk does not end the program.
///
/// ```
/// use ropewalk::Reactor;
/// use ropewalk_journal::JournalFile;
///
/// let path = std::env::temp_dir().join("ropewalk-journal-file.journal");
/// let mut reactor = Reactor::new()?;
/// reactor.add_observer(JournalFile::create(&path)?.buffered(64 * 1024));
/// # drop(reactor);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct JournalFile {
    path: PathBuf,
    /// `None` after a write has failed.
    file: Option<File>,
    cursor: Cursor,
    buffer: Vec<u8>,
    /// The number of bytes that the buffer holds before it is written.
    size: usize,
}

impl JournalFile {
    /// Creates the file. An existing one is replaced.
    ///
    /// # Errors
    ///
    /// If the file cannot be created. The error names it.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        let file = File::create(&path).map_err(|cause| failed("create", &path, &cause))?;
        Ok(Self { path, file: Some(file), cursor: Cursor::default(), buffer: Vec::new(), size: 0 })
    }

    /// Writes when this number of bytes has been recorded, and at the end, and not at the end of each turn. If the
    /// process is killed, what the buffer holds is lost.
    #[must_use]
    pub fn buffered(mut self, bytes: usize) -> Self {
        self.size = bytes;
        self
    }

    fn write(&mut self) {
        let Some(file) = &mut self.file else { return };
        if let Err(cause) = file.write_all(&self.buffer) {
            let failure = failed("write", &self.path, &cause);
            error!(target: TARGET, "{failure}; the journal in it ends here");
            self.file = None;
        }
        self.buffer.clear();
    }
}

impl Observer for JournalFile {
    fn turn_ended(&mut self, journal: &Journal) {
        if self.file.is_some() {
            journal.encode(&mut self.cursor, &mut self.buffer);
            if self.buffer.len() >= self.size {
                self.write();
            }
        }
    }
}

impl Drop for JournalFile {
    fn drop(&mut self) {
        self.write();
    }
}

/// Returns an error that names the file.
pub(crate) fn failed(what: &str, path: &Path, cause: &io::Error) -> io::Error {
    io::Error::new(cause.kind(), format!("cannot {what} {}: {cause}", path.display()))
}
