//! Embedding: a reactor inside another loop.

use crate::reactor::Reactor;
use crate::sys::BorrowedFd;

impl Reactor {
    /// Returns the descriptor of the reactor's poll (an epoll(7) or kqueue(2) descriptor), for a program whose own loop
    /// waits: a graphical interface, or another event loop. It is readable while a [`turn`](Self::turn) has events
    /// to handle, so the loop must be level-triggered. A backend other than the system may have none.
    ///
    /// Before each wait of its own the program asks [`timeout`](Self::timeout) how long it may wait: work that is
    /// left, and timers, do not make the descriptor readable. After the wait it makes one turn, which does not wait.
    ///
    /// ```
    /// use ropewalk::{Error, Reactor};
    /// use rustix::event::{PollFd, PollFlags, Timespec, poll};
    /// use std::time::Duration;
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.context().call_later(Duration::from_millis(2), |context| context.stop());
    /// loop {
    ///     let limit = reactor.timeout().map(|limit| Timespec::try_from(limit).unwrap());
    ///     let descriptor = reactor.descriptor().unwrap();
    ///     // The program adds its own descriptors to these.
    ///     poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], limit.as_ref()).unwrap();
    ///     if !reactor.run_turn(Some(Duration::ZERO))? {
    ///         break;
    ///     }
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias = "uv_backend_fd")]
    #[doc(alias = "fileno")]
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.dispatcher.context.backend.descriptor()
    }
}
