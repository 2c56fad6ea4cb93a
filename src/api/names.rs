//! Names of hosts: look-ups.

use crate::api::context::Context;
use crate::sys::error::{Failure, failed};
use crate::values::error::{Error, Explained};
use crate::values::to_addresses::{LookUp, ToAddresses};
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// # Names
impl Context {
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

pub(super) fn no_address(cannot: Failure) -> Error {
    let text = "the list of addresses is empty";
    cannot("nowhere".to_owned(), Explained::error(io::ErrorKind::InvalidInput, text))
}

pub(super) fn cannot_look_up(on: String, cause: io::Error) -> Error {
    failed("look up", on, cause, |cause| cause.on_name())
}
