//! Processes: their options, signals to them, and how they end.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

/// How a process ended.
///
/// ```
/// use ropewalk::ProcessExit;
///
/// assert!(ProcessExit::Code(0).is_success());
/// let killed = ProcessExit::Signal { number: 9, core_dumped: false };
/// assert_eq!(killed.to_string(), "ended by signal 9 (SIGKILL)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessExit {
    /// It exited with this code. 0 means success.
    Code(i32),
    /// A signal ended it.
    #[allow(missing_docs)]
    Signal { number: i32, core_dumped: bool },
    /// How it ended is not known: other code of this program has waited for all its children (waitpid(2) with -1), or
    /// ignores SIGCHLD.
    Unknown,
}

impl ProcessExit {
    /// Returns true if it exited with the code 0.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for ProcessExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal { number, core_dumped } => {
                write!(f, "ended by signal {number}")?;
                if let Some((_, name)) = SIGNALS.iter().find(|(of, _)| *of == number) {
                    write!(f, " ({name})")?;
                }
                f.write_str(if core_dumped { ", core dumped" } else { "" })
            }
            Self::Unknown => f.write_str("ended with an unknown status"),
        }
    }
}

/// The numbers that POSIX specifies, which are the same on all systems (kill(1)), and that of a fault.
const SIGNALS: [(i32, &str); 8] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (6, "SIGABRT"),
    (9, "SIGKILL"),
    (11, "SIGSEGV"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
];

/// The output of a process that was run to its end: see [`ProcessRun`](crate::ProcessRun).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessOutput {
    /// How it ended.
    pub exit: ProcessExit,
    /// What it wrote to standard output, up to the limit.
    pub out: Vec<u8>,
    /// What it wrote to standard error, up to the limit.
    pub err: Vec<u8>,
    /// The limit that it exceeded, for which it was killed.
    pub exceeded: Option<ProcessLimit>,
}

impl ProcessOutput {
    pub(crate) fn new() -> Self {
        let (out, err) = (Vec::new(), Vec::new());
        Self { exit: ProcessExit::Unknown, out, err, exceeded: None }
    }
}

/// A limit of a run of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessLimit {
    /// [`ProcessRun::max_output`](crate::ProcessRun::max_output).
    Output,
    /// [`ProcessRun::timeout`](crate::ProcessRun::timeout).
    Time,
}

/// A signal to a process: see [`ProcessTransport::signal`](crate::ProcessTransport::signal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// SIGCONT: continues a stopped process.
    Continue,
    /// SIGHUP: the terminal is gone. Many servers read their configuration again.
    Hangup,
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGKILL: ends the process at once.
    Kill,
    /// SIGQUIT: Ctrl-\\.
    Quit,
    /// SIGSTOP: stops the process until it is continued.
    Stop,
    /// SIGTERM: a polite request to end.
    Terminate,
    /// SIGUSR1.
    User1,
    /// SIGUSR2.
    User2,
}

/// The size of a terminal's window, in characters: see
/// [`ProcessTransport::set_window_size`](crate::ProcessTransport::set_window_size). Default: 24 rows of 80 columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct WindowSize {
    pub rows: u16,
    pub columns: u16,
}

impl Default for WindowSize {
    fn default() -> Self {
        Self { rows: 24, columns: 80 }
    }
}

/// The options of a process, and the action of starting it: [`spawn`](Self::spawn).
///
/// Standard input, output and error are pipes to the [`ProcessProtocol`](crate::ProcessProtocol), unless they are
/// set otherwise. The process has no other descriptors of this one: std passes only these three. A [`Command`] from
/// elsewhere keeps its own settings, and may pass more.
///
/// ```
/// use ropewalk::ProcessOptions;
/// use std::process::{Command, Stdio};
///
/// let options = ProcessOptions::new("sort").arg("-n").env("LC_ALL", "C").stderr(Stdio::inherit());
/// let from_elsewhere = ProcessOptions::from(Command::new("true"));
/// # let _ = (options, from_elsewhere);
/// ```
#[derive(Debug)]
pub struct ProcessOptions {
    pub(crate) command: Command,
    pub(crate) settings: ProcessSettings,
    /// True if the command was given away, and cannot be started again.
    pub(crate) used_up: bool,
}

/// What a process has besides that for which a [`Command`] asks. Default: the user, the group and the process group of
/// this process, and no terminal of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ProcessSettings {
    pub user: Option<u32>,
    pub group: Option<u32>,
    pub own_process_group: bool,
    pub pseudo_terminal: Option<WindowSize>,
}

