//! The terminal, if there is one: what it takes to draw the line being typed ourselves.

#[cfg(unix)]
pub(crate) use unix::{Terminal, columns};
#[cfg(not(unix))]
pub(crate) use without::{Terminal, columns};

#[cfg(unix)]
mod unix {
    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
    };
    use std::io::{self, IsTerminal};

    /// What switches a special key off (_POSIX_VDISABLE, termios(3)).
    const OFF: u8 = if cfg!(target_os = "linux") { 0 } else { 0xff };

    /// A terminal that sends every key as it is pressed, and shows nothing by itself. Dropping this
    /// puts it back.
    pub(crate) struct Terminal {
        before: Termios,
    }

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
            Some(Self { before })
        }
    }

    impl Drop for Terminal {
        fn drop(&mut self) {
            // If it fails the terminal is gone.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        }
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
    pub(crate) struct Terminal;

    impl Terminal {
        pub(crate) fn take() -> Option<Self> {
            None
        }
    }

    pub(crate) fn columns() -> usize {
        80
    }
}
