//! Methods of `Reactor` that listen and connect, for programs that do so before a run.

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
    /// The address is in use, not local, or needs a privilege; or the name cannot be looked up.
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
    /// If `address` is neither an address nor a name with a port. All other errors reach the factory.
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
    /// If `address` is a name; if the address is in use, not local, or needs a privilege.
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
    /// If the name is in use or too long, or is that of a file that is not a socket; if the directory does not exist or is
    /// not writable.
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
    /// If the reactor is shutting down. All other errors reach the factory.
    #[cfg(unix)]
    pub fn connect_unix(
        &mut self,
        address: impl Into<UnixAddress>,
        factory: impl Factory,
    ) -> Result<Id, Error> {
        self.context().connect_unix(address, factory)
    }
}
