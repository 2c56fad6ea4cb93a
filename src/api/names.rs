//! Names of hosts: look-ups, and resolvers.

use crate::api::context::{Context, Pending};
use crate::api::handle::Sent;
use crate::api::timer::Job;
use crate::source::names::{LOOK_UP_TIMEOUT, LookUpState, Wanted};
use crate::source::table::Source;
use crate::sys::error::{Failure, failed};
use crate::sys::{Answer, Answered};
use crate::values::error::{Error, Explained};
use crate::values::id::Id;
use crate::values::journal::RecordKind;
use crate::values::logging::REACTOR;
use crate::values::to_addresses::{Target, ToAddresses};
use crate::values::zone::{in_digits, zoned};
use log::debug;
use std::any::type_name;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// Looks names up in place of the system. A closure can be one. See
/// [`Reactor::set_resolver`](crate::Reactor::set_resolver).
#[allow(unused_variables)] // The names are the documentation.
pub trait Resolver: 'static {
    /// Begins to look a name up, and returns at once. `answer` takes the addresses, with this `port`, now or later, from
    /// any thread. Returning it leaves the look-up to the system.
    ///
    /// Addresses in digits are not looked up. A panic fails the look-up.
    #[doc(alias = "resolveHostName")]
    #[doc(alias = "getaddrinfo")]
    fn resolve(
        &mut self,
        context: &mut Context,
        host: &str,
        port: u16,
        answer: Answer,
    ) -> Option<Answer>;

    /// Returns the name of this type, for the logs and for [`Backend::called`](crate::backend::Backend::called).
    fn type_name(&self) -> &'static str {
        type_name::<Self>()
    }
}

impl<F> Resolver for F
where
    F: FnMut(&mut Context, &str, u16, Answer) -> Option<Answer> + 'static,
{
    fn resolve(
        &mut self,
        context: &mut Context,
        host: &str,
        port: u16,
        answer: Answer,
    ) -> Option<Answer> {
        self(context, host, port, answer)
    }
}

/// The closure that receives the result of a look-up.
pub(crate) trait Resolution {
    fn make(self: Box<Self>, context: &mut Context, found: Found);

    /// Returns the name of the closure, for the logs.
    fn name(&self) -> &'static str;
}

/// The result of a look-up.
pub(crate) type Found = Result<Vec<SocketAddr>, Error>;

impl<F: FnOnce(&mut Context, Found)> Resolution for F {
    fn make(self: Box<Self>, context: &mut Context, found: Found) {
        self(context, found);
    }

    fn name(&self) -> &'static str {
        type_name::<F>()
    }
}

