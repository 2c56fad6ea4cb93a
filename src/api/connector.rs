//! Connection attempts.

use crate::api::close::{deregister, reset_on_close};
use crate::api::context::{Context, Pending};
use crate::api::protocol::Factory;
use crate::api::timer::Job;
use crate::source::connector::{Connector, share};
use crate::source::error::cannot_connect;
use crate::source::stream::{Output, Reading, Stream};
use crate::source::table::Source;
use crate::sys::error::{Failure, failed};
use crate::sys::{Readiness, SocketBackend, StreamBackend, StreamSocket};
use crate::values::address::Address;
use crate::values::error::{Error, Explained};
use crate::values::id::Id;
use crate::values::logging::TCP;
use crate::values::options::ConnectOptions;
use crate::values::to_addresses::{LookUp, ToAddresses};
use log::{debug, info};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// The first pause before an attempt is repeated because the queue of the listener was full.
const RETRY_DELAY: Duration = Duration::from_millis(1);

/// # Connecting
impl ConnectOptions {
    /// Connects over TCP with these options. All else is as for [`Context::connect_tcp`].
    ///
    /// ```
    /// # use ropewalk::{ConnectOptions, Error, Protocol, Reactor, Transport};
    /// # use std::time::Duration;
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    /// # }
    /// let mut reactor = Reactor::new()?;
    /// ConnectOptions::new()
    ///     .timeout(Duration::from_secs(3))
    ///     .connect_tcp(reactor.context(), "127.0.0.1:1", || Quiet)?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If `address` is not an address and the name cannot be looked up, or the reactor
    /// [is stopping](Context::is_stopping). The factory receives no callback then.
    #[doc(alias = "connectTCP")]
    #[doc(alias = "create_connection")]
    pub fn connect_tcp(
        &self,
        context: &mut Context,
        address: impl ToAddresses,
        factory: impl Factory,
    ) -> Result<Id, Error> {
        let begun = context.addresses(cannot_connect, address).and_then(|remaining| {
            let remaining = remaining.into_iter().map(Address::from).collect();
            context.open_connector(remaining, self.clone())
        });
        let (id, factory) = context.or_discard(begun, factory)?;
        context.pending.push_back(Pending::SetFactory(id, Box::new(factory)));
        Ok(id)
    }
}

