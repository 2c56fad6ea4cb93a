//! Terminal modes: keys are received one by one, and the terminal does not echo them.

#[cfg(unix)]
pub(crate) use unix::{Mode, Terminal, columns, on_change};
#[cfg(not(unix))]
pub(crate) use without::{Mode, Terminal, columns, on_change};

#[cfg(unix)]
mod unix {
    use rustix::process::getpgrp;
    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcgetwinsize,
        tcsetattr,
    };
    use signal_hook::consts::{SIGCONT, SIGWINCH};
    use signal_hook::iterator::Signals;
    use std::io::{self, IsTerminal};
    use std::thread;

    /// The value that disables a special key (_POSIX_VDISABLE, termios(3)).
    const OFF: u8 = if cfg!(target_os = "linux") { 0 } else { 0xff };

    /// A terminal that sends each key immediately and does not echo it. Dropping this restores the terminal.
    pub(crate) struct Terminal {
        before: Termios,
        mode: Mode,
    }

    /// The mode of a [`Terminal`].
    #[derive(Clone)]
    pub(crate) struct Mode(Termios);

    impl Terminal {
        /// Sets the terminal's mode. Returns `None` if stdin or stdout is a file or a pipe.
        pub(crate) fn take() -> Option<Self> {
            if !io::stdout().is_terminal() {
                return None;
            }
            let before = tcgetattr(io::stdin()).ok()?;
            let mut now = before.clone();
            // Ctrl-C still sends a signal, which stops the reactor gracefully.
            now.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN;
            // These keys would leave the shell with a terminal without echo.
            now.special_codes[SpecialCodeIndex::VQUIT] = OFF;
            now.special_codes[SpecialCodeIndex::VSUSP] = OFF;
            now.special_codes[SpecialCodeIndex::VMIN] = 1;
            now.special_codes[SpecialCodeIndex::VTIME] = 0;
            tcsetattr(io::stdin(), OptionalActions::Now, &now).ok()?;
            Some(Self { before, mode: Mode(now) })
        }

        pub(crate) fn mode(&self) -> Mode {
            self.mode.clone()
        }

        /// Returns the shell's mode.
        pub(crate) fn mode_before(&self) -> Mode {
            Mode(self.before.clone())
        }
    }

    impl Drop for Terminal {
        fn drop(&mut self) {
            // It fails if the terminal was closed.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        }
    }

    impl Mode {
        /// Sets this mode again, after the shell has changed it while this process was stopped. Returns false if the
        /// terminal was closed, or if this process is in the background: setting the mode would stop it (SIGTTOU,
        /// termios(3)).
        pub(crate) fn restore(&self) -> bool {
            tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground == getpgrp())
                && tcsetattr(io::stdin(), OptionalActions::Now, &self.0).is_ok()
        }
    }

    /// Calls `changed` on a thread when the window was resized, or when this process continues after a stop.
    pub(crate) fn on_change(changed: impl Fn() + Send + 'static) -> io::Result<()> {
        let mut signals = Signals::new([SIGWINCH, SIGCONT])?;
        thread::spawn(move || signals.forever().for_each(|_| changed()));
        Ok(())
    }

    /// Returns the width of the terminal in columns.
    pub(crate) fn columns() -> usize {
        tcgetwinsize(io::stdout())
            .ok()
            .map(|size| size.ws_col.into())
            .filter(|&columns| columns > 0)
            .unwrap_or(80)
    }
}

/// On other systems, the system's line editing is used.
#[cfg(not(unix))]
mod without {
    use std::io;

    pub(crate) struct Terminal;

    #[derive(Clone)]
    pub(crate) struct Mode;

    impl Terminal {
        pub(crate) fn take() -> Option<Self> {
            None
        }

        pub(crate) fn mode(&self) -> Mode {
            Mode
        }

        pub(crate) fn mode_before(&self) -> Mode {
            Mode
        }
    }

    impl Mode {
        pub(crate) fn restore(&self) -> bool {
            false
        }
    }

    pub(crate) fn on_change(_changed: impl Fn() + Send + 'static) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn columns() -> usize {
        80
    }
}
