//! Output: results on stdout, progress on stderr.

use std::error::Error;
use std::fmt;
use std::io::{self, Write, stderr, stdout};

/// A failed write to stdout.
#[derive(Debug)]
struct Failed(io::Error);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write to the output: {}", self.0)
    }
}

impl Error for Failed {}

/// Prints on stdout.
pub(crate) fn show(text: fmt::Arguments<'_>) -> io::Result<()> {
    let mut stdout = stdout().lock();
    let shown = stdout.write_fmt(text).and_then(|()| stdout.flush());
    shown.map_err(|error| io::Error::new(error.kind(), Failed(error)))
}

/// Prints on stderr. Errors are ignored, since progress is not worth a failure.
pub(crate) fn complain(text: fmt::Arguments<'_>) {
    let _ = stderr().write_fmt(text);
}

/// Returns true if the reader of stdout has closed it (`| head -1`).
pub(crate) fn is_closed(error: &(dyn Error + 'static)) -> bool {
    let Some(error) = error.downcast_ref::<io::Error>() else {
        return false;
    };
    let of_output = error.get_ref().is_some_and(|inner| inner.is::<Failed>());
    of_output && error.kind() == io::ErrorKind::BrokenPipe
}
