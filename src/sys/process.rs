//! Processes of the system.

use crate::sys::backend::{ProcessBackend, SocketBackend, Spawned, StreamSocket, unsupported};
use crate::sys::platform::process::{self as platform, check};
use crate::sys::stream::SystemPipes;
use crate::sys::{BorrowedFd, OwnedFd, watch};
use crate::values::address::Address;
use crate::values::id::Id;
use crate::values::process::{ProcessExit, ProcessIdentity, Signal};
use crate::values::socket_option::SocketOption;
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
}

/// Starts a process.
///
/// # Errors
///
/// If the program does not exist or cannot be executed.
pub(super) fn spawn(
    poll: &Rc<Registry>,
    command: &mut Command,
    identity: ProcessIdentity,
) -> io::Result<Spawned> {
    check()?;
    identity.user.map(|user| command.uid(user));
    identity.group.map(|group| command.gid(group));
    if identity.own_process_group {
        command.process_group(0);
    }
    let mut child = command.spawn()?;
    let pipes = [
        child.stdin.take().map(OwnedFd::from),
        child.stdout.take().map(OwnedFd::from),
        child.stderr.take().map(OwnedFd::from),
    ];
    match platform::open(&child).and_then(|handle| Ok((handle, take_pipes(poll, pipes)?))) {
        Ok((handle, pipes)) => {
            let process = Box::new(SystemProcess { poll: Rc::clone(poll), child, handle });
            Ok(Spawned { process, pipes })
        }
        Err(error) => {
            // Without a handle it could not be reaped later.
            child.kill()?;
            child.wait()?;
            Err(error)
        }
    }
}

fn take_pipes(
    poll: &Rc<Registry>,
    [stdin, stdout, stderr]: [Option<OwnedFd>; 3],
) -> io::Result<[Option<StreamSocket>; 3]> {
    let pipe = |pipe: Option<SystemPipes>| pipe.map(StreamSocket::new);
    let input = |end: OwnedFd| SystemPipes::unshared(poll, None, Some(end));
    let output = |end: OwnedFd| SystemPipes::unshared(poll, Some(end), None);
    let [stdin, stdout, stderr] = [
        stdin.map(input).transpose()?,
        stdout.map(output).transpose()?,
        stderr.map(output).transpose()?,
    ];
    Ok([pipe(stdin), pipe(stdout), pipe(stderr)])
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

    fn kill_and_wait(&mut self) -> io::Result<ProcessExit> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(exit(status));
        }
        self.signal(Signal::Kill)?;
        watch::wait_readable(self.handle.as_fd(), KILLED)?;
        let text = "it was killed, and does not end";
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
