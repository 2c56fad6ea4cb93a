//! Errors of the system: their kinds, and advice on them.
//!
//! An error number has advice only if it has one cause for that request, or a few that can all be named: see
//! errno(3), connect(2), bind(2), sendto(2), ip(7), ipv6(7) and unix(7). A kind of std's may stand for several
//! numbers, so different causes are distinguished by number first. Advice on one request is beside that
//! request; advice on all requests, and on addresses, is here.

use crate::sys::errno::*;
use crate::values::error::{Error, Explained, Sentence};
use crate::values::socket_option::SocketOption;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, SocketAddrV6};

pub(crate) const NO_ROUTE: &str = "there is no route to this address";
pub(crate) const NO_INTERFACE: &str = "there is no such interface; `ip link` lists the interfaces";

/// A function that makes the error of a failed request.
pub(crate) type Failure = fn(String, io::Error) -> Error;

/// A cause from the system, as seen by functions that give advice.
pub(crate) struct Cause<'a> {
    /// The error number, if the system has given one.
    pub(crate) number: Option<i32>,
    pub(crate) kind: ErrorKind,
    /// The object of the request, as the error prints it.
    pub(crate) on: &'a str,
}

/// Makes the error of a request that cannot `action`. If too many files are open, it has advice on that, else
/// the advice of `advice`.
pub(crate) fn failed(
    action: &'static str,
    on: impl Into<String>,
    cause: io::Error,
    advice: impl FnOnce(&Cause<'_>) -> Option<&'static str>,
) -> Error {
    let on = on.into();
    let of = Cause { number: cause.raw_os_error(), kind: kind(&cause), on: &on };
    let inner = cause.get_ref();
    let explains_itself = inner.is_some_and(|inner| inner.is::<Unset>() || inner.is::<Explained>());
    let advice = if explains_itself { None } else { of.on_files().or_else(|| advice(&of)) };
    let kind = of.kind;
    let error = Error::new(action, on, cause).of_kind(kind);
    match advice {
        Some(advice) => error.advice(advice),
        None => error,
    }
}

/// Makes the error of a request that has only the general advice.
pub(crate) fn failed_plainly(
    action: &'static str,
    on: impl Into<String>,
    cause: io::Error,
) -> Error {
    failed(action, on, cause, |_| None)
}

/// Returns the kind of a cause, including causes for which std has none.
pub(crate) fn kind(cause: &io::Error) -> ErrorKind {
    match cause.raw_os_error() {
        Some(AFNOSUPPORT | NOPROTOOPT) => ErrorKind::Unsupported,
        _ => cause.kind(),
    }
}

impl Cause<'_> {
    fn on_files(&self) -> Option<&'static str> {
        match self.number? {
            MFILE => Some("too many files are open; raise the limit with `ulimit -n`"),
            NFILE => {
                Some("too many files are open in the whole system; raise `fs.file-max` (sysctl(8))")
            }
            _ => None,
        }
    }

    /// Returns advice on what prevents data from being sent to an address.
    pub(crate) fn on_route(&self) -> Option<&'static str> {
        Some(match self.number? {
            ACCES => {
                "a broadcast requires the option `broadcast`; for other addresses a route forbids \
                 it (`ip route get` shows it)"
            }
            PERM => "a firewall on this machine blocks it",
            INVAL if self.link_local().is_none() => {
                "a blackhole route drops the data (`ip route get` shows it)"
            }
            _ => return self.on_address(),
        })
    }

    /// Returns advice on addresses that this socket, or this machine, cannot have.
    pub(crate) fn on_address(&self) -> Option<&'static str> {
        Some(match (self.number?, self.link_local()) {
            (AFNOSUPPORT, _) => {
                "the address and the socket differ in family (IPv4 or IPv6), or this system does \
                 not support the family; a socket on [::] supports both"
            }
            (NODEV, _) => NO_INTERFACE,
            (INVAL, Some(address)) if address.scope_id() == 0 => {
                "a link-local address needs its interface, as in [fe80::1%eth0]:7000"
            }
            (INVAL, Some(_)) => NO_INTERFACE,
            _ => return None,
        })
    }

    /// Returns advice on the text of an address.
    pub(crate) fn on_name(&self) -> Option<&'static str> {
        Some(match (self.number, self.kind) {
            (None, ErrorKind::InvalidInput) => {
                "write it as HOST:PORT, such as 127.0.0.1:7000 or [::1]:7000"
            }
            (_, ErrorKind::NotFound) => "is the name correct, and is the name server reachable?",
            _ => return None,
        })
    }

    /// Returns the port, if the address is numeric.
    pub(crate) fn port(&self) -> Option<u16> {
        self.on.parse::<SocketAddr>().ok().map(|address| address.port())
    }

    /// Returns the address, if it is link-local and needs an interface.
    fn link_local(&self) -> Option<SocketAddrV6> {
        let last = self.on.rsplit(' ').next()?; // The address follows the size of the data.
        let address = last.parse::<SocketAddrV6>().ok()?;
        address.ip().is_unicast_link_local().then_some(address)
    }
}

/// An option that could not be set, and the reason: the cause of an [`Error`].
#[derive(Debug)]
pub(crate) struct Unset {
    option: SocketOption,
    cause: io::Error,
}

impl Unset {
    pub(crate) fn error(option: &SocketOption, cause: io::Error) -> io::Error {
        io::Error::new(kind(&cause), Self { option: option.clone(), cause })
    }

    /// Returns advice, if it is known.
    fn advice(&self) -> Option<&'static str> {
        use io::ErrorKind::*;
        if let (SocketOption::Device(_), Some(NODEV)) = (&self.option, self.cause.raw_os_error()) {
            return Some(NO_INTERFACE);
        }
        Some(match (&self.option, kind(&self.cause)) {
            (SocketOption::Device(_), PermissionDenied) => {
                "the socket is already bound to an interface; a change requires the privilege \
                 CAP_NET_RAW"
            }
            (SocketOption::OnlyIpv6(_), InvalidInput) => {
                "the socket is already bound; set this in the options that create it"
            }
            (SocketOption::Ttl(0), InvalidInput) => "the range is 1 to 255",
            (_, Unsupported) => "not supported by this kind of socket, or by this system",
            _ => return None,
        })
    }
}

impl std::error::Error for Unset {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl fmt::Display for Unset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{:?}`: {}", self.option, Sentence(&self.cause))?;
        match self.advice() {
            Some(advice) => write!(f, " ({advice})"),
            None => Ok(()),
        }
    }
}

/// Sets an option by calling `set`, if its value is valid. An error names the option.
pub(super) fn set_by(
    option: &SocketOption,
    set: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    option.check().and_then(|()| set()).map_err(|cause| Unset::error(option, cause))
}
