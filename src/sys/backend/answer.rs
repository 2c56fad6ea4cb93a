//! The answer to a look-up of a name.

use crate::values::error::Explained;
use crate::values::id::Id;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

/// The most addresses of a name that are used.
const MAX_ADDRESSES: usize = 256;

/// Answers one look-up of a name. Whatever resolves the name, on any thread, reports the addresses to the reactor by
/// it: all at once with [`succeed`](Self::succeed), or one by one as they are [found](Self::found), and then the
/// [end](Self::end) or a [failure](Self::fail).
///
/// The reactor needs no answer any more once the look-up [is not wanted](Self::is_wanted); then it ignores what is
/// reported. An answer that is dropped without an end is a failure. Of one name 256 addresses are used.
///
/// ```
/// use ropewalk::{Answer, Context, Reactor};
///
/// let mut reactor = Reactor::new()?;
/// reactor.set_resolver(|_: &mut Context, host: &str, port, answer: Answer| match host {
///     "printer" => {
///         answer.succeed([([127, 0, 0, 1], port).into()]);
///         None
///     }
///     _ => Some(answer), // The system looks all other names up.
/// });
/// reactor.context().resolve("printer:631", |context, found| {
///     assert_eq!(found.unwrap()[0].to_string(), "127.0.0.1:631");
///     context.stop();
/// })?;
/// reactor.run()?;
/// # Ok::<(), ropewalk::Error>(())
/// ```
pub struct Answer {
    /// `None` once the end was reported.
    report: Option<Box<dyn Fn(Answered) + Send>>,
    wanted: Weak<()>,
    id: Id,
    /// The number of addresses so far.
    found: usize,
}

/// What an [`Answer`] reports.
#[derive(Debug)]
pub enum Answered {
    /// One of several addresses.
    Found(SocketAddr),
    /// All other addresses, in the order in which to try them.
    Ended(Vec<SocketAddr>),
    /// The look-up has failed.
    Failed(io::Error),
}

impl Answer {
    /// Makes the answer of a look-up that is wanted until `wanted` is dropped.
    pub(crate) fn new(
        id: Id,
        wanted: &Arc<()>,
        report: impl Fn(Answered) + Send + 'static,
    ) -> Self {
        Self { report: Some(Box::new(report)), wanted: Arc::downgrade(wanted), id, found: 0 }
    }

    /// Returns the id of the look-up, or of the connection attempt, that needs the answer.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Reports one address; others may follow. A connection attempt begins with it, after at most 50 ms in which an
    /// IPv6 address may still arrive (the Resolution Delay of RFC 8305, section 3).
    pub fn found(&mut self, address: SocketAddr) {
        self.found += 1;
        if self.found <= MAX_ADDRESSES
            && let Some(report) = &self.report
        {
            report(Answered::Found(address));
        }
    }

    /// Reports all addresses, in the order in which to try them, and ends the look-up.
    pub fn succeed(mut self, addresses: impl IntoIterator<Item = SocketAddr>) {
        let left = MAX_ADDRESSES.saturating_sub(self.found);
        self.finish(Answered::Ended(addresses.into_iter().take(left).collect()));
    }

    /// Ends the look-up. If nothing was found, it has failed: the name has no address.
    pub fn end(self) {
        self.succeed([]);
    }

    /// Ends the look-up because of an error. Addresses that were found before are used nevertheless.
    pub fn fail(mut self, error: io::Error) {
        self.finish(Answered::Failed(error));
    }

    /// Returns false if the look-up was cancelled or has timed out.
    pub fn is_wanted(&self) -> bool {
        self.wanted.strong_count() > 0
    }

    fn finish(&mut self, end: Answered) {
        if let Some(report) = self.report.take() {
            report(end);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.report.is_some() {
            self.finish(Answered::Failed(io::Error::other("the resolver did not answer")));
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("is_wanted", &self.is_wanted()).finish_non_exhaustive()
    }
}

/// Returns the error of an unknown service.
pub(crate) fn no_service(service: &str, protocol: &str) -> io::Error {
    let text =
        format!("there is no service `{service}` of {protocol} (see services(5), or use a number)");
    Explained::error(io::ErrorKind::InvalidInput, text)
}
