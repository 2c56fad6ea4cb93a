//! Records as lines, and the selection of records.

use crate::reading::{Failure, read};
use ropewalk::journal::{Callback, Record, What, short_name};
use std::io::{Read, Write};
use std::time::Duration;

/// A selection of records: those that pass every part that is set. [`Filter::default`] passes all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The socket, as it is printed: `#1.1`.
    pub connection: Option<String>,
    /// The callback, `data_received`, or the type with the callback, `Echo::data_received`.
    pub callback: Option<String>,
    /// The earliest time.
    pub from: Option<Duration>,
    /// The latest time.
    pub to: Option<Duration>,
}

impl Filter {
    /// Returns true if the record is selected.
    pub fn passes(&self, record: &Record<'_>) -> bool {
        let is_of = |wanted: &String| record.id.is_some_and(|id| id.to_string() == *wanted);
        self.from.is_none_or(|from| record.time >= from)
            && self.to.is_none_or(|to| record.time <= to)
            && self.connection.as_ref().is_none_or(is_of)
            && self.callback.as_ref().is_none_or(|wanted| is_call(record, wanted))
    }
}

fn is_call(record: &Record<'_>, wanted: &str) -> bool {
    let (What::Called(callback, _) | What::Panicked(callback)) = record.what else { return false };
    match wanted.rsplit_once("::") {
        Some((name, wanted)) => callback.name() == wanted && short_name(record.name) == name,
        None => callback.name() == wanted,
    }
}

/// Returns the callback with its type: `Echo::data_received`.
pub(crate) fn full_name(record: &Record<'_>, callback: Callback) -> String {
    match record.name {
        "" => callback.name().to_owned(),
        name => format!("{}::{}", short_name(name), callback.name()),
    }
}

/// Writes the selected records as text, one line each. Returns the number of records in the file.
///
/// # Errors
///
/// Those of [`read`].
pub fn write_text(file: impl Read, filter: &Filter, out: &mut impl Write) -> Result<u64, Failure> {
    read(file, |record| if filter.passes(record) { writeln!(out, "{record}") } else { Ok(()) })
}
