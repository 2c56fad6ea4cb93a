//! What went wrong, on which address, and what to do about it.

use crate::socket_option::Unset;
use crate::zone::NoInterface;
use std::fmt;
use std::io;

/// A request to the system that failed.
///
/// It says what was tried, on which address, why it failed, and what to do about it where we know:
///
/// ```
/// use ropewalk::{Protocol, Reactor, Transport};
///
/// struct Quiet;
/// impl Protocol for Quiet {
///     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
/// }
///
/// let mut reactor = Reactor::new().unwrap();
/// let port = reactor.listen_tcp("127.0.0.1:0", || Quiet).unwrap();
/// let error = reactor.listen_tcp(port.address(), || Quiet).unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
/// let expected = format!("cannot listen on {}: address already in use", port.address());
/// assert!(error.to_string().starts_with(&expected), "{error}");
/// ```
///
/// `Debug` prints the same sentence, for that is what a program shows whose `main` returns it.
pub struct Error {
    action: Action,
    /// Empty where no address is involved.
    address: String,
    cause: io::Error,
}

/// What was tried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    #[cfg_attr(not(unix), allow(dead_code))]
    Adopt,
    #[cfg_attr(not(all(unix, feature = "signals")), allow(dead_code))]
    CatchSignals,
    Connect,
    #[cfg_attr(not(unix), allow(dead_code))]
    ConnectUnix,
    Join,
    Leave,
    #[cfg_attr(not(unix), allow(dead_code))]
    Detach,
    #[cfg_attr(not(all(unix, feature = "systemd")), allow(dead_code))]
    Inherit,
    Listen,
    LookUp,
    #[cfg_attr(not(unix), allow(dead_code))]
    ListenUnix,
    OpenPing,
    OpenRaw,
    #[cfg_attr(not(unix), allow(dead_code))]
    Pass,
    Poll,
    RegisterProducer,
    Receive,
    Send,
    SendUnix,
    SetOption,
    Start,
    #[cfg_attr(not(unix), allow(dead_code))]
    Watch,
}

impl Error {
    pub(crate) fn new(action: Action, address: impl Into<String>, cause: io::Error) -> Self {
        Self { action, address: address.into(), cause }
    }

    /// The kind of the system's error, to match on.
    pub fn kind(&self) -> io::ErrorKind {
        self.cause.kind()
    }

    /// The system's error.
    pub fn io_error(&self) -> &io::Error {
        &self.cause
    }

    fn advice(&self) -> Option<&'static str> {
        use io::ErrorKind::*;
        let cause = self.cause.get_ref();
        if cause.is_some_and(|cause| cause.is::<Unset>() || cause.is::<NoInterface>()) {
            return None; // It has advice of its own.
        }
        // ENFILE and EMFILE have no stable kind.
        #[cfg(unix)]
        if matches!(self.cause.raw_os_error(), Some(23 | 24)) {
            return Some("too many files are open; raise the limit with `ulimit -n`");
        }
        if self.action == Action::Send && self.cause.raw_os_error() == Some(TOO_LONG) {
            return Some(
                "a UDP datagram holds at most 65,507 bytes over IPv4 and 65,527 over IPv6",
            );
        }
        if self.action == Action::Join {
            return self.advice_on_joining();
        }
        if let Action::ConnectUnix | Action::ListenUnix | Action::SendUnix = self.action {
            return self.advice_on_unix();
        }
        Some(match (self.action, self.kind()) {
            (Action::Listen, AddrInUse) => {
                "another program listens there; choose another port, or port 0 to let the system \
                 choose one"
            }
            (Action::Listen, AddrNotAvailable) => {
                "this machine has no such address; try 127.0.0.1, or 0.0.0.0 for all of them"
            }
            (Action::Listen, PermissionDenied) => {
                "ports below 1024 need a privilege; choose one above"
            }
            (Action::RegisterProducer, AlreadyExists) => {
                "the connection has one; unregister it first, or write its data after its own"
            }
            (Action::Watch, PermissionDenied) => {
                "the system's poll does not take regular files and directories, which are always \
                 ready: read it at once, or in a thread"
            }
            (Action::Connect, ConnectionRefused) => "nothing listens there; is the server running?",
            (Action::Connect, TimedOut) => {
                "no answer; is the address right, and does a firewall stand between?"
            }
            (Action::Connect, HostUnreachable | NetworkUnreachable) => {
                "this machine knows no way there"
            }
            (Action::Listen | Action::Connect | Action::LookUp, InvalidInput) => {
                "write it as HOST:PORT, such as 127.0.0.1:7000 or [::1]:7000"
            }
            (Action::Leave, AddrNotAvailable) => "it was not joined there",
            (Action::OpenPing, PermissionDenied) => {
                "allow it to your groups, with `sysctl net.ipv4.ping_group_range='0 2147483647'`, or \
                 use a raw socket, with the privilege CAP_NET_RAW"
            }
            (Action::OpenRaw, PermissionDenied) => {
                "it needs the privilege CAP_NET_RAW: run the program with `sudo`, or give it the \
                 privilege with `sudo setcap cap_net_raw+ep PROGRAM`"
            }
            (Action::Send, PermissionDenied) => {
                "broadcasting has to be allowed first, with `broadcast`; else a firewall forbids it"
            }
            (Action::Send, NotConnected) => "use `send_to`, or `connect` it first",
            (Action::Send, WouldBlock) => "send less, or wait for `resume_writing`",
            (Action::Send, HostUnreachable | NetworkUnreachable) => {
                "this machine knows no way there"
            }
            _ => return None,
        })
    }

    /// On the names of Unix sockets.
    fn advice_on_unix(&self) -> Option<&'static str> {
        use io::ErrorKind::*;
        Some(match (self.action, self.kind()) {
            (_, InvalidInput) if self.cause.raw_os_error().is_none() => {
                "choose another; a path may be relative to the working directory"
            }
            (Action::ListenUnix, AddrInUse) => {
                "another program has that name; stop it, or choose another name"
            }
            (Action::ListenUnix, AlreadyExists) => {
                "it is left alone; choose another path, or remove it yourself"
            }
            (Action::ListenUnix, NotFound) => "its directory has to be made first",
            (Action::ListenUnix, PermissionDenied) => {
                "this user has to be allowed to write to the directory, and to what another left \
                 there; choose a directory of its own"
            }
            (Action::SendUnix, _) if self.cause.raw_os_error() == Some(TOO_LONG) => {
                "it may be as long as the send buffer; raise that with `send_buffer_size`"
            }
            (Action::SendUnix, WouldBlock) => "send less, or wait for `resume_writing`",
            (Action::ConnectUnix | Action::SendUnix, ConnectionRefused) => {
                "nobody listens there any more; is the server running?"
            }
            (Action::ConnectUnix | Action::SendUnix, NotFound) => {
                "no such socket; is the server running?"
            }
            (Action::ConnectUnix | Action::SendUnix, PermissionDenied) => {
                "this user has to be allowed to write to the socket's file, and to enter its \
                 directory"
            }
            (Action::ConnectUnix, TimedOut) => "the server's queue was full all the time",
            _ => return None,
        })
    }
}

