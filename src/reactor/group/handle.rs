//! What can be reached of a group from anywhere.

use crate::api::handle::{Handle, ReactorGone};
use crate::values::address::Address;
use crate::values::id::Id;
use std::sync::Arc;

/// A way for other threads, and for the reactors themselves, to reach all reactors of a group.
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

    /// The handles of the reactors, in their order.
    pub fn handles(&self) -> &[Handle] {
        &self.handles
    }

    /// Stops the run of all; if there is none yet, it will end as soon as it has begun.
    ///
    /// # Errors
    ///
    /// If the group has been run to its end, or dropped.
    pub fn stop(&self) -> Result<(), ReactorGone> {
        any(self.handles.iter().map(Handle::stop))
    }
}

/// When the run of one ends, be it by a panic, the others are stopped.
pub(super) struct StopAll(pub(super) GroupHandle);

impl Drop for StopAll {
    fn drop(&mut self) {
        // Those that are gone need not be stopped.
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
    /// Where they listen; if port 0 was asked for, the port that the system chose.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The listener of each reactor, in their order.
    pub fn ids(&self) -> &[Id] {
        &self.ids
    }

    /// Has all of them closed, soon, from any thread: nobody new gets in, and those who are in
    /// stay.
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

/// Asks all of them. If one is there to hear it they all were when it began: a group ends as one,
/// and may do so while it is being asked.
fn any(asked: impl Iterator<Item = Result<(), ReactorGone>>) -> Result<(), ReactorGone> {
    asked.fold(Err(ReactorGone), Result::or)
}