/// # Connecting
impl Context {
    /// Connects to `address` over TCP; `factory` builds the protocol once the connection is established.
    /// [`ConnectOptions::connect_tcp`] does the same with other options than the defaults.
    ///
    /// Exactly one of two results follows, never before the running callback has returned:
    ///
    /// - The factory is asked for a protocol, which receives `connection_made`. If the factory refuses or
    ///   panics, the connection is closed; the factory is dropped and receives no further callback.
    /// - The factory receives [`connection_failed`](Factory::connection_failed), with the address and the
    ///   reason.
    ///
    /// The id that is returned names the attempt first and the connection later. [`transport`](Self::transport)
    /// can be used at once: data written before is sent once the connection is established, and other requests
    /// take effect then. [Closing](Self::close) or [aborting](Self::abort) it before gives the attempt up.
    ///
    /// The attempt fails after 30 seconds ([`ConnectOptions::timeout`]). A factory serves one attempt; to try
    /// again, connect again with a new factory, later (`call_later`), unless the reactor
    /// [is stopping](Self::is_stopping).
    ///
    /// If `address` is a name, its addresses are tried in the system's order until one answers. A name
    /// look-up blocks this thread, and with it the whole reactor; a numeric address needs none.
    ///
    /// # Errors
    ///
    /// If `address` is not an address and the name cannot be looked up, or the reactor
    /// [is stopping](Self::is_stopping). The factory receives no callback then.
    ///
    /// ```
    /// use ropewalk::{Context, Error, Factory, Address, Id, Protocol, Reactor, Transport};
    ///
    /// struct Caller;
    /// struct Call;
    /// impl Factory for Caller {
    ///     fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
    ///         Some(Box::new(Call))
    ///     }
    ///     fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
    ///         println!("{error}");
    ///         context.stop();
    ///     }
    /// }
    /// impl Protocol for Call {
    ///     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    /// }
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.connect_tcp("127.0.0.1:1", Caller)?;
    /// reactor.run()?; // cannot connect to 127.0.0.1:1: connection refused (…)
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias = "connectTCP")]
    #[doc(alias = "create_connection")]
    pub fn connect_tcp(
        &mut self,
        address: impl ToAddresses,
        factory: impl Factory,
    ) -> Result<Id, Error> {
        ConnectOptions::new().connect_tcp(self, address, factory)
    }

    /// Returns the addresses of a name, in the order in which to try them, so that a name that is used
    /// several times is looked up once. A name look-up blocks this thread: do not call it in a callback.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) if no address is found for a name, and
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if `address` is not an address.
    ///
    /// ```
    /// # use ropewalk::{Error, Reactor};
    /// let mut reactor = Reactor::new()?;
    /// let found = reactor.context().look_up("127.0.0.1:80")?;
    /// assert_eq!(found, [([127, 0, 0, 1], 80).into()]);
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias = "getaddrinfo")]
    pub fn look_up(&self, address: impl ToAddresses) -> Result<Vec<SocketAddr>, Error> {
        resolve(cannot_look_up, address, &|name, port| self.backend.look_up(name, port))
    }

    /// Begins a connection attempt with the first of the `remaining` addresses. The caller sets its factory.
    pub(super) fn open_connector(
        &mut self,
        remaining: VecDeque<Address>,
        options: ConnectOptions,
    ) -> Result<Id, Error> {
        let Some(first) = remaining.front().cloned() else {
            return Err(no_address(cannot_connect));
        };
        let what = first.to_string();
        let (now, timers) = (self.backend.now(), &mut self.timers);
        let share = share(options.timeout, remaining.len());
        let slow_reader = options.connection.slow_reader;
        let id = self.sources.insert(|id| {
            Some(Source::Connector(Box::new(Connector {
                socket: None,
                refused: None,
                address: first,
                remaining,
                timer: timers.schedule(now, share, Job::ConnectTimeout(id)),
                deadline: now.checked_add(options.timeout),
                options,
                retry_delay: RETRY_DELAY,
                output: Output::default(),
                paused: false,
                readiness: Readiness::default(),
            })))
        });
        let id = id.ok_or_else(|| cannot_connect(what, no_room()))?;
        self.set_slow_reader_of(id, slow_reader);
        if let Some(Err(error)) = self.begin_attempt(id)
            && let Some(Source::Connector(connector)) = self.sources.get_mut(id)
        {
            // The error is handled when the attempt is served from the ready queue. Otherwise a factory that
            // connects again at once could keep this turn from ending.
            connector.refused = Some(error);
            self.enqueue(id);
        }
        Ok(id)
    }

    /// Tries the next addresses of a connector, after an address that failed with `cause`, until an attempt
    /// is in progress. If no address is left, the connector fails.
    pub(crate) fn connect_next(&mut self, id: Id, mut cause: io::Error) {
        while let Some(outcome) = self.begin_attempt(id) {
            match outcome {
                Ok(()) => return self.give_time(id),
                Err(error) => cause = error,
            }
        }
        self.fail_connector(id, cause);
    }

    /// Starts the timer of the attempt that has just begun. An attempt that waits for a full queue of a
    /// listener keeps its timer.
    fn give_time(&mut self, id: Id) {
        let now = self.backend.now();
        if let Some(Source::Connector(connector)) = self.sources.get_mut(id)
            && connector.socket.is_some()
        {
            let share = connector.share(now);
            // The timer of the last attempt may have fired.
            self.timers.cancel(connector.timer);
            connector.timer = self.timers.schedule(now, share, Job::ConnectTimeout(id));
        }
    }

    /// Begins to connect to the next address. Returns `None` if none is left.
    fn begin_attempt(&mut self, id: Id) -> Option<io::Result<()>> {
        let Some(Source::Connector(connector)) = self.sources.get_mut(id) else {
            return None;
        };
        if let Some(mut socket) = connector.socket.take() {
            deregister(&mut socket);
        }
        // The readiness belongs to the socket of the last attempt.
        connector.readiness = Readiness::default();
        let address = connector.remaining.pop_front()?;
        debug!(target: TCP, "{id} connecting to {address}");
        let connected = self.backend.connect(&address, &(&connector.options).into());
        connector.address = address;
        #[cfg(unix)]
        if connected.as_ref().is_err_and(|error| connector.is_kept_waiting(error)) {
            self.retry_later(id);
            return Some(Ok(()));
        }
        Some(connected.and_then(|mut socket| {
            socket.register(id)?;
            connector.socket = Some(socket);
            Ok(())
        }))
    }

    /// Ends a connection attempt; its factory is notified.
    pub(crate) fn fail_connector(&mut self, id: Id, cause: io::Error) {
        let Some(Source::Connector(connector)) = self.sources.get(id) else {
            return;
        };
        // The system may have established the connection already. After an orderly end the peer would conclude
        // that no data was written.
        if let Some(socket) = &connector.socket
            && connector.output.is_unfinished()
        {
            reset_on_close(id, socket);
        }
        if let Some(Source::Connector(mut connector)) = self.shut(id) {
            self.timers.cancel(connector.timer);
            connector.output.clear(&mut self.spares);
            let error = connector.error(cause);
            info!(target: TCP, "{id} {error}");
            self.pending.push_back(Pending::ConnectFailed(id, error));
        }
    }

    /// Replaces a connector with a socket that is connected to `peer` by a connection under the same id.
    pub(crate) fn establish(&mut self, id: Id, peer: Address) {
        let Some(Source::Connector(connector)) = self.sources.get_mut(id) else {
            return;
        };
        let Some(socket) = connector.socket.take() else { return };
        self.timers.cancel(connector.timer);
        set_nodelay(&socket, connector.options.connection.nodelay);
        let mut stream = Stream::new(socket, peer, self.now);
        stream.output = std::mem::take(&mut connector.output);
        if connector.paused {
            stream.input.reading = Reading::Paused;
        }
        let filters = connector.options.connection.filters().cloned();
        if filters.is_some() {
            stream.output.filter(false);
        }
        stream.check_each_write();
        stream.readiness |= connector.readiness;
        self.sources.replace(id, Source::Stream(stream));
        if let Some(filters) = filters {
            self.begin_handshake(id, filters.handshake_timeout);
        }
        self.watch_progress(id);
    }

    /// Ends an attempt that has taken too long, and tries the next address; unless the socket is connected and
    /// its event has not been handled yet.
    pub(crate) fn time_out(&mut self, id: Id) {
        let Some(Source::Connector(connector)) = self.sources.get_mut(id) else {
            return;
        };
        let is_over = connector.deadline.is_some_and(|deadline| deadline <= self.now);
        let cause = match connector.outcome() {
            Ok(Some(_)) => return self.enqueue(id),
            Ok(None) => io::Error::new(io::ErrorKind::TimedOut, "timed out"),
            Err(error) => error,
        };
        match is_over {
            true => self.fail_connector(id, cause),
            false => self.connect_next(id, cause),
        }
    }

    pub(super) fn addresses(
        &self,
        cannot: Failure,
        address: impl ToAddresses,
    ) -> Result<Vec<SocketAddr>, Error> {
        self.check_not_stopping().map_err(|cause| cannot(name(&address), cause))?;
        resolve(cannot, address, &|name, port| self.backend.look_up(name, port))
    }
}

/// Returns the addresses of `address`. It blocks while a name is looked up.
pub(crate) fn resolve(
    cannot: Failure,
    address: impl ToAddresses,
    look_up: &LookUp<'_>,
) -> Result<Vec<SocketAddr>, Error> {
    address.to_addresses(look_up).map_err(|cause| cannot(name(&address), cause))
}

/// Returns the address as the user wrote it.
pub(super) fn name(address: &impl fmt::Debug) -> String {
    format!("{address:?}").trim_matches('"').to_owned()
}

pub(super) fn set_nodelay(socket: &StreamSocket, nodelay: bool) {
    if nodelay && let Err(error) = socket.set_nodelay(true) {
        // The peer may have disconnected already; the first read reports that.
        debug!(target: TCP, "TCP_NODELAY: {error}");
    }
}

pub(super) fn no_address(cannot: Failure) -> Error {
    let text = "the list of addresses is empty";
    cannot("nowhere".to_owned(), Explained::error(io::ErrorKind::InvalidInput, text))
}

pub(super) fn no_room() -> io::Error {
    io::Error::other("the table of sockets is full")
}

pub(super) fn cannot_look_up(on: String, cause: io::Error) -> Error {
    failed("look up", on, cause, |cause| cause.on_name())
}
