//! Connection attempts.

use crate::api::close::{deregister, reset_on_close};
use crate::api::context::{Context, Pending};
use crate::api::factory::Factory;
use crate::api::names::{Destination, name, no_address, no_room};
use crate::api::timer::Job;
use crate::source::connector::{Connector, RETRY_DELAY, Racer};
use crate::source::error::cannot_connect;
use crate::source::stream::{Output, Reading, Stream};
use crate::source::table::Source;
use crate::sys::{SocketBackend, StreamBackend, StreamSocket};
use crate::values::address::Address;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::logging::TCP;
use crate::values::options::{ConnectOptions, ConnectionOptions};
use crate::values::to_addresses::ToAddresses;
use log::{debug, info};
use std::collections::VecDeque;
use std::io;

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
    /// If `address` is neither an address nor a name with a port, or the reactor
    /// [is shutting down](crate::RunPhase::DuringShutdown). The factory receives no callback then.
    #[doc(alias = "connectTCP")]
    #[doc(alias = "HostnameEndpoint")]
    #[doc(alias = "create_connection")]
    pub fn connect_tcp(
        &self,
        context: &mut Context,
        address: impl ToAddresses,
        factory: impl Factory,
    ) -> Result<Id, Error> {
        let destination = context.check_may_open().and_then(|()| context.destination(&address));
        let begun = destination.map_err(|cause| cannot_connect(name(&address), cause));
        let begun = begun.and_then(|destination| context.connect_to(destination, self.clone()));
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
    /// Several addresses race (RFC 8305): each is tried a [delay](ConnectOptions::attempt_delay) after the one
    /// before, or at once if that has failed. The first that connects becomes the connection, and the other
    /// sockets are closed. If all fail, the error lists each address with its reason. The addresses of a list are tried
    /// in its order; those of a name alternate between IPv6 and IPv4.
    ///
    /// A name is looked up without blocking: by the [resolver](crate::Reactor::set_resolver), or by the system on a
    /// thread. The timeout covers the look-up. An address in digits needs none.
    ///
    /// # Errors
    ///
    /// If `address` is neither an address nor a name with a port, or the reactor
    /// [is shutting down](crate::RunPhase::DuringShutdown). The factory receives no callback then.
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
    #[doc(alias = "HostnameEndpoint")]
    #[doc(alias = "create_connection")]
    pub fn connect_tcp(
        &mut self,
        address: impl ToAddresses,
        factory: impl Factory,
    ) -> Result<Id, Error> {
        ConnectOptions::new().connect_tcp(self, address, factory)
    }

    fn connect_to(
        &mut self,
        destination: Destination,
        options: ConnectOptions,
    ) -> Result<Id, Error> {
        let target = destination.to_string();
        match destination {
            Destination::Addresses(found) if found.is_empty() => Err(no_address(cannot_connect)),
            Destination::Addresses(found) => {
                let remaining = found.into_iter().map(Address::from).collect();
                self.open_connector(target, remaining, options)
            }
            Destination::Host(host, port) => {
                let id = self.insert_connector(target, VecDeque::new(), options)?;
                let wanted = self.begin_look_up(id, host, port);
                if let Some(Source::Connector(connector)) = self.sources.get_mut(id) {
                    connector.look_up = Some(wanted);
                }
                Ok(id)
            }
        }
    }

    /// Begins a connection attempt with the first of the `remaining` addresses. The caller sets its factory.
    pub(super) fn open_connector(
        &mut self,
        target: String,
        remaining: VecDeque<Address>,
        options: ConnectOptions,
    ) -> Result<Id, Error> {
        let id = self.insert_connector(target, remaining, options)?;
        match self.begin_attempt(id) {
            // The failure is handled when the attempt is served from the ready queue. Otherwise a factory that
            // connects again at once could keep this turn from ending.
            Some(false) => self.enqueue(id),
            _ => self.start_delay(id),
        }
        Ok(id)
    }

    fn insert_connector(
        &mut self,
        target: String,
        remaining: VecDeque<Address>,
        options: ConnectOptions,
    ) -> Result<Id, Error> {
        let what = target.clone();
        let (now, timers) = (self.backend.now(), &mut self.timers);
        let slow_reader = options.connection.slow_reader;
        let id = self.sources.insert(|id| {
            Some(Source::Connector(Box::new(Connector {
                target,
                look_up: None,
                arrived_singly: false,
                racing: Vec::new(),
                address: Address::Unknown,
                remaining,
                failures: Vec::new(),
                due: false,
                delay_timer: None,
                timer: timers.schedule(now, options.timeout, Job::ConnectTimeout(id)),
                deadline: now.checked_add(options.timeout),
                options,
                retry_delay: RETRY_DELAY,
                output: Output::default(),
                paused: false,
            })))
        });
        let id = id.ok_or_else(|| cannot_connect(what, no_room()))?;
        self.set_slow_reader_of(id, slow_reader);
        Ok(id)
    }

    /// Ends a connection attempt for `cause`; its factory is notified.
    pub(crate) fn fail_connector(&mut self, id: Id, cause: io::Error) {
        if let Some(Source::Connector(connector)) = self.sources.get(id) {
            let error = connector.error(cause);
            self.end_connector(id, error);
        }
    }

    /// Ends a connection attempt of which all addresses have failed; its factory is notified.
    pub(super) fn fail_by_addresses(&mut self, id: Id) {
        if let Some(Source::Connector(connector)) = self.sources.get_mut(id) {
            let error = connector.error_of_failures();
            self.end_connector(id, error);
        }
    }

    fn end_connector(&mut self, id: Id, error: Error) {
        let Some(Source::Connector(mut connector)) = self.sources.replace(id, Source::Gone) else {
            return;
        };
        for mut racer in connector.racing.drain(..) {
            // The system may have established the connection already. After an orderly end the peer would conclude
            // that no data was written.
            if connector.output.is_unfinished() {
                reset_on_close(id, &racer.socket);
            }
            deregister(&mut racer.socket);
        }
        self.cancel_timers(&mut connector);
        connector.output.clear(&mut self.spares);
        info!(target: TCP, "{id} {error}");
        self.pending.push_back(Pending::ConnectFailed(id, error));
    }

    fn cancel_timers(&mut self, connector: &mut Connector) {
        self.timers.cancel(connector.timer);
        if let Some(timer) = connector.delay_timer.take() {
            self.timers.cancel(timer);
        }
    }

    /// Replaces a connector by the connection that it has made to `peer`, under the same id. The other sockets are
    /// closed. Returns the options of the connection; `None` if the socket cannot be registered under that id,
    /// and the next address is tried.
    pub(crate) fn establish(
        &mut self,
        id: Id,
        mut winner: Racer,
        peer: Address,
    ) -> Option<ConnectionOptions> {
        let Source::Connector(connector) = self.sources.get_mut(id)? else {
            return None;
        };
        for mut racer in connector.racing.drain(..) {
            deregister(&mut racer.socket);
        }
        if winner.id != id {
            deregister(&mut winner.socket);
            if let Err(cause) = winner.socket.register(id) {
                connector.failures.push((winner.address, cause));
                self.connect_next(id);
                return None;
            }
        }
        let Source::Connector(mut connector) = self.sources.replace(id, Source::Gone)? else {
            return None;
        };
        self.cancel_timers(&mut connector);
        let Racer { socket, readiness, .. } = winner;
        set_nodelay(&socket, connector.options.connection.nodelay);
        let mut stream = Stream::new(socket, peer, self.now);
        stream.output = std::mem::take(&mut connector.output);
        if connector.paused {
            stream.input.reading = Reading::Paused;
        }
        let options = connector.options.connection;
        if options.filters().is_some() {
            stream.output.filter(false);
        }
        stream.check_each_write();
        stream.readiness |= readiness;
        self.sources.replace(id, Source::Stream(stream));
        if let Some(filters) = options.filters() {
            self.begin_handshake(id, filters.handshake_timeout);
        }
        self.watch_progress(id);
        Some(options)
    }
}

pub(super) fn set_nodelay(socket: &StreamSocket, nodelay: bool) {
    if nodelay && let Err(error) = socket.set_nodelay(true) {
        // The peer may have disconnected already; the first read reports that.
        debug!(target: TCP, "TCP_NODELAY: {error}");
    }
}
