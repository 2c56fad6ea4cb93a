//! Values: no input or output, no system calls.

pub(crate) mod address;
#[cfg(all(unix, feature = "credentials"))]
pub(crate) mod credentials;
pub(crate) mod datagram_options;
pub(crate) mod error;
#[cfg(unix)]
pub(crate) mod file_options;
pub(crate) mod filter;
pub(crate) mod guard;
pub(crate) mod id;
pub(crate) mod interface;
pub(crate) mod journal;
pub(crate) mod logging;
pub(crate) mod options;
#[cfg(all(unix, feature = "process"))]
pub(crate) mod process;
pub(crate) mod readiness;
pub(crate) mod reason;
pub(crate) mod slow_reader;
pub(crate) mod socket_option;
pub(crate) mod statistics;
pub(crate) mod thread_options;
pub(crate) mod to_address;
pub(crate) mod to_addresses;
pub(crate) mod unix_address;
#[cfg(unix)]
pub(crate) mod watch;
pub(crate) mod zone;
