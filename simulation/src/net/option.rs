//! Socket options: which sockets have them, and the errors of Linux.

use crate::net::error::{no_such_option, system};
use ropewalk::backend::set_option;
use ropewalk::{Address, SocketOption};
use std::io::{self, ErrorKind};

/// The properties of a socket that its options depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketKind {
    family: Family,
    is_stream: bool,
    is_bound: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
    Unix,
}

impl SocketKind {
    /// Returns the kind of a stream socket with this local or peer address.
    pub(crate) fn stream(address: &Address) -> Self {
        let family = match address.ip() {
            Some(ip) if ip.is_ipv4() => Family::V4,
            Some(_) => Family::V6,
            None => Family::Unix,
        };
        Self { family, is_stream: true, is_bound: false }
    }

    /// Returns the kind of a datagram socket.
    pub(crate) fn datagrams(address: &Address) -> Self {
        Self { is_stream: false, ..Self::stream(address) }
    }

    pub(crate) fn bound(self) -> Self {
        Self { is_bound: true, ..self }
    }

    /// Checks the options of a new socket.
    pub(crate) fn check_all(self, options: &[SocketOption]) -> io::Result<()> {
        options.iter().try_for_each(|option| self.check(option))
    }

    /// Checks that the socket has the option and that the value is valid.
    pub(crate) fn check(self, option: &SocketOption) -> io::Result<()> {
        set_option(option, || self.linux_answer(option))
    }

    /// Returns the system's answer to an option.
    fn linux_answer(self, option: &SocketOption) -> io::Result<()> {
        let of_tcp = match (self.family, self.is_stream) {
            (Family::Unix, _) => Err(system(ErrorKind::Unsupported)),
            (_, false) => Err(no_such_option()),
            (_, true) => Ok(()),
        };
        match option {
            SocketOption::KeepAlive(Some(_))
            | SocketOption::Nodelay(_)
            | SocketOption::UserTimeout(_) => of_tcp,
            // The reactor refuses these without a system call.
            SocketOption::Ttl(_) | SocketOption::TrafficClass(_) if self.family == Family::Unix => {
                Err(ErrorKind::Unsupported.into())
            }
            SocketOption::Ttl(0) if self.family == Family::V4 => {
                Err(system(ErrorKind::InvalidInput))
            }
            SocketOption::OnlyIpv6(_) => match self.family {
                Family::V4 => Err(no_such_option()),
                Family::V6 if self.is_bound => Err(system(ErrorKind::InvalidInput)),
                Family::V6 => Ok(()),
                Family::Unix => Err(system(ErrorKind::Unsupported)),
            },
            SocketOption::ReusePort(true) if self.family == Family::Unix => {
                Err(system(ErrorKind::Unsupported))
            }
            // There are no interfaces to bind to.
            SocketOption::Device(name) if !name.is_empty() => Err(ErrorKind::Unsupported.into()),
            _ => Ok(()),
        }
    }
}
