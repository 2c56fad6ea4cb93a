//! The files by which Unix sockets are found: taken without a race, and taken away when their sockets
//! are closed.
//!
//! A socket's file outlives the process that made it, if that is killed; who is to have the name next
//! must remove the file, and must not remove that of a server that lives. What counts is whether a
//! socket still belongs to the file, and the system knows: to connect a datagram socket there is
//! refused if none does, and tells the wrong type if one does, without the server noticing
//! (connect(2), ECONNREFUSED and EPROTOTYPE). No number of a process that may be another's by
//! now has to be believed.
//!
//! Two that find the same file left behind could each remove what the other has just made. So who
//! removes one holds a lock on a file beside it, `PATH.ropewalk-lock`, until it has the name (flock(2));
//! the lock of a process that dies goes with it. Other programs have files called `PATH.lock`, which are
//! theirs. A name that is free needs no lock, for the system gives
//! it to one only.

use crate::sys::platform::restrict;
use crate::sys::unix;
use crate::values::logging::TCP;
use crate::values::unix_address::UnixAddress;
use log::{debug, info};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use socket2::{Socket, Type};
use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;

/// The file of a socket that is bound. It goes with this, if it is still the same one.
#[derive(Debug)]
pub(super) struct SocketFile {
    /// From the root, so that it is found whatever the working directory is by then.
    path: PathBuf,
    identity: Identity,
    /// It stays.
    keep: bool,
    /// The process that bound it. A child of fork(2) has a copy of this, but not the file's life.
    process: u32,
}

/// Which file it is, whatever its name.
type Identity = (u64, u64);

/// Binds a socket. Nobody has been able to reach it when its file gets its mode, if it does not listen
/// before this returns.
pub(super) fn bind(
    socket: &Socket,
    address: &UnixAddress,
    mode: Option<u32>,
    keep: bool,
) -> io::Result<Option<SocketFile>> {
    let name = unix::system_address(address)?;
    let Some(path) = address.path() else {
        rustix::net::bind(socket, &name)?;
        return Ok(None);
    };
    if let Some(mode) = mode {
        restrict(socket, mode)?;
    }
    let _lock = match rustix::net::bind(socket, &name).map_err(io::Error::from) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let lock = remove_stale(path)?;
            rustix::net::bind(socket, &name)?;
            Some(lock)
        }
        bound => bound.map(|()| None)?,
    };
    let found = fs::symlink_metadata(path)?;
    let path = std::path::absolute(path)?;
    // From here on it goes again if there is trouble.
    let mut file =
        SocketFile { path, identity: identity(&found), keep: false, process: process::id() };
    if let Some(mode) = mode.filter(|mode| found.mode() & 0o7777 != *mode) {
        fs::set_permissions(&file.path, Permissions::from_mode(mode))?;
    }
    file.keep = keep;
    Ok(Some(file))
}

/// Removes a socket's file that nobody has any more. Until what this returns is dropped nobody else
/// does the same.
fn remove_stale(path: &Path) -> io::Result<Lock> {
    if is_other_than_socket(path)? {
        let text = "a file that is not a socket has that name";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    let lock = Lock::take(path)?;
    if has_socket(path)? {
        return Err(Errno::ADDRINUSE.into());
    }
    match fs::remove_file(path) {
        Ok(()) => info!(target: TCP, "{} was left behind; it is replaced", path.display()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(lock)
}

fn is_other_than_socket(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(!found.file_type().is_socket()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a socket belongs to a file, listening or not, in whatever process.
fn has_socket(path: &Path) -> io::Result<bool> {
    let name = unix::system_address(&path.into())?;
    match rustix::net::connect(unix::open(Type::DGRAM)?, &name) {
        Ok(()) => Ok(true),
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(false),
        // Whose it is cannot be found out, and so it is not ours.
        Err(error @ Errno::ACCESS) => Err(error.into()),
        // A socket of the other type, or one that is connected elsewhere (EPERM): the name is in use.
        Err(_) => Ok(true),
    }
}

/// What no other program appends to the name of its socket.
const SUFFIX: &str = ".ropewalk-lock";

/// The right to remove what was left behind under a name.
struct Lock {
    path: PathBuf,
    // While it is open it is locked.
    _file: File,
}

impl Lock {
    /// Who finds it taken finds that somebody is just taking the name.
    fn take(name: &Path) -> io::Result<Self> {
        let mut path = name.as_os_str().to_owned();
        path.push(SUFFIX);
        let path = PathBuf::from(path);
        loop {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let file = File::from(open(&path, flags, Mode::RUSR | Mode::WUSR)?);
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => {
                    return Err(Errno::ADDRINUSE.into());
                }
                Err(error) => return Err(error.into()),
            }
            // Who had it before has removed it, perhaps just now: then another may have a new one.
            match fs::symlink_metadata(&path) {
                Ok(found) if identity(&found) == identity(&file.metadata()?) => {
                    return Ok(Self { path, _file: file });
                }
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            debug!(target: TCP, "{}: {error}", self.path.display());
        }
    }
}

impl SocketFile {
    /// It stays when this goes.
    pub(super) fn keep(&mut self) {
        self.keep = true;
    }
}

/// Before the socket is closed: as long as it lives nobody takes its name.
impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.keep || self.process != process::id() {
            return;
        }
        let removed = match fs::symlink_metadata(&self.path) {
            Ok(found) if identity(&found) == self.identity => fs::remove_file(&self.path),
            Ok(_) => return debug!(target: TCP, "{} is another's now", self.path.display()),
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            debug!(target: TCP, "removing {}: {error}", self.path.display());
        }
    }
}

fn identity(found: &Metadata) -> Identity {
    (found.dev(), found.ino())
}
