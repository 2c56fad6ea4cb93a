//! Standard input and output, which the process shares with its parent and its children.

use crate::sys::{OwnedFd, process_id};
use rustix::stdio;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;

/// Standard input or output while a stream uses a copy of it. When this is dropped, the null device takes its
/// place: closing only the copy would not tell the other side, and a closed number would be given to the next
/// file that the process opens.
#[derive(Debug)]
pub(super) struct Standard {
    which: Which,
    /// The process that took it. A child of fork(2) that drops its copy keeps its standard input and output.
    process: u32,
}

#[derive(Clone, Copy, Debug)]
enum Which {
    Input,
    Output,
}

/// Returns copies of both.
pub(super) fn copies() -> io::Result<[(OwnedFd, Standard); 2]> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    let standard = |which| Standard { which, process: process_id() };
    Ok([(input, standard(Which::Input)), (output, standard(Which::Output))])
}

impl Drop for Standard {
    fn drop(&mut self) {
        if self.process != process_id() {
            return;
        }
        let replaced = match self.which {
            Which::Input => File::open("/dev/null").and_then(|null| Ok(stdio::dup2_stdin(null)?)),
            Which::Output => File::options()
                .write(true)
                .open("/dev/null")
                .and_then(|null| Ok(stdio::dup2_stdout(null)?)),
        };
        if let Err(error) = replaced {
            log::warn!(target: crate::values::logging::REACTOR, "standard {:?} stays open: {error}", self.which);
        }
    }
}
