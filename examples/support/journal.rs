//! `--journal FILE`: the journals of a program's reactors, in files.

use crate::Failure;
use crate::output::say;
use ropewalk::{Reactor, ReactorGroup};
use ropewalk_journal::JournalFile;
use std::path::{Path, PathBuf};

/// Writes the journal of a reactor to a file.
///
/// # Errors
///
/// Fails if the file cannot be created.
pub fn write_journal(reactor: &mut Reactor, path: &Path) -> Result<(), Failure> {
    reactor.add_observer(JournalFile::create(path)?);
    say_how_to_read(path);
    Ok(())
}

/// Writes the journals of a group's reactors to a file each: the first to `path`, the others to the path with their
/// index, such as `FILE.1`.
///
/// # Errors
///
/// Fails if a file cannot be created.
pub fn write_journals(group: &mut ReactorGroup, path: &Path) -> Result<(), Failure> {
    let first = path.to_owned();
    let created = group.each(move |member| {
        let path = match member.index() {
            0 => first.clone(),
            index => {
                let mut name = first.clone().into_os_string();
                name.push(format!(".{index}"));
                PathBuf::from(name)
            }
        };
        member.add_observer(JournalFile::create(path)?);
        Ok::<_, std::io::Error>(())
    });
    created.into_iter().collect::<Result<(), _>>()?;
    say_how_to_read(path);
    Ok(())
}

fn say_how_to_read(path: &Path) {
    let path = path.display();
    say(format_args!("the journal is {path}; to read it: cargo run -p ropewalk-journal -- {path}"));
}
