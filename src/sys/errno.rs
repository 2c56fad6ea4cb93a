//! Error numbers of the system that std has no kind for, or that share a kind (errno(3)).

#[cfg(all(unix, feature = "system"))]
mod numbers {
    pub(crate) const ACCES: i32 = libc::EACCES;
    #[cfg(test)]
    pub(crate) const ADDRNOTAVAIL: i32 = libc::EADDRNOTAVAIL;
    pub(crate) const AFNOSUPPORT: i32 = libc::EAFNOSUPPORT;
    pub(crate) const INVAL: i32 = libc::EINVAL;
    #[cfg(feature = "pty")]
    pub(crate) const IO: i32 = libc::EIO;
    pub(crate) const MFILE: i32 = libc::EMFILE;
    pub(crate) const MSGSIZE: i32 = libc::EMSGSIZE;
    pub(crate) const NFILE: i32 = libc::ENFILE;
    pub(crate) const NOBUFS: i32 = libc::ENOBUFS;
    pub(crate) const NODEV: i32 = libc::ENODEV;
    pub(crate) const NOPROTOOPT: i32 = libc::ENOPROTOOPT;
    pub(crate) const PERM: i32 = libc::EPERM;
    pub(crate) const PROTOTYPE: i32 = libc::EPROTOTYPE;
}

/// Windows Sockets has some of them. The others are negative, which no error number is.
#[cfg(not(all(unix, feature = "system")))]
mod numbers {
    pub(crate) const ACCES: i32 = 10_013;
    #[cfg(test)]
    pub(crate) const ADDRNOTAVAIL: i32 = 10_049;
    pub(crate) const AFNOSUPPORT: i32 = 10_047;
    pub(crate) const INVAL: i32 = 10_022;
    pub(crate) const MFILE: i32 = 10_024;
    pub(crate) const MSGSIZE: i32 = 10_040;
    pub(crate) const NFILE: i32 = -1;
    pub(crate) const NOBUFS: i32 = 10_055;
    pub(crate) const NODEV: i32 = -2;
    pub(crate) const NOPROTOOPT: i32 = 10_042;
    pub(crate) const PERM: i32 = -3;
    pub(crate) const PROTOTYPE: i32 = 10_041;
}

pub(crate) use numbers::*;
