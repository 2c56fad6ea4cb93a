//! Handles of a group and of its listeners, for any thread.

use crate::api::handle::{Handle, ReactorGone};
use crate::values::address::Address;
use crate::values::id::Id;
use std::sync::Arc;

/// A handle to all reactors of a group, for other threads and for the reactors themselves.
///
/// ```
/// use ropewalk::{Error, ReactorGroup};
/// use std::thread;
///
/// let group = ReactorGroup::new(2)?;
/// let handle = group.handle();
/// let stopper = thread::spawn(move || handle.stop());
/// group.run()?;
/// assert!(stopper.join().unwrap().is_ok());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GroupHandle {
    handles: Arc<[Handle]>,
}

impl GroupHandle {
    pub(super) fn new(handles: Vec<Handle>) -> Self {
        Self { handles: handles.into() }
    }

    /// Returns the handles of the reactors, in their order.
    pub fn handles(&self) -> &[Handle] {
        &self.handles
    }

    /// Stops the run of all reactors. A run that has not begun yet ends as soon as it begins.
    ///
    /// # Errors
    ///
    /// If the run of the group has ended, or the group was dropped.
    pub fn stop(&self) -> Result<(), ReactorGone> {
        any(self.handles.iter().map(Handle::stop))
    }
}

/// Stops the other reactors when the run of one ends, also by a panic.
pub(super) struct StopAll(pub(super) GroupHandle);

impl Drop for StopAll {
    fn drop(&mut self) {
        // Reactors that no longer exist need no stop.
        let _ = self.0.stop();
    }
}

/// The listeners of a group on one port.
#[derive(Clone, Debug)]
pub struct GroupPort {
    pub(super) address: Address,
    pub(super) ids: Vec<Id>,
    pub(super) group: GroupHandle,
}

impl GroupPort {
    /// Returns the address; for port 0 it has the port that the system chose.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Returns the listener of each reactor, in their order.
    pub fn ids(&self) -> &[Id] {
        &self.ids
    }

    /// Closes all of them soon, from any thread: no new client is accepted, and existing connections stay.
    ///
    /// # Errors
    ///
    /// As [`GroupHandle::stop`].
    #[doc(alias = "stopListening")]
    pub fn close(&self) -> Result<(), ReactorGone> {
        let close = |(handle, &id): (&Handle, &Id)| handle.call(move |context| context.close(id));
        any(self.group.handles().iter().zip(&self.ids).map(close))
    }
}

/// Returns success if a reactor has accepted its call: a group ends as a whole, so all reactors existed when the first
/// call was sent. It may end while the calls are sent.
fn any(asked: impl Iterator<Item = Result<(), ReactorGone>>) -> Result<(), ReactorGone> {
    asked.fold(Err(ReactorGone), Result::or)
}
