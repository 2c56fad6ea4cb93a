//! Pseudo-terminals of processes: the master side is ours, and the other is the process's.

use crate::sys::backend::{SocketBackend, StreamBackend, StreamSocket, unsupported};
use crate::sys::{OwnedFd, errno, uninterrupted, watch};
use crate::values::address::Address;
use crate::values::id::Id;
use crate::values::process::WindowSize;
use crate::values::socket_option::SocketOption;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use pty_process::{Error, Size, blocking};
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};
use socket2::SockRef;
use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::fchown;
use std::process::{Child, Command};
use std::rc::{Rc, Weak};

/// The master side, as its process has it.
#[derive(Debug, Default)]
pub(super) struct Terminal {
    /// Open as long as the pipes are: their end is the hang-up.
    open: [Weak<File>; 2],
    _kept: Kept,
}

/// The master side after all processes have closed the terminal. It stays open until the process has ended: many
/// programs close their output before they exit, and a hang-up would kill them then.
type Kept = Rc<OnceCell<Rc<File>>>;

/// One direction of the master side.
#[derive(Debug)]
struct Side {
    poll: Rc<Registry>,
    file: Rc<File>,
    reads: bool,
    kept: Kept,
}

/// Starts a process in a session of its own, on a new terminal. Returns the master side.
pub(super) fn spawn(
    command: &mut Command,
    user: Option<u32>,
    size: WindowSize,
) -> io::Result<(Child, OwnedFd)> {
    // The crate keeps the terminal's number in the command, which can therefore be started once.
    let name = Command::new(command.get_program());
    let command = blocking::Command::from(std::mem::replace(command, name));
    // It sets FD_CLOEXEC after the open, since not all systems can do both at once.
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
    SockRef::from(&master).set_nonblocking(true)?;
    let kept = Rc::new(OnceCell::new());
    let side = |descriptor: OwnedFd, reads| {
        let (poll, file) = (Rc::clone(poll), Rc::new(File::from(descriptor)));
        Side { poll, file, reads, kept: Rc::clone(&kept) }
    };
    // The poll takes a descriptor once.
    let (stdin, stdout) = (side(master.try_clone()?, false), side(master, true));
    let open = [&stdin, &stdout].map(|side| Rc::downgrade(&side.file));
    let pipes = [Some(StreamSocket::new(stdin)), Some(StreamSocket::new(stdout)), None];
    Ok((Terminal { open, _kept: kept }, pipes))
}

impl Terminal {
    fn file(&self) -> io::Result<Rc<File>> {
        let text = "the process has no open pseudo-terminal";
        let closed = || io::Error::new(ErrorKind::NotConnected, text);
        self.open.iter().find_map(Weak::upgrade).ok_or_else(closed)
    }

    pub(super) fn window_size(&self) -> io::Result<WindowSize> {
        let size = tcgetwinsize(&*self.file()?)?;
        Ok(WindowSize { rows: size.ws_row, columns: size.ws_col })
    }

    pub(super) fn set_window_size(&self, size: WindowSize) -> io::Result<()> {
        let file = self.file()?;
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

impl Side {
    /// Returns `instead` for the error that the terminal is left: EIO (pty(7)).
    fn unless_left(
        &self,
        result: io::Result<usize>,
        instead: io::Result<usize>,
    ) -> io::Result<usize> {
        match result {
            Err(error) if error.raw_os_error() == Some(errno::IO) => {
                self.keep();
                instead
            }
            result => result,
        }
    }

    fn keep(&self) {
        self.kept.get_or_init(|| Rc::clone(&self.file));
    }
}

impl StreamBackend for Side {
    fn connected_to(&self) -> io::Result<Option<Address>> {
        Ok(Some(Address::Pipes))
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.reads {
            return Ok(0);
        }
        let result = uninterrupted(|| (&*self.file).read(buffer));
        self.unless_left(result, Ok(0))
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let result = uninterrupted(|| (&*self.file).write_vectored(slices));
        self.unless_left(result, Err(ErrorKind::BrokenPipe.into()))
    }

    /// A terminal has no directions that end.
    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn reset_on_close(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_nodelay(&self, _nodelay: bool) -> io::Result<()> {
        Ok(())
    }

    /// A read of a terminal returns one line.
    fn short_means_would_block(&self) -> bool {
        false
    }

    fn lingers(&self) -> bool {
        false
    }
}

impl SocketBackend for Side {
    fn register(&mut self, id: Id) -> io::Result<()> {
        let interest = if self.reads { Interest::READABLE } else { Interest::WRITABLE };
        self.poll.register(&mut SourceFd(&self.file.as_raw_fd()), Token(id.token()), interest)
    }

    fn deregister(&mut self) -> io::Result<()> {
        self.poll.deregister(&mut SourceFd(&self.file.as_raw_fd()))
    }

    fn local_address(&self) -> io::Result<Address> {
        Ok(Address::Pipes)
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        let is_left = !self.reads && watch::has_hung_up(self.file.as_fd());
        Ok(is_left.then(|| {
            self.keep();
            ErrorKind::BrokenPipe.into()
        }))
    }

    fn set_option(&self, _option: &SocketOption) -> io::Result<()> {
        Err(unsupported())
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
