//! Sockets of either family: IP or Unix.

/// Defines an enum of a socket with an IP address and a Unix socket, as mio's types.
macro_rules! family {
    ($(#[$documentation:meta])* $name:ident, $inet:ty, $unix:ty) => {
        $(#[$documentation])*
        #[derive(Debug)]
        enum $name {
            Inet($inet),
            #[cfg(unix)]
            Unix($unix),
        }

        impl $name {
            fn source(&mut self) -> &mut dyn mio::event::Source {
                match self {
                    Self::Inet(socket) => socket,
                    #[cfg(unix)]
                    Self::Unix(socket) => socket,
                }
            }

            fn local_address(&self) -> std::io::Result<crate::values::address::Address> {
                match self {
                    Self::Inet(socket) => socket.local_addr().map(Into::into),
                    #[cfg(unix)]
                    Self::Unix(socket) => Ok(crate::sys::unix::address(&socket.local_addr()?)),
                }
            }
        }

        #[cfg(unix)]
        impl std::os::fd::AsFd for $name {
            // An echo needs the descriptor twice.
            #[inline(always)]
            fn as_fd(&self) -> crate::sys::BorrowedFd<'_> {
                match self {
                    Self::Inet(socket) => socket.as_fd(),
                    Self::Unix(socket) => socket.as_fd(),
                }
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsSocket for $name {
            fn as_socket(&self) -> crate::sys::Borrowed<'_> {
                match self {
                    Self::Inet(socket) => socket.as_socket(),
                }
            }
        }

        #[cfg(unix)]
        impl From<$name> for crate::sys::OwnedFd {
            fn from(socket: $name) -> Self {
                match socket {
                    $name::Inet(socket) => socket.into(),
                    $name::Unix(socket) => socket.into(),
                }
            }
        }
    };
}

pub(super) use family;