impl ProcessOptions {
    /// A program, by its path or by its name in PATH, with three pipes.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let options = Self::from(Command::new(program));
        options.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped())
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable of the environment. Default: that of this process.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Empties the environment.
    #[must_use]
    pub fn env_clear(mut self) -> Self {
        self.command.env_clear();
        self
    }

    /// Sets the working directory. Default: that of this process.
    #[doc(alias = "cwd")]
    #[must_use]
    pub fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Sets the user, by its number. Supplementary groups are dropped if this process is the superuser's. The start
    /// takes longer if this process has much memory: it forks (fork(2)), and copies the tables of its pages, some 10 ms for each GiB.
    #[must_use]
    pub fn user(mut self, user: u32) -> Self {
        self.settings.user = Some(user);
        self
    }

    /// Sets the group, by its number. Supplementary groups stay, unless the user is set too. The start takes as long as with
    /// [`user`](Self::user).
    #[must_use]
    pub fn group(mut self, group: u32) -> Self {
        self.settings.group = Some(group);
        self
    }

    /// Puts the process into a process group of its own (setpgid(2)). Then Ctrl-C in the terminal of this process
    /// does not reach it.
    #[must_use]
    pub fn own_process_group(mut self) -> Self {
        self.settings.own_process_group = true;
        self
    }

    /// Gives the process a pseudo-terminal (pty(7)): its controlling terminal, and its standard input, output and error
    /// in place of pipes. It leads a session of its own. Start it once with these options: they are used up then.
    ///
    /// - All output arrives at [`out_received`](crate::ProcessProtocol::out_received). The terminal echoes input and ends
    ///   lines of output with `"\r\n"`, until the process changes that (termios(3)).
    /// - Written control characters act as on a keyboard: Ctrl-C (`0x03`) is SIGINT for the foreground processes.
    ///   [`close_stdin`](crate::ProcessTransport::close_stdin) writes Ctrl-D (`0x04`), which is the end of the input if it
    ///   follows a line.
    /// - [`ProcessTransport::set_window_size`](crate::ProcessTransport::set_window_size) changes the size.
    /// - When no process has the terminal open any more, standard output ends ([`ClosedByPeer`](crate::Reason::ClosedByPeer)).
    ///   [`ProcessTransport::close`](crate::ProcessTransport::close) and a stop of the reactor hang up: the processes of
    ///   the session receive SIGHUP.
    ///
    /// The variable `TERM` is that of this process, unless [`env`](Self::env) sets it. The start takes longer than that of
    /// another process if this process has much memory, as with [`user`](Self::user). If another thread starts a process
    /// at the same instant, that process may inherit our side, and the hang-up waits for its end as well.
    ///
    /// ```
    /// use ropewalk::{Error, ProcessOptions, ProcessRun, Reactor, WindowSize};
    ///
    /// let options = ProcessOptions::new("stty").arg("size");
    /// let options = options.pseudo_terminal(WindowSize { rows: 30, columns: 100 });
    /// let mut reactor = Reactor::new()?;
    /// ProcessRun::new(options).start(reactor.context(), |context, output| {
    ///     assert!(String::from_utf8_lossy(&output.out).ends_with("30 100\r\n"));
    ///     context.stop();
    /// })?;
    /// reactor.run()?;
    /// # Ok::<(), Error>(())
    /// ```
    #[cfg(feature = "pty")]
    #[doc(alias = "usePTY")]
    #[doc(alias = "openpty")]
    #[must_use]
    pub fn pseudo_terminal(mut self, size: WindowSize) -> Self {
        self.settings.pseudo_terminal = Some(size);
        self
    }

    /// Sets standard input: a pipe ([`Stdio::piped`], the default), that of this process ([`Stdio::inherit`]), the
    /// null device ([`Stdio::null`]), or a file.
    #[must_use]
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.command.stdin(stdin);
        self
    }

    /// Sets standard output, like [`stdin`](Self::stdin).
    #[must_use]
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.command.stdout(stdout);
        self
    }

    /// Sets standard error, like [`stdin`](Self::stdin).
    #[must_use]
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.command.stderr(stderr);
        self
    }
}

impl From<Command> for ProcessOptions {
    fn from(command: Command) -> Self {
        Self { command, settings: ProcessSettings::default(), used_up: false }
    }
}
