//! What a server has to say.

use std::fmt;
use std::io::{self, Write};

/// Prints a line. A server lives on when nobody reads its stdout any more (`| head -1`).
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}
