//! Errors: what was tried, on what, why it failed, and what to do about it.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// A request to the system that failed.
///
/// It says what was tried, on which address, why it failed, and what to do about it where that is known:
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
/// `Debug` prints the same sentence, since a program shows that if its `main` returns the error.
///
/// Other crates make errors of the same form with [`Error::new`].
pub struct Error(Box<Fields>);

/// In a box, so that results with an error stay small.
struct Fields {
    action: Cow<'static, str>,
    /// Empty where nothing is named.
    on: String,
    kind: io::ErrorKind,
    cause: io::Error,
    advice: Option<Cow<'static, str>>,
}

impl Error {
    /// Makes an error. It reads "cannot ACTION ON: CAUSE". `on` is the address or the file concerned, and may
    /// be empty.
    ///
    /// ```
    /// use ropewalk::Error;
    /// use std::io;
    ///
    /// let cause = io::Error::from(io::ErrorKind::NotFound);
    /// let error = Error::new("read the certificate", "server.pem", cause)
    ///     .advice("give its path with --certificate");
    /// assert_eq!(error.kind(), io::ErrorKind::NotFound);
    /// assert_eq!(
    ///     error.to_string(),
    ///     "cannot read the certificate server.pem: entity not found (give its path with --certificate)"
    /// );
    /// ```
    pub fn new(
        action: impl Into<Cow<'static, str>>,
        on: impl Into<String>,
        cause: io::Error,
    ) -> Self {
        let (action, on, kind) = (action.into(), on.into(), cause.kind());
        Self(Box::new(Fields { action, on, kind, cause, advice: None }))
    }

    /// Sets what to do about the error. It is printed in parentheses behind the cause. Give it only where
    /// the error has one cause, or a few that can all be named.
    #[must_use]
    pub fn advice(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.0.advice = Some(advice.into());
        self
    }

    /// Sets the kind, where the cause has a number for which std has no kind.
    pub(crate) fn of_kind(mut self, kind: io::ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Returns the kind of the system's error, to match on. A name of a host for which no address is found is
    /// [`NotFound`](io::ErrorKind::NotFound). An address of the other family, such as IPv6 for a socket on
    /// IPv4, is [`Unsupported`](io::ErrorKind::Unsupported), for which std has no kind.
    pub fn kind(&self) -> io::ErrorKind {
        self.0.kind
    }

    /// Returns the system's error.
    pub fn io_error(&self) -> &io::Error {
        &self.0.cause
    }

    /// Returns the advice, for tests.
    #[cfg(test)]
    pub(crate) fn advised(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }
}

/// A cause with advice in its text, so that none is added.
#[derive(Debug)]
pub(crate) struct Explained(String);

impl Explained {
    /// Makes an `io::Error` of it.
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
        Some(&self.0.cause)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fields { action, on, cause, advice, .. } = &*self.0;
        let space = if on.is_empty() { "" } else { " " };
        write!(f, "cannot {action}{space}{on}: {}", Sentence(cause))?;
        match advice {
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
    fn error_names_action_address_cause_and_advice() {
        let cause = io::Error::from(io::ErrorKind::AddrInUse);
        let error = Error::new("listen on", "127.0.0.1:7001", cause).advice("choose port 0");
        let text = error.to_string();
        assert!(text.contains("127.0.0.1:7001") && text.ends_with("(choose port 0)"), "{text}");
        assert_eq!(format!("{error:?}"), text);
        assert_eq!(io::Error::from(error).to_string(), text);
    }
}
