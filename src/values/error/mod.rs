//! What went wrong, on which address, and what to do about it.

mod advice;

use crate::values::errno;
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
    Handshake,
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

    /// The kind of the system's error, to match on. A name of a host for which no address is found is
    /// [`NotFound`](io::ErrorKind::NotFound). An address of the other family, IPv6 for a socket on IPv4 say,
    /// is [`Unsupported`](io::ErrorKind::Unsupported), for which std has no kind.
    pub fn kind(&self) -> io::ErrorKind {
        kind(&self.cause)
    }

    /// The system's error.
    pub fn io_error(&self) -> &io::Error {
        &self.cause
    }
}

/// The kind of a cause, also of those for which std has none.
pub(crate) fn kind(cause: &io::Error) -> io::ErrorKind {
    match cause.raw_os_error() {
        Some(errno::AFNOSUPPORT | errno::NOPROTOOPT) => io::ErrorKind::Unsupported,
        _ => cause.kind(),
    }
}

/// A cause whose text says what to do about it, so that no advice is added.
#[derive(Debug)]
pub(crate) struct Explained(String);

impl Explained {
    /// As an error of the system's.
    pub(crate) fn error(kind: io::ErrorKind, text: impl Into<String>) -> io::Error {
        io::Error::new(kind, Self(text.into()))
    }
}

impl std::error::Error for Explained {}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

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
            Action::Handshake => "cannot complete the handshake with ",
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
mod tests;