/// # Names
impl Context {
    /// Looks up the addresses of a name without blocking, and calls `call` once with them, in the order in which to try
    /// them, or with the error. The call is never made before the running callback has returned.
    ///
    /// A look-up takes at most 30 seconds. [Closing](Self::close) the id that is returned cancels it: `call` receives
    /// an error. An address in digits needs no look-up. [`connect_tcp`](Self::connect_tcp) looks names up itself.
    ///
    /// # Errors
    ///
    /// If `address` is neither an address nor a name with a port, or the reactor
    /// [is shutting down](crate::RunPhase::DuringShutdown). The call is not made then.
    ///
    /// ```
    /// # use ropewalk::{Error, Reactor};
    /// let mut reactor = Reactor::new()?;
    /// reactor.context().resolve("localhost:80", |context, found| {
    ///     println!("{:?}", found.unwrap()); // [127.0.0.1:80] or [[::1]:80, 127.0.0.1:80]
    ///     context.stop();
    /// })?;
    /// reactor.run()?;
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias = "getaddrinfo")]
    pub fn resolve(
        &mut self,
        address: impl ToAddresses,
        call: impl FnOnce(&mut Self, Result<Vec<SocketAddr>, Error>) + 'static,
    ) -> Result<Id, Error> {
        let opened = self.open_look_up(&address);
        let opened = opened.map_err(|cause| cannot_look_up(name(&address), cause));
        let ((id, destination), call) = self.or_discard(opened, call)?;
        self.pending.push_back(Pending::SetResolution(id, Box::new(call)));
        match destination {
            Destination::Addresses(found) => self.end_look_up(id, Ok(found)),
            Destination::Host(host, port) => {
                let wanted = self.begin_look_up(id, host, port);
                if let Some(Source::LookUp(state)) = self.sources.get_mut(id) {
                    state.wanted = Some(wanted);
                }
            }
        }
        Ok(id)
    }

    /// Returns addresses to listen on. A name is looked up only while the reactor does not run.
    pub(crate) fn addresses(&self, cannot: Failure, address: impl ToAddresses) -> Found {
        let found = self.destination(&address).and_then(|destination| match destination {
            Destination::Addresses(addresses) => Ok(addresses),
            Destination::Host(host, port) => self.look_up_now(&host, port, self.may_block),
        });
        found.map_err(|cause| cannot(name(&address), cause))
    }

    /// Looks a name up in this call, if that `may_block`. An address with an interface never does.
    pub(super) fn look_up_now(
        &self,
        host: &str,
        port: u16,
        may_block: bool,
    ) -> io::Result<Vec<SocketAddr>> {
        if may_block || zoned(host).is_some() {
            return self.backend.look_up(host, port);
        }
        let text = "looking up the name would block the reactor (use an address, or look the name \
                    up first with `resolve`)";
        Err(Explained::error(io::ErrorKind::InvalidInput, text))
    }

    /// Looks a host and a port of UDP up in this call. The name of a host is only looked up if that `may_block`.
    pub(super) fn look_up_udp(
        &self,
        host: &str,
        port: &str,
        may_block: bool,
    ) -> io::Result<Vec<SocketAddr>> {
        let port = self.port(port, "udp")?;
        match in_digits(host, port) {
            Some(address) => Ok(vec![address]),
            None => self.look_up_now(host, port, may_block),
        }
    }

    /// Returns a port that is given by its number or by the name of its service.
    fn port(&self, text: &str, protocol: &str) -> io::Result<u16> {
        text.parse().or_else(|_| self.backend.service_port(text, protocol))
    }

    /// Returns what an address stands for, as far as that is known without blocking.
    pub(super) fn destination(&self, address: &impl ToAddresses) -> io::Result<Destination> {
        let (host, service) = match address.target()? {
            Target::Addresses(addresses) => return Ok(Destination::Addresses(addresses)),
            Target::Host { host, service } => (host, service),
        };
        let port = self.port(&service, "tcp")?;
        if let Some(address) = in_digits(&host, port) {
            return Ok(Destination::Addresses(vec![address]));
        }
        if zoned(&host).is_some() {
            return Ok(Destination::Addresses(self.backend.look_up(&host, port)?));
        }
        Ok(Destination::Host(host, port))
    }

    fn open_look_up(&mut self, address: &impl ToAddresses) -> io::Result<(Id, Destination)> {
        self.check_may_open()?;
        let destination = self.destination(address)?;
        let target = destination.to_string();
        let (now, timers) = (self.backend.now(), &mut self.timers);
        let id = self.sources.insert(|id| {
            let timer = timers.schedule(now, LOOK_UP_TIMEOUT, Job::LookUpTimeout(id));
            let state = LookUpState { target, found: Vec::new(), timer, wanted: None };
            Some(Source::LookUp(Box::new(state)))
        });
        Ok((id.ok_or_else(no_room)?, destination))
    }

    /// Begins to look a name up for a source.
    pub(super) fn begin_look_up(&mut self, id: Id, host: String, port: u16) -> Wanted {
        debug!(target: REACTOR, "{id} looking up {host}");
        let (wanted, handle) = (Arc::new(()), self.handle());
        let report = move |answered| {
            // If the reactor was dropped, so was the source.
            let _ = handle.send(Sent::Answer(id, answered));
        };
        let answer = Answer::new(id, &wanted, report);
        match self.has_resolver {
            true => self.pending.push_back(Pending::LookUp(host, port, answer)),
            false => self.backend.begin_look_up(&host, port, answer),
        }
        wanted
    }

    /// Handles what was reported for a look-up. If that is over, it does nothing.
    pub(crate) fn handle_answer(&mut self, id: Id, answered: Answered) {
        let addresses = match &answered {
            Answered::Found(_) => 1,
            Answered::Failed(_) => 0,
            Answered::Ended(found) => found.len(),
        };
        self.journal.note(id, RecordKind::Resolved, 0, addresses);
        match self.sources.get_mut(id) {
            Some(Source::Connector(connector)) if connector.look_up.is_some() => {
                self.connect_to_answer(id, answered);
            }
            Some(Source::LookUp(state)) => match answered {
                Answered::Found(address) => state.found.push(address),
                Answered::Failed(cause) if state.found.is_empty() => {
                    self.end_look_up(id, Err(cause));
                }
                Answered::Failed(_) => self.end_look_up(id, Ok(Vec::new())),
                Answered::Ended(found) => self.end_look_up(id, Ok(found)),
            },
            _ => debug!(target: REACTOR, "{id} dropped a late answer to a look-up"),
        }
    }

    /// Ends a look-up, and has its result called. `found` are the last addresses.
    pub(crate) fn end_look_up(&mut self, id: Id, found: io::Result<Vec<SocketAddr>>) {
        let Some(Source::LookUp(state)) = self.sources.replace(id, Source::Gone) else {
            return;
        };
        let LookUpState { target, found: mut all, timer, .. } = *state;
        self.timers.cancel(timer);
        let found = found.and_then(|mut found| {
            all.append(&mut found);
            match all.is_empty() {
                true => Err(not_found()),
                false => Ok(all),
            }
        });
        let found = found.map_err(|cause| cannot_look_up(target, cause));
        self.pending.push_back(Pending::Resolved(id, found));
    }
}

/// What a request is to connect to, or to listen on.
#[derive(Debug)]
pub(super) enum Destination {
    Addresses(Vec<SocketAddr>),
    /// A name to look up, and the port.
    Host(String, u16),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses(addresses) => match addresses[..] {
                [only] => write!(f, "{only}"),
                _ => write!(f, "{} addresses", addresses.len()),
            },
            Self::Host(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

/// Returns the address as the user wrote it.
pub(crate) fn name(address: &impl fmt::Debug) -> String {
    format!("{address:?}").trim_matches('"').to_owned()
}

pub(super) fn no_address(cannot: Failure) -> Error {
    let text = "the list of addresses is empty";
    cannot("[]".to_owned(), Explained::error(io::ErrorKind::InvalidInput, text))
}

pub(super) fn no_room() -> io::Error {
    io::Error::other("the table of sockets is full")
}

pub(super) fn not_found() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the name has no address")
}

/// The cause of the failure of a look-up that has taken too long.
pub(crate) fn look_up_timed_out() -> io::Error {
    let text = "the look-up of the name timed out (is the name server reachable?)";
    Explained::error(io::ErrorKind::TimedOut, text)
}

pub(crate) fn cannot_look_up(on: String, cause: io::Error) -> Error {
    failed("look up", on, cause, |cause| cause.on_name())
}
