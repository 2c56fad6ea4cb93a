//! Handlers: the traits that users implement.

use crate::{Connection, DatagramRequest};
use std::any::Any;
use std::fmt;
use std::io;

/// The behaviour of one connection, in code that may block.
///
/// The methods are called in order, on one thread. After [`finish`](Self::finish) the connection is closed once its
/// output is sent. An error or a panic ends the handler and its connection, and nothing else: see
/// [`StreamServer::on_error`](crate::StreamServer::on_error).
#[allow(unused_variables)] // The names are the documentation.
pub trait StreamRequestHandler: Send + 'static {
    /// Prepares the connection, for instance its timeouts. If it fails, nothing else is called.
    ///
    /// # Errors
    ///
    /// Those of the connection, or the handler's own.
    fn setup(&mut self, connection: &mut Connection) -> io::Result<()> {
        Ok(())
    }

    /// Serves the connection.
    ///
    /// # Errors
    ///
    /// Those of the connection, or the handler's own.
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()>;

    /// Cleans up, even if [`handle`](Self::handle) has failed or panicked.
    ///
    /// # Errors
    ///
    /// Those of the connection, or the handler's own.
    fn finish(&mut self, connection: &mut Connection) -> io::Result<()> {
        Ok(())
    }
}

/// The answer to one datagram, in code that may block.
pub trait DatagramRequestHandler: Send + 'static {
    /// Serves the request. What is written to it is sent as one datagram when this returns.
    ///
    /// # Errors
    ///
    /// The handler's own. Then nothing is sent.
    fn handle(&mut self, request: &mut DatagramRequest) -> io::Result<()>;
}

/// Why a handler has ended early.
#[derive(Debug)]
#[non_exhaustive]
pub enum HandlerError {
    /// It returned an error.
    Failed(io::Error),
    /// It panicked, with this message.
    Panicked(String),
}

impl HandlerError {
    pub(crate) fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Self::Panicked(text.unwrap_or_else(|| "a value without a message".to_owned()))
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Panicked(message) => write!(f, "panic: {message}"),
        }
    }
}

impl std::error::Error for HandlerError {}
