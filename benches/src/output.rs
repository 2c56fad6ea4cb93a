//! What is printed: results on stdout, and how far it is on stderr.

use std::error::Error;
use std::fmt;
use std::io::{self, Write, stderr, stdout};

/// Stdout takes no more.
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

/// Prints on stderr. An error is ignored: progress is not worth stopping for.
pub(crate) fn complain(text: fmt::Arguments<'_>) {
    let _ = stderr().write_fmt(text);
}

/// Whether the reader of stdout has seen enough (`| head -1`).
pub(crate) fn is_closed(error: &(dyn Error + 'static)) -> bool {
    let Some(error) = error.downcast_ref::<io::Error>() else {
        return false;
    };
    let of_output = error.get_ref().is_some_and(|inner| inner.is::<Failed>());
    of_output && error.kind() == io::ErrorKind::BrokenPipe
}
