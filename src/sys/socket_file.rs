//! Files of Unix sockets: created without a race, and removed when their sockets are closed.
//!
//! A socket's file outlives a process that is killed. The next server with that name must remove the file, but
//! must not remove the file of a running server. So the file is removed only if no socket belongs to it. The
//! system knows that: connecting a datagram socket to the file fails with ECONNREFUSED if there is none, and
//! with EPROTOTYPE if there is a stream socket, without the server noticing (connect(2)). No process id, which
//! may belong to another process by now, is involved.
//!
//! Two processes that find the same stale file could each remove the file that the other has just created. So a
//! process that removes one holds a lock on a file beside it, `PATH.ropewalk-lock`, until it has the name
//! (flock(2)). The lock of a process that dies is released. Files named `PATH.lock` belong to other programs. A
//! free name needs no lock, since the system gives it to one process only.

use crate::sys::platform::{restrict, try_lock};
use crate::sys::{process_id, unix};
use crate::values::logging::TCP;
use crate::values::unix_address::UnixAddress;
use libc::O_NOFOLLOW;
use log::{debug, info};
use rustix::io::Errno;
use socket2::{Socket, Type};
use std::fs::{self, File, Metadata, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The file of a bound socket. It is removed when this is dropped, if it is still the same file.
#[derive(Debug)]
pub(super) struct SocketFile {
    /// Absolute, so that it is valid after a change of the working directory.
    path: PathBuf,
    identity: Identity,
    /// True if the file is not removed.
    keep: bool,
    /// The process that bound the socket. A child of fork(2) has a copy of this, but must not remove the file.
    process: u32,
}

/// Device and inode: they identify a file under any name.
type Identity = (u64, u64);

/// Binds a socket. If the socket does not listen yet, no client can reach it before its file has its mode.
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
    // From here on an error removes the file.
    let mut file =
        SocketFile { path, identity: identity(&found), keep: false, process: process_id() };
    if let Some(mode) = mode.filter(|mode| found.mode() & 0o7777 != *mode) {
        fs::set_permissions(&file.path, Permissions::from_mode(mode))?;
    }
    file.keep = keep;
    Ok(Some(file))
}

/// Removes the file of a socket that is closed. Until the returned lock is dropped no other process does the
/// same.
fn remove_stale(path: &Path) -> io::Result<Lock> {
    if is_other_than_socket(path)? {
        let text = "the file exists and is not a socket";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    let lock = Lock::take(path)?;
    if has_socket(path)? {
        return Err(Errno::ADDRINUSE.into());
    }
    match fs::remove_file(path) {
        Ok(()) => info!(target: TCP, "replaced the stale file {}", path.display()),
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

/// Returns true if a socket of any process belongs to a file, listening or not.
fn has_socket(path: &Path) -> io::Result<bool> {
    let name = unix::system_address(&path.into())?;
    match rustix::net::connect(unix::open(Type::DGRAM)?, &name) {
        Ok(()) => Ok(true),
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(false),
        // It cannot be determined, so the file is not removed.
        Err(error @ Errno::ACCESS) => Err(error.into()),
        // A socket of the other type, or one that is connected elsewhere (EPERM): the name is in use.
        Err(_) => Ok(true),
    }
}

/// The suffix of lock files. It contains the crate's name, so that no other program uses it.
const SUFFIX: &str = ".ropewalk-lock";

/// A lock for removing the stale file of a name.
struct Lock {
    path: PathBuf,
    // Locked as long as it is open.
    _file: File,
}

impl Lock {
    /// Takes the lock. If it is held, another process is taking the name: that fails with `AddrInUse`.
    fn take(name: &Path) -> io::Result<Self> {
        let mut path = name.as_os_str().to_owned();
        path.push(SUFFIX);
        let path = PathBuf::from(path);
        let mut options = File::options();
        options.read(true).write(true).create(true).mode(0o600).custom_flags(O_NOFOLLOW);
        loop {
            let file = options.open(&path)?;
            match try_lock(&file) {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(Errno::ADDRINUSE.into()),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // The previous holder has removed its file, perhaps after `open`: then another process may have a
            // new one.
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
    /// Keeps the file when this is dropped.
    pub(super) fn keep(&mut self) {
        self.keep = true;
    }
}

/// Removes the file before the socket is closed: as long as the socket is open, its name is in use.
impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.keep || self.process != process_id() {
            return;
        }
        let removed = match fs::symlink_metadata(&self.path) {
            Ok(found) if identity(&found) == self.identity => fs::remove_file(&self.path),
            Ok(_) => {
                return debug!(target: TCP, "{} was replaced; not removed", self.path.display());
            }
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
