//! Servers of blocking handlers for [Ropewalk](ropewalk): the classes of Python's [socketserver].
//!
//! A handler is written as if it were alone with its connection: it reads, computes and writes, and each of these may
//! block. It runs on a thread of its own, on a thread of the reactor's pool, or as a process. The reactor owns the
//! sockets, so that one program can have blocking handlers beside protocols with callbacks.
//!
//! ```
//! use ropewalk_socketserver::{Connection, SocketServer, StreamRequestHandler};
//! use std::io::{self, BufRead, Write};
//!
//! /// Answers each line in capitals.
//! struct Capitals;
//!
//! impl StreamRequestHandler for Capitals {
//!     fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
//!         let mut line = String::new();
//!         while connection.read_line(&mut line)? > 0 {
//!             connection.write_all(line.to_uppercase().as_bytes())?;
//!             line.clear();
//!         }
//!         Ok(())
//!     }
//! }
//!
//! let mut server = SocketServer::new()?;
//! let address = server.listen_tcp("127.0.0.1:0", || Capitals)?.address().to_string();
//! let shutdown = server.shutdown_handle();
//! std::thread::spawn(move || {
//!     let mut client = std::net::TcpStream::connect(address).unwrap();
//!     client.write_all(b"hello\n").unwrap();
//!     let mut line = String::new();
//!     io::BufReader::new(&client).read_line(&mut line).unwrap();
//!     assert_eq!(line, "HELLO\n");
//!     shutdown.shutdown();
//! });
//! server.serve_forever()?;
//! # Ok::<(), ropewalk::Error>(())
//! ```
//!
//! | socketserver | here |
//! |---|---|
//! | `TCPServer`, `UnixStreamServer` with `ThreadingMixIn` | [`SocketServer::listen_tcp`], [`listen_unix`](SocketServer::listen_unix); [`StreamServer`] in a reactor |
//! | the same without a mix-in: one request at a time | [`StreamServer::in_pool`], with a pool of one thread |
//! | `ForkingMixIn` | `ProcessServer` (feature `process`), which runs a program, as inetd(8) does |
//! | `UDPServer`, `UnixDatagramServer` | [`SocketServer::bind_udp`], [`bind_unix_datagram`](SocketServer::bind_unix_datagram); [`DatagramServer`] |
//! | `StreamRequestHandler` with `rfile` and `wfile` | [`StreamRequestHandler`] with a [`Connection`] |
//! | `DatagramRequestHandler` | [`DatagramRequestHandler`] with a [`DatagramRequest`] |
//! | `serve_forever`, `handle_request`, `service_actions`, `shutdown` | the methods of [`SocketServer`] |
//! | `handle_timeout` | the `false` of [`handle_request`](SocketServer::handle_request) |
//! | `request_queue_size` | [`ListenOptions::backlog`](ropewalk::ListenOptions::backlog), by [`SocketServer::set_listen_options`] |
//! | `verify_request`, `handle_error` | the options of [`StreamServer`] |
//! | `daemon_threads`, `block_on_close` | a server waits for its handlers within the reactor's grace period, and names those that have not ended |
//!
//! [socketserver]: https://docs.python.org/3/library/socketserver.html

mod connection;
mod datagram;
mod handler;
mod link;
#[cfg(all(target_os = "linux", feature = "process"))]
mod process;
mod running;
mod server;
mod stream;

pub use connection::Connection;
pub use datagram::{DatagramRequest, DatagramServer};
pub use handler::{DatagramRequestHandler, HandlerError, StreamRequestHandler};
#[cfg(all(target_os = "linux", feature = "process"))]
pub use process::ProcessServer;
pub use server::{Shutdown, SocketServer};
pub use stream::StreamServer;
