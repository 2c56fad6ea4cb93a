//! The terminal, if there is one: what it takes to draw the line being typed ourselves.

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

    /// What switches a special key off (_POSIX_VDISABLE, termios(3)).
    const OFF: u8 = if cfg!(target_os = "linux") { 0 } else { 0xff };

    /// A terminal that sends every key as it is pressed, and shows nothing by itself. Dropping this
    /// puts it back.
    pub(crate) struct Terminal {
        before: Termios,
        mode: Mode,
    }

    /// How a [`Terminal`] is set.
    #[derive(Clone)]
    pub(crate) struct Mode(Termios);

    impl Terminal {
        /// `None` if the keyboard or the screen is a file or a pipe.
        pub(crate) fn take() -> Option<Self> {
            if !io::stdout().is_terminal() {
                return None;
            }
            let before = tcgetattr(io::stdin()).ok()?;
            let mut now = before.clone();
            // Ctrl-C still makes a signal, which ends the run in order.
            now.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN;
            // These would leave the shell with a terminal that shows nothing.
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

        /// How the shell had set it.
        pub(crate) fn mode_before(&self) -> Mode {
            Mode(self.before.clone())
        }
    }

    impl Drop for Terminal {
        fn drop(&mut self) {
            // If it fails the terminal is gone.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        }
    }

    impl Mode {
        /// Sets the terminal in this mode again: the shell has changed it while this process was
        /// stopped. A process in the background leaves it alone, for it would be stopped again
        /// (SIGTTOU, termios(3)). Returns false if it is one, or if the terminal is gone.
        pub(crate) fn restore(&self) -> bool {
            tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground == getpgrp())
                && tcsetattr(io::stdin(), OptionalActions::Now, &self.0).is_ok()
        }
    }

    /// Calls `changed` on a thread of its own when the window has another size, or this process
    /// continues after it was stopped.
    pub(crate) fn on_change(changed: impl Fn() + Send + 'static) -> io::Result<()> {
        let mut signals = Signals::new([SIGWINCH, SIGCONT])?;
        thread::spawn(move || signals.forever().for_each(|_| changed()));
        Ok(())
    }

    /// How wide it is.
    pub(crate) fn columns() -> usize {
        tcgetwinsize(io::stdout())
            .ok()
            .map(|size| size.ws_col.into())
            .filter(|&columns| columns > 0)
            .unwrap_or(80)
    }
}

/// Elsewhere the system's own line editing has to do.
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
