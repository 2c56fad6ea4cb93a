//! Socket options of all backends, and the error of requests that a backend does not serve.

use crate::sys::error::set_by;
use crate::values::socket_option::SocketOption;
use std::io;

/// Sets an option by calling `set`, if the option's value is valid for any socket. Errors name the option.
/// All backends and their sockets set options this way.
///
/// # Errors
///
/// If the value is invalid, or if `set` fails.
pub fn set_option(option: &SocketOption, set: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    set_by(option, set)
}

/// Returns the error of requests that only a system can serve.
pub(crate) fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "the reactor's backend does not support this")
}
