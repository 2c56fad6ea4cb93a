//! Modes of the terminal: keys are received one by one, and the terminal does not echo them.

use ropewalk_protocols::Screen;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcgetwinsize,
    tcsetattr,
};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

/// The value that disables a special key (_POSIX_VDISABLE, termios(3)).
const OFF: u8 = if cfg!(target_os = "linux") { 0 } else { 0xff };

/// A terminal that sends each key immediately and does not echo it. Dropping this restores the terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// A copy of standard input, which the reactor replaces at the end of the connection.
    file: File,
    before: Termios,
    now: Termios,
}

impl Terminal {
    /// Sets the terminal's mode. Returns `None` if stdin or stdout is a file or a pipe.
    pub(crate) fn take() -> Option<Self> {
        if !io::stdout().is_terminal() {
            return None;
        }
        let file = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
        let before = tcgetattr(&file).ok()?;
        let mut now = before.clone();
        // Ctrl-C still sends a signal, which stops the reactor gracefully.
        now.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN;
        // These keys would leave the shell with a terminal without echo.
        now.special_codes[SpecialCodeIndex::VQUIT] = OFF;
        now.special_codes[SpecialCodeIndex::VSUSP] = OFF;
        now.special_codes[SpecialCodeIndex::VMIN] = 1;
        now.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&file, OptionalActions::Now, &now).ok()?;
        Some(Self { file, before, now })
    }

    /// Sets the mode again, after the shell has changed it while this process was stopped. Returns false if the
    /// terminal was closed, or if this process is in the background: setting the mode would stop it (SIGTTOU,
    /// termios(3)).
    pub(crate) fn set_mode(&self) -> bool {
        set_mode(&self.file, &self.now)
    }

    /// Returns a call that restores the terminal, for a forced end.
    pub(crate) fn restoring(&self) -> impl FnOnce() + Send + 'static {
        let (file, before) = (self.file.try_clone(), self.before.clone());
        move || {
            if let Ok(file) = file {
                restore(&file, &before);
            }
        }
    }

    /// Returns the width of the window in columns.
    pub(crate) fn columns(&self) -> usize {
        let size = tcgetwinsize(&self.file).ok();
        size.map(|size| size.ws_col.into()).filter(|&columns| columns > 0).unwrap_or(80)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore(&self.file, &self.before);
    }
}

fn set_mode(file: &File, mode: &Termios) -> bool {
    let is_in_background = tcgetpgrp(file).is_ok_and(|foreground| foreground != getpgrp());
    !is_in_background && tcsetattr(file, OptionalActions::Now, mode).is_ok()
}

/// Restores the mode, and what a panic of the editor may have left. It fails if the terminal was closed.
fn restore(mut file: &File, before: &Termios) {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(file, PollFlags::OUT)], Some(&now));
    // A terminal that was stopped (Ctrl-S) would block.
    if set_mode(file, before) && ready == Ok(1) {
        let _ = file.write_all(Screen::RESET.as_bytes());
    }
}
