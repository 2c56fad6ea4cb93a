//! Shortcuts for programs that listen or connect before a run.

use crate::api::datagram_protocol::DatagramProtocol;
use crate::api::factory::Factory;
use crate::api::listener::Port;
use crate::reactor::Reactor;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::to_address::ToAddress;
use crate::values::to_addresses::ToAddresses;
#[cfg(unix)]
use crate::values::unix_address::UnixAddress;

impl Reactor {
    /// [`Context::listen_tcp`](crate::Context::listen_tcp), before a run.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn listen_tcp(
        &mut self,
        address: impl ToAddresses,
        factory: impl Factory,
    ) -> Result<Port, Error> {
        self.context().listen_tcp(address, factory)
    }

    /// [`Context::connect_tcp`](crate::Context::connect_tcp), before a run.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn connect_tcp(
        &mut self,
        address: impl ToAddresses,
        factory: impl Factory,
    ) -> Result<Id, Error> {
        self.context().connect_tcp(address, factory)
    }

    /// [`Context::listen_udp`](crate::Context::listen_udp), before a run.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn listen_udp(
        &mut self,
        address: impl ToAddress,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        self.context().listen_udp(address, protocol)
    }

    /// [`Context::listen_unix`](crate::Context::listen_unix), before a run.
    ///
    /// # Errors
    ///
    /// As there.
    #[cfg(unix)]
    pub fn listen_unix(
        &mut self,
        address: impl Into<UnixAddress>,
        factory: impl Factory,
    ) -> Result<Port, Error> {
        self.context().listen_unix(address, factory)
    }

    /// [`Context::connect_unix`](crate::Context::connect_unix), before a run.
    ///
    /// # Errors
    ///
    /// As there.
    #[cfg(unix)]
    pub fn connect_unix(
        &mut self,
        address: impl Into<UnixAddress>,
        factory: impl Factory,
    ) -> Result<Id, Error> {
        self.context().connect_unix(address, factory)
    }
}
