//! Inherited descriptors: open when the program began (systemd's socket activation, sd_listen_fds(3)).

use crate::sys::platform::was_passed;
use crate::sys::{OwnedFd, process_id};
use rustix::io::{FdFlags, fcntl_setfd};
use std::io;

/// A descriptor, and its name if it has one.
pub(crate) type Named = (Option<String>, OwnedFd);

/// Returns the descriptors that the environment lists as passed to this process. The list is empty if the
/// environment names another process, or none.
///
/// # Errors
///
/// If the environment is malformed, or lists descriptors that were not passed, or were already taken. None is
/// taken then.
pub(crate) fn descriptors() -> io::Result<Vec<Named>> {
    check()?;
    let taken = sd_listen_fds::get().map_err(|_| malformed())?;
    let taken = taken.into_iter().map(|(name, descriptor)| (name, descriptor.into_std()));
    taken
        .map(|(name, descriptor)| {
            fcntl_setfd(&descriptor, FdFlags::CLOEXEC)?;
            Ok((name, descriptor))
        })
        .collect()
}

fn malformed() -> io::Error {
    let what = "LISTEN_PID and LISTEN_FDS must be numbers";
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Checks the list of the environment. Owning a descriptor that belongs to other code would be worse than
/// having none. Descriptors that were passed by execve(2) do not have FD_CLOEXEC; those opened since, by this
/// crate or by the standard library, do. The flag also distinguishes a second call from the first, which sets
/// it.
fn check() -> io::Result<()> {
    use std::env::var;
    if var("LISTEN_PID").ok() != Some(process_id().to_string()) {
        return Ok(());
    }
    let Ok(count) = var("LISTEN_FDS") else { return Ok(()) };
    let count: u32 = count.parse().map_err(|_| malformed())?;
    for number in (3..).take(count as usize) {
        if !was_passed(number) {
            let what = format!(
                "LISTEN_FDS lists {count} descriptors, but descriptor {number} was not passed to \
                 this process, or was already taken"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
    }
    Ok(())
}