impl Error {
    fn advice_on_joining(&self) -> Option<&'static str> {
        // ENODEV and ENOBUFS have no stable kinds.
        Some(match (self.cause.raw_os_error(), self.kind()) {
            (Some(19), _) => "no such interface, or no route to the group; name another interface",
            (Some(105), _) => "too many groups; raise `net.ipv4.igmp_max_memberships` (sysctl(8))",
            (_, io::ErrorKind::AddrInUse) => "it was joined before",
            (None, io::ErrorKind::InvalidInput) => {
                "groups are 224.0.0.0 to 239.255.255.255, and ff00::/8"
            }
            _ => return None,
        })
    }
}

/// EMSGSIZE, which has no stable kind.
const TOO_LONG: i32 = match () {
    _ if cfg!(windows) => 10_040,
    _ if cfg!(any(target_os = "linux", target_os = "android")) => 90,
    _ => 40,
};

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.action {
            Action::Adopt => "cannot adopt ",
            Action::CatchSignals => "cannot catch signals",
            Action::Connect | Action::ConnectUnix => "cannot connect to ",
            Action::Join => "cannot join ",
            Action::Leave => "cannot leave ",
            Action::Detach => "cannot detach ",
            Action::Inherit => "cannot take an inherited socket over",
            Action::Listen | Action::ListenUnix => "cannot listen on ",
            Action::LookUp => "cannot look up ",
            Action::OpenPing => "cannot open a ping socket ",
            Action::OpenRaw => "cannot open a raw socket ",
            Action::Pass => "cannot pass descriptors to ",
            Action::Poll => "cannot wait for events",
            Action::RegisterProducer => "cannot register a producer for ",
            Action::Receive => "cannot receive on ",
            Action::Send | Action::SendUnix => "cannot send ",
            Action::SetOption => "cannot set an option of ",
            Action::Start => "cannot start a reactor",
            Action::Watch => "cannot watch the descriptor",
        })?;
        write!(f, "{}: {}", self.address, Sentence(&self.cause))?;
        match self.advice() {
            Some(advice) => write!(f, " ({advice})"),
            None => Ok(()),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.kind(), error)
    }
}

/// The system's own words, as part of a sentence: no capital, no error number.
pub(crate) struct Sentence<'a>(pub(crate) &'a io::Error);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        let mut characters = text.chars();
        match characters.next() {
            // A name, such as LISTEN_FDS, stays as it is.
            Some(first) if !characters.as_str().starts_with(char::is_uppercase) => {
                write!(f, "{}{}", first.to_lowercase(), characters.as_str())
            }
            _ => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_where_why_and_what_to_do() {
        let cause = io::Error::from_raw_os_error(98);
        let error = Error::new(Action::Listen, "127.0.0.1:7001", cause);
        let text = error.to_string();
        assert!(text.contains("127.0.0.1:7001") && text.contains("port 0"), "{text}");
        assert_eq!(format!("{error:?}"), text);
        assert_eq!(io::Error::from(error).to_string(), text);
    }
}
