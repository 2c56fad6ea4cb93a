//! Inherited sockets, as of socket activation.

use crate::sys::error::failed_plainly;
use crate::sys::{OwnedFd, inherited};
use crate::values::error::Error;
use std::io;

/// The sockets that were passed to the program at its start by systemd's socket activation, described by
/// LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES (sd_listen_fds(3)).
///
/// Call [`take`](Self::take) once, at the beginning of `main`. Then take out each socket by its index or its
/// name, and [adopt](crate::Context::adopt_listener) it. The others are closed when this value is dropped.
///
/// A program that is started by hand receives no sockets, and listens itself:
///
/// ```
/// use ropewalk::{Error, InheritedSockets, Protocol, Reactor, Transport};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let mut inherited = InheritedSockets::take()?;
/// let mut reactor = Reactor::new()?;
/// let port = if inherited.is_empty() {
///     reactor.listen_tcp("127.0.0.1:0", || Echo)?
/// } else {
///     // FileDescriptorName=echo in the socket's unit.
///     reactor.context().adopt_listener(inherited.named("echo")?, || Echo)?
/// };
/// println!("listening on {}", port.address());
/// # Ok::<(), Error>(())
/// ```
///
/// Try it with `systemd-socket-activate --listen=127.0.0.1:7000 --fdname=echo PROGRAM`.
///
/// The environment is unchanged. Child processes inherit the variables without the sockets, and detect by
/// LISTEN_PID that the variables are not for them.
#[derive(Debug)]
#[doc(alias = "LISTEN_FDS")]
#[doc(alias = "systemd")]
pub struct InheritedSockets {
    /// In the order in which they were passed; `None` for those that were taken out.
    sockets: Vec<(Option<String>, Option<OwnedFd>)>,
}

impl InheritedSockets {
    /// Takes the sockets that were passed to this process. The list is empty if there are none, or if the
    /// variables are for another process.
    ///
    /// # Errors
    ///
    /// If the variables are invalid, describe descriptors that were not passed, or the sockets were taken
    /// before.
    #[doc(alias = "sd_listen_fds")]
    pub fn take() -> Result<Self, Error> {
        let taken = inherited::descriptors()
            .map_err(|cause| failed_plainly("take over an inherited socket", "", cause));
        let sockets = taken?.into_iter().map(|(name, descriptor)| (name, Some(descriptor)));
        Ok(Self { sockets: sockets.collect() })
    }

    /// Returns the number of sockets that were passed, including those that were taken out.
    pub fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Returns true if no socket was passed.
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// Returns the names of the sockets that were not taken out, in the order in which they were passed.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let here = self.sockets.iter().filter(|(_, socket)| socket.is_some());
        here.filter_map(|(name, _)| name.as_deref())
    }

    /// Takes out the socket with this index; the first is 0.
    ///
    /// # Errors
    ///
    /// If the index is too high, or the socket was taken before.
    pub fn at(&mut self, index: usize) -> Result<OwnedFd, Error> {
        let count = self.sockets.len();
        let socket = self.sockets.get_mut(index).and_then(|(_, socket)| socket.take());
        socket.ok_or_else(|| {
            missing(format!("socket {index} of {count} does not exist, or was already taken"))
        })
    }

    /// Takes out the first socket that has this name and was not taken out. Several sockets may have the same
    /// name.
    ///
    /// # Errors
    ///
    /// If no such socket is left.
    #[doc(alias = "LISTEN_FDNAMES")]
    pub fn named(&mut self, name: &str) -> Result<OwnedFd, Error> {
        let socket = self.sockets.iter_mut().find_map(|(its_name, socket)| {
            if its_name.as_deref() == Some(name) { socket.take() } else { None }
        });
        socket.ok_or_else(|| {
            let names: Vec<&str> = self.names().collect();
            missing(format!(
                "no socket is named {name:?}, only {names:?}; does the socket unit set \
                 FileDescriptorName={name}?"
            ))
        })
    }
}

fn missing(what: String) -> Error {
    failed_plainly(
        "take over an inherited socket",
        "",
        io::Error::new(io::ErrorKind::NotFound, what),
    )
}
