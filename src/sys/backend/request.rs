//! Requests to a backend to open a socket.

use crate::values::datagram_options::DatagramOptions;
use crate::values::options::{ConnectOptions, ListenOptions};
use crate::values::socket_option::SocketOption;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::OwnedFd;

/// A request to open a listener.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListenRequest<'a> {
    /// The maximum number of connections that wait to be accepted (listen(2)).
    pub backlog: u32,
    /// The port may be bound while earlier connections are in TIME_WAIT (SO_REUSEADDR).
    pub reuse_address: bool,
    /// Other listeners may share the port (SO_REUSEPORT).
    pub reuse_port: bool,
    /// Fails if the port is in use by a socket that would share it.
    pub claim: bool,
    /// Other options, to be set before the socket is bound.
    pub options: &'a [SocketOption],
    /// The permissions of the file of a Unix socket. `None`: those that the umask leaves.
    pub file_mode: Option<u32>,
    /// The file of a Unix socket is kept when the socket is closed.
    pub keep_file: bool,
    /// Accepted connections receive the descriptors that their peers pass.
    pub takes_descriptors: bool,
}

/// A request to open a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectRequest<'a> {
    /// The local address. `None`: the backend chooses it.
    pub local: Option<SocketAddr>,
    /// Options to be set before the socket connects.
    pub options: &'a [SocketOption],
    /// The connection receives the descriptors that its peer passes.
    pub takes_descriptors: bool,
}

/// A request to adopt a stream socket, connected or listening.
#[cfg(unix)]
#[derive(Debug)]
#[non_exhaustive]
pub struct AdoptRequest {
    /// The descriptor of the socket.
    pub descriptor: OwnedFd,
    /// The connection, or each accepted one, receives the descriptors that its peer passes.
    pub takes_descriptors: bool,
}

/// A request to open a datagram socket.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DatagramRequest<'a> {
    /// Options to be set before the socket is bound or connected.
    pub options: &'a [SocketOption],
    /// Datagrams begin with their IP header (IP_HDRINCL). Raw sockets only.
    pub header_included: bool,
    /// The permissions of the file of a Unix socket. `None`: those that the umask leaves.
    pub file_mode: Option<u32>,
}

impl<'a> From<&'a ListenOptions> for ListenRequest<'a> {
    fn from(options: &'a ListenOptions) -> Self {
        Self {
            backlog: options.backlog,
            reuse_address: options.reuse_address,
            reuse_port: options.reuse_port,
            claim: options.claim,
            options: &options.others,
            #[cfg(unix)]
            file_mode: options.file.mode,
            #[cfg(not(unix))]
            file_mode: None,
            #[cfg(unix)]
            keep_file: options.file.keep,
            #[cfg(not(unix))]
            keep_file: false,
            takes_descriptors: options.connection.descriptors,
        }
    }
}

impl<'a> From<&'a ConnectOptions> for ConnectRequest<'a> {
    fn from(options: &'a ConnectOptions) -> Self {
        Self {
            local: options.local_address,
            options: &options.others,
            takes_descriptors: options.connection.descriptors,
        }
    }
}

impl<'a> From<&'a DatagramOptions> for DatagramRequest<'a> {
    fn from(options: &'a DatagramOptions) -> Self {
        Self {
            options: &options.options,
            header_included: options.header_included,
            #[cfg(unix)]
            file_mode: options.file.mode,
            #[cfg(not(unix))]
            file_mode: None,
        }
    }
}
