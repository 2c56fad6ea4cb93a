//! Error numbers of the system that std has no kind for, or that share a kind (errno(3)).

#[cfg(all(unix, feature = "system"))]
mod numbers {
    use nix::errno::Errno;

    pub(crate) const ACCES: i32 = Errno::EACCES as i32;
    #[cfg(test)]
    pub(crate) const ADDRNOTAVAIL: i32 = Errno::EADDRNOTAVAIL as i32;
    pub(crate) const AFNOSUPPORT: i32 = Errno::EAFNOSUPPORT as i32;
    pub(crate) const INVAL: i32 = Errno::EINVAL as i32;
    #[cfg(feature = "pty")]
    pub(crate) const IO: i32 = Errno::EIO as i32;
    pub(crate) const MFILE: i32 = Errno::EMFILE as i32;
    pub(crate) const MSGSIZE: i32 = Errno::EMSGSIZE as i32;
    pub(crate) const NFILE: i32 = Errno::ENFILE as i32;
    pub(crate) const NOBUFS: i32 = Errno::ENOBUFS as i32;
    pub(crate) const NODEV: i32 = Errno::ENODEV as i32;
    pub(crate) const NOPROTOOPT: i32 = Errno::ENOPROTOOPT as i32;
    pub(crate) const PERM: i32 = Errno::EPERM as i32;
    pub(crate) const PROTOTYPE: i32 = Errno::EPROTOTYPE as i32;
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
