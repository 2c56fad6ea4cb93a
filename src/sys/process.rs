//! Processes of the system.

use crate::sys::backend::{ProcessBackend, SocketBackend, Spawned, StreamSocket, unsupported};
use crate::sys::platform::process::{self as platform, check};
use crate::sys::pool::start_thread;
use crate::sys::stream::SystemPipes;
#[cfg(feature = "pty")]
use crate::sys::terminal::{self, Terminal};
use crate::sys::{BorrowedFd, OwnedFd, watch};
use crate::values::address::Address;
use crate::values::id::Id;
use crate::values::logging::PROCESS;
#[cfg(feature = "pty")]
use crate::values::process::WindowSize;
use crate::values::process::{ProcessExit, ProcessSettings, Signal};
use crate::values::socket_option::SocketOption;
use log::warn;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::rc::Rc;
use std::time::Duration;

/// How long a killed process may take to end. It takes longer only while a disk or a network file system does not
/// answer.
const KILLED: Duration = Duration::from_secs(1);

/// A child of this process.
#[derive(Debug)]
struct SystemProcess {
    poll: Rc<Registry>,
    child: Child,
    /// A descriptor of the child, which becomes readable when it ends.
    handle: OwnedFd,
    #[cfg(feature = "pty")]
    terminal: Terminal,
}

/// Starts a process.
///
/// # Errors
///
/// If the program does not exist or cannot be executed.
pub(super) fn spawn(
    poll: &Rc<Registry>,
    command: &mut Command,
    settings: ProcessSettings,
) -> io::Result<Spawned> {
    check()?;
    settings.user.map(|user| command.uid(user));
    settings.group.map(|group| command.gid(group));
    #[cfg(feature = "pty")]
    if let Some(size) = settings.pseudo_terminal {
        let (child, master) = terminal::spawn(command, settings.user, size)?;
        let pipes = terminal::pipes(poll, master);
        let (mut process, (terminal, pipes)) = follow(poll, child, pipes)?;
        process.terminal = terminal;
        return Ok(Spawned { process, pipes });
    }
    if settings.own_process_group {
        command.process_group(0);
    }
    let mut child = command.spawn()?;
    let pipes = take_pipes(poll, &mut child);
    let (process, pipes) = follow(poll, child, pipes)?;
    Ok(Spawned { process, pipes })
}

/// Makes a process of a child with `pipes`, or kills it if there is an error.
fn follow<T>(
    poll: &Rc<Registry>,
    mut child: Child,
    pipes: io::Result<T>,
) -> io::Result<(Box<SystemProcess>, T)> {
    match pipes.and_then(|pipes| Ok((platform::open(&child)?, pipes))) {
        Ok((handle, pipes)) => {
            let process = SystemProcess {
                poll: Rc::clone(poll),
                child,
                handle,
                #[cfg(feature = "pty")]
                terminal: Terminal::default(),
            };
            Ok((Box::new(process), pipes))
        }
        Err(error) => {
            // Without a handle it could not be reaped later.
            let killed = child.kill();
            reap(child);
            killed.and(Err(error))
        }
    }
}

/// Waits for the end of a child on a thread of its own: a killed process may take long to end, and one that could not be
/// killed even longer.
fn reap(mut child: Child) {
    let number = child.id();
    let waiting = match child.try_wait() {
        Ok(None) => start_thread("ropewalk-reaper", move || _ = child.wait()),
        ended => ended.map(drop),
    };
    if let Err(error) = waiting {
        warn!(target: PROCESS, "process {number} may become a zombie: {error}");
    }
}

fn take_pipes(poll: &Rc<Registry>, child: &mut Child) -> io::Result<[Option<StreamSocket>; 3]> {
    let input = |end: OwnedFd| SystemPipes::unshared(poll, None, Some(end)).map(StreamSocket::new);
    let output = |end: OwnedFd| SystemPipes::unshared(poll, Some(end), None).map(StreamSocket::new);
    Ok([
        child.stdin.take().map(OwnedFd::from).map(input).transpose()?,
        child.stdout.take().map(OwnedFd::from).map(output).transpose()?,
        child.stderr.take().map(OwnedFd::from).map(output).transpose()?,
    ])
}

impl ProcessBackend for SystemProcess {
    fn number(&self) -> u32 {
        self.child.id()
    }

    fn try_wait(&mut self) -> io::Result<Option<ProcessExit>> {
        Ok(self.child.try_wait()?.map(exit))
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        platform::signal(self.handle.as_fd(), signal)
    }

    #[cfg(feature = "pty")]
    fn window_size(&self) -> io::Result<WindowSize> {
        self.terminal.window_size()
    }

    #[cfg(feature = "pty")]
    fn set_window_size(&self, size: WindowSize) -> io::Result<()> {
        self.terminal.set_window_size(size)
    }

    fn kill_and_wait(&mut self) -> io::Result<ProcessExit> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(exit(status));
        }
        self.signal(Signal::Kill)?;
        watch::wait_readable(self.handle.as_fd(), KILLED)?;
        let text = "the process was killed, but has not ended";
        let status = self.child.try_wait()?;
        status.map(exit).ok_or_else(|| io::Error::new(io::ErrorKind::TimedOut, text))
    }
}

impl SocketBackend for SystemProcess {
    fn register(&mut self, id: Id) -> io::Result<()> {
        let source = &mut SourceFd(&self.handle.as_fd().as_raw_fd());
        self.poll.register(source, Token(id.token()), Interest::READABLE)
    }

    fn deregister(&mut self) -> io::Result<()> {
        self.poll.deregister(&mut SourceFd(&self.handle.as_fd().as_raw_fd()))
    }

    fn local_address(&self) -> io::Result<Address> {
        Ok(Address::Process(self.child.id()))
    }

    fn set_option(&self, _option: &SocketOption) -> io::Result<()> {
        Err(unsupported())
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.handle.as_fd())
    }
}

fn exit(status: ExitStatus) -> ProcessExit {
    match (status.code(), status.signal()) {
        (Some(code), _) => ProcessExit::Code(code),
        (None, Some(number)) => ProcessExit::Signal { number, core_dumped: status.core_dumped() },
        (None, None) => ProcessExit::Unknown,
    }
}
