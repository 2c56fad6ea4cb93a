//! Journals of [Ropewalk](ropewalk)'s reactors in files.
//!
//! Every reactor keeps a [journal](ropewalk::journal::Journal): a ring of records of what it did last. This crate
//! writes it to files, and reads them:
//!
//! - [`JournalFile`] is an observer that writes all records to a file as they are made.
//! - [`DumpOn`] is an observer that writes the ring to a file when something happens: a turn takes long, a queue grows,
//!   a signal arrives, a callback panics, or the program marks the place.
//! - The module `reading` (with the feature `reading`) and the program `ropewalk-journal` show a file as text,
//!   in sentences, as statistics, and in the formats of other tools.
//!
//! ```
//! use ropewalk::Reactor;
//! use ropewalk_journal::JournalFile;
//!
//! let path = std::env::temp_dir().join("ropewalk-journal-crate.journal");
//! let mut reactor = Reactor::new()?;
//! reactor.add_observer(JournalFile::create(&path)?);
//! reactor.turn(Some(std::time::Duration::ZERO))?;
//! drop(reactor);
//! assert!(std::fs::read(&path)?.starts_with(b"ropewalk journal"));
//! # std::fs::remove_file(&path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod dump;
mod file;
#[cfg(feature = "reading")]
pub mod reading;

pub use dump::DumpOn;
pub use file::JournalFile;

/// The chapter of the book, whose code is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/journal.md")]
struct Chapter;

/// The target of the logs.
const TARGET: &str = "ropewalk::journal";
