//! The gallery: famous faults of event loops, each in a broken and in a cured form.
//!
//! Each file in `src/exhibits/` is one fault. Its head says what one sees, why it happens, the cure, and where it was
//! reported. The broken form is either a small loop on mio (`src/small_loop.rs`) or code that uses Ropewalk wrongly; the
//! cured form runs on Ropewalk. Both show lines in the form of Ropewalk's journal.

mod exhibits;
mod on_ropewalk;
mod shown;
mod small_loop;

pub use exhibits::EXHIBITS;
pub use shown::{Line, Shown};

use std::error::Error;

/// The result of a run.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// One fault, in both forms.
#[derive(Debug)]
pub struct Exhibit {
    /// The name on the command line, and of the file.
    pub name: &'static str,
    /// The fault, in one sentence.
    pub about: &'static str,
    /// A public issue about it: the repository, the number, and the title.
    pub issue: &'static str,
    pub(crate) broken: fn() -> Result<Shown>,
    pub(crate) cured: fn() -> Result<Shown>,
}

impl Exhibit {
    /// Runs it in one form. This takes at most a few seconds.
    ///
    /// # Errors
    ///
    /// If the system refuses a socket, a file or a limit.
    pub fn run(&self, form: Form) -> Result<Shown> {
        match form {
            Form::Broken => (self.broken)(),
            Form::Cured => (self.cured)(),
        }
    }

    /// Returns the exhibit with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        EXHIBITS.iter().find(|exhibit| exhibit.name == name)
    }
}

/// The form of an exhibit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// With the fault.
    Broken,
    /// Without the fault.
    Cured,
}

impl Form {
    /// Both, in the order in which they are shown.
    pub const BOTH: [Self; 2] = [Self::Broken, Self::Cured];

    /// Returns its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Cured => "cured",
        }
    }
}
