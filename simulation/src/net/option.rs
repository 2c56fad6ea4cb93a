//! Which options a socket has, and what Linux answers to others.

use crate::net::error::{no_such_option, system};
use ropewalk::backend::set_option;
use ropewalk::{Address, SocketOption};
use std::io::{self, ErrorKind};

/// A socket, as far as its options depend on it.
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
    /// A socket for connections that is going to have this address, or this peer.
    pub(crate) fn stream(address: &Address) -> Self {
        let family = match address.ip() {
            Some(ip) if ip.is_ipv4() => Family::V4,
            Some(_) => Family::V6,
            None => Family::Unix,
        };
        Self { family, is_stream: true, is_bound: false }
    }

    /// The same for datagrams.
    pub(crate) fn datagrams(address: &Address) -> Self {
        Self { is_stream: false, ..Self::stream(address) }
    }

    pub(crate) fn bound(self) -> Self {
        Self { is_bound: true, ..self }
    }

    /// Whether a socket can be made with these.
    pub(crate) fn check_all(self, options: &[SocketOption]) -> io::Result<()> {
        options.iter().try_for_each(|option| self.check(option))
    }

    /// Whether an option can be set: the socket has it, and its value makes sense.
    pub(crate) fn check(self, option: &SocketOption) -> io::Result<()> {
        set_option(option, || self.linux_answer(option))
    }

    /// What the system says of an option.
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
            // The reactor does not even ask.
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
            // There are no interfaces to be tied to.
            SocketOption::Device(name) if !name.is_empty() => Err(ErrorKind::Unsupported.into()),
            _ => Ok(()),
        }
    }
}
