//! Methods by id that `Transport`, `DatagramTransport` and the options replace.
#![allow(missing_docs)]

use crate::api::context::Context;
use crate::api::datagram_protocol::DatagramProtocol;
use crate::api::listener::Port;
use crate::api::producer::Producer;
use crate::api::protocol::Factory;
use crate::api::raw::IpProtocol;
#[cfg(unix)]
use crate::source::detach::Detached;
#[cfg(unix)]
use crate::source::fd_passing::OwnedFd;
use crate::source::stream::Reading;
use crate::source::table::Source;
use crate::values::address::Address;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::values::credentials::Credentials;
use crate::values::datagram_options::DatagramOptions;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::interface::Interface;
use crate::values::options::{ConnectOptions, ListenOptions};
use crate::values::slow_reader::SlowReader;
use crate::values::statistics::{ConnectionCounts, DatagramCounts};
use crate::values::to_address::ToAddress;
use crate::values::to_addresses::ToAddresses;
#[cfg(unix)]
use crate::values::unix_address::UnixAddress;
#[cfg(unix)]
use crate::values::unix_options::{UnixConnectOptions, UnixListenOptions};
use std::net::IpAddr;
use std::time::Duration;

#[doc(hidden)]
impl Context {
    pub fn write(&mut self, id: Id, data: &[u8]) {
        self.transport(id).write(data);
    }
    pub fn write_eof(&mut self, id: Id) {
        self.transport(id).write_eof();
    }
    pub fn close_within(&mut self, id: Id, timeout: Duration) {
        self.transport(id).close_within(timeout);
    }
    pub fn is_closing(&self, id: Id) -> bool {
        self.closing(id)
    }
    pub fn pause(&mut self, id: Id) {
        self.transport(id).pause();
    }
    pub fn resume(&mut self, id: Id) {
        self.transport(id).resume();
    }
    pub fn is_paused(&self, id: Id) -> bool {
        match self.sources.get(id) {
            Some(Source::Stream(stream)) => stream.input.reading == Reading::Paused,
            Some(Source::Connector(connector)) => connector.paused,
            _ => false,
        }
    }
    pub fn write_buffer_size(&self, id: Id) -> usize {
        self.queued(id)
    }
    pub fn set_write_buffer_limits(&mut self, id: Id, high: usize, low: usize) {
        self.transport(id).set_write_buffer_limits(high, low);
    }
    pub fn set_write_limit(&mut self, id: Id, bytes: usize) {
        self.transport(id).set_write_limit(bytes);
    }
    pub fn set_slow_reader(&mut self, id: Id, slow_reader: SlowReader) {
        self.transport(id).set_slow_reader(slow_reader);
    }
    pub fn peer(&self, id: Id) -> Option<Address> {
        self.peer_of(id)
    }
    pub fn connection_counts(&self, id: Id) -> Option<ConnectionCounts> {
        match self.sources.get(id)? {
            Source::Stream(stream) => Some(stream.counts()),
            Source::DetachedSlot(departed) => Some(departed.counts),
            _ => None,
        }
    }
    pub fn datagram_counts(&self, id: Id) -> Option<DatagramCounts> {
        match self.sources.get(id)? {
            Source::Datagram(datagram) => Some(datagram.counts()),
            _ => None,
        }
    }
    pub fn register_push_producer(&mut self, id: Id, producer: impl Producer) -> Result<(), Error> {
        self.transport(id).register_push_producer(producer)
    }
    pub fn register_pull_producer(&mut self, id: Id, producer: impl Producer) -> Result<(), Error> {
        self.transport(id).register_pull_producer(producer)
    }
    pub fn unregister_producer(&mut self, id: Id) {
        self.transport(id).unregister_producer();
    }
    #[cfg(unix)]
    pub fn send_descriptors(
        &mut self,
        id: Id,
        data: &[u8],
        descriptors: impl IntoIterator<Item = impl Into<OwnedFd>>,
    ) -> Result<(), Error> {
        self.transport(id).send_descriptors(data, descriptors)
    }
    #[cfg(unix)]
    pub fn descriptors_waiting(&self, id: Id) -> usize {
        self.queued_descriptors(id)
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn peer_credentials(&self, id: Id) -> Option<Credentials> {
        self.sources.stream(id)?.socket.peer_credentials()?.ok()
    }
    #[cfg(unix)]
    pub fn detach(&mut self, id: Id) -> Result<Detached, Error> {
        self.transport(id).detach()
    }
    pub fn send(&mut self, id: Id, data: &[u8]) {
        self.datagram(id).send(data);
    }
    pub fn send_to(&mut self, id: Id, data: &[u8], address: impl ToAddress) {
        self.datagram(id).send_to(data, address);
    }
    pub fn connect(&mut self, id: Id, address: impl ToAddress) -> Result<(), Error> {
        self.datagram(id).connect(address)
    }
    pub fn join_group(
        &mut self,
        id: Id,
        group: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        self.datagram(id).join_group(group, interface)
    }
    pub fn leave_group(
        &mut self,
        id: Id,
        group: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        self.datagram(id).leave_group(group, interface)
    }
    pub fn join_source(
        &mut self,
        id: Id,
        group: impl Into<IpAddr>,
        source: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        self.datagram(id).join_source(group, source, interface)
    }
    pub fn leave_source(
        &mut self,
        id: Id,
        group: impl Into<IpAddr>,
        source: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        self.datagram(id).leave_source(group, source, interface)
    }
    pub fn set_multicast_ttl(&mut self, id: Id, ttl: u8) -> Result<(), Error> {
        self.datagram(id).set_multicast_ttl(ttl)
    }
    pub fn set_multicast_loopback(&mut self, id: Id, on: bool) -> Result<(), Error> {
        self.datagram(id).set_multicast_loopback(on)
    }
    pub fn set_multicast_interface(
        &mut self,
        id: Id,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        self.datagram(id).set_multicast_interface(interface)
    }
    pub fn connect_tcp_with(
        &mut self,
        address: impl ToAddresses,
        options: &ConnectOptions,
        factory: impl Factory,
    ) -> Result<Id, Error> {
        options.connect_tcp(self, address, factory)
    }
    pub fn listen_tcp_with(
        &mut self,
        address: impl ToAddresses,
        options: &ListenOptions,
        factory: impl Factory,
    ) -> Result<Port, Error> {
        options.listen_tcp(self, address, factory)
    }
    pub fn listen_udp_with(
        &mut self,
        address: impl ToAddress,
        options: &DatagramOptions,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        options.listen_udp(self, address, protocol)
    }
    pub fn connect_udp_with(
        &mut self,
        address: impl ToAddress,
        options: &DatagramOptions,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        options.connect_udp(self, address, protocol)
    }
    pub fn open_raw_with(
        &mut self,
        local: impl Into<IpAddr>,
        number: IpProtocol,
        options: &DatagramOptions,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        options.open_raw(self, local, number, protocol)
    }
    pub fn open_ping_with(
        &mut self,
        local: impl Into<IpAddr>,
        options: &DatagramOptions,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        options.open_ping(self, local, protocol)
    }
    #[cfg(unix)]
    pub fn listen_unix_with(
        &mut self,
        address: impl Into<UnixAddress>,
        options: &UnixListenOptions,
        factory: impl Factory,
    ) -> Result<Port, Error> {
        ListenOptions::from(options).listen_unix(self, address, factory)
    }
    #[cfg(unix)]
    pub fn connect_unix_with(
        &mut self,
        address: impl Into<UnixAddress>,
        options: &UnixConnectOptions,
        factory: impl Factory,
    ) -> Result<Id, Error> {
        ConnectOptions::from(options).connect_unix(self, address, factory)
    }
    #[cfg(unix)]
    pub fn listen_unix_datagram_with(
        &mut self,
        address: impl Into<UnixAddress>,
        options: &DatagramOptions,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        options.listen_unix_datagram(self, address, protocol)
    }
    #[cfg(unix)]
    pub fn connect_unix_datagram_with(
        &mut self,
        address: impl Into<UnixAddress>,
        options: &DatagramOptions,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        options.connect_unix_datagram(self, address, protocol)
    }
}
