//! Pseudo-terminals of processes: the master side is ours, and the other is the process's.

use crate::sys::OwnedFd;
use crate::sys::backend::StreamSocket;
use crate::sys::stream::SystemPipes;
use crate::values::process::WindowSize;
use mio::Registry;
use pty_process::{Error, Size, blocking};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::fchown;
use std::process::{Child, Command};
use std::rc::{Rc, Weak};

/// The master side, as long as a pipe has it open. A copy in another place would delay the hang-up.
#[derive(Debug, Default)]
pub(super) struct Terminal([Weak<File>; 2]);

/// Starts a process in a session of its own, on a new terminal. Returns the master side.
pub(super) fn spawn(
    command: &mut Command,
    user: Option<u32>,
    size: WindowSize,
) -> io::Result<(Child, OwnedFd)> {
    // The crate keeps the terminal's number in the command, which can therefore be started once.
    let name = Command::new(command.get_program());
    let command = blocking::Command::from(std::mem::replace(command, name));
    let (master, slave) = blocking::open().map_err(cause)?;
    master.resize(Size::new(size.rows, size.columns)).map_err(cause)?;
    if user.is_some() {
        // As login(1) does, so that the process can open it by its name.
        fchown(slave.as_fd(), user, None)?;
    }
    let child = command.spawn(slave).map_err(cause)?;
    Ok((child, master.into()))
}

/// Makes streams of the master side, as standard input and output of a process.
pub(super) fn pipes(
    poll: &Rc<Registry>,
    master: OwnedFd,
) -> io::Result<(Terminal, [Option<StreamSocket>; 3])> {
    let (stdin, input) = SystemPipes::terminal(poll, None, Some(master.try_clone()?))?;
    let (stdout, output) = SystemPipes::terminal(poll, Some(master), None)?;
    Ok((
        Terminal([input, output]),
        [Some(stdin), Some(stdout), None].map(|pipe| pipe.map(StreamSocket::new)),
    ))
}

impl Terminal {
    pub(super) fn set_window_size(&self, size: WindowSize) -> io::Result<()> {
        let Some(file) = self.0.iter().find_map(Weak::upgrade) else {
            let text = "it has no open pseudo-terminal";
            return Err(io::Error::new(ErrorKind::NotConnected, text));
        };
        let pixels = 0; // Not known.
        let size = Winsize {
            ws_row: size.rows,
            ws_col: size.columns,
            ws_xpixel: pixels,
            ws_ypixel: pixels,
        };
        Ok(tcsetwinsize(&*file, size)?)
    }
}

fn cause(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::Rustix(error) => error.into(),
        #[allow(unreachable_patterns)] // Its feature `async` has more.
        error => io::Error::other(error),
    }
}
