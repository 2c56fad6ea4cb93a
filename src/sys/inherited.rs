//! Descriptors that were open when the program began (systemd's socket activation, sd_listen_fds(3)).

use crate::sys::OwnedFd;
use crate::sys::platform::was_passed;
use rustix::io::{FdFlags, fcntl_setfd};
use std::io;

/// A descriptor, and its name if it has one.
pub(crate) type Named = (Option<String>, OwnedFd);

/// Those that the environment says were passed to this process; none, if it speaks of another
/// process, or not at all.
///
/// # Errors
///
/// If the environment makes no sense, or speaks of descriptors that were not passed, or were taken
/// already. None is taken then.
pub(crate) fn descriptors() -> io::Result<Vec<Named>> {
    check()?;
    let taken = sd_listen_fds::get().map_err(|_| nonsense())?;
    let taken = taken.into_iter().map(|(name, descriptor)| (name, descriptor.into_std()));
    taken
        .map(|(name, descriptor)| {
            fcntl_setfd(&descriptor, FdFlags::CLOEXEC)?;
            Ok((name, descriptor))
        })
        .collect()
}

fn nonsense() -> io::Error {
    let what = "LISTEN_PID and LISTEN_FDS have to be numbers";
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Looks at what the environment promises before anybody believes it: to own a descriptor that is
/// somebody else's would be worse than to have none. What was passed by execve(2) does not close by
/// it, and everything that was opened since, by us or by the standard library, does: so that tells
/// them apart, and a second taking from the first.
fn check() -> io::Result<()> {
    use std::env::var;
    if var("LISTEN_PID").ok() != Some(std::process::id().to_string()) {
        return Ok(());
    }
    let Ok(count) = var("LISTEN_FDS") else { return Ok(()) };
    let count: u32 = count.parse().map_err(|_| nonsense())?;
    for number in (3..).take(count as usize) {
        if !was_passed(number) {
            let what = format!(
                "LISTEN_FDS says that there are {count}, but descriptor {number} was not passed to \
                 this process, or is taken already"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
    }
    Ok(())
}
