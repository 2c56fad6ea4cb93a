//! Watching descriptors that are not sockets of ours.

use crate::context::{Context, Notice};
use crate::error::{Action, Error};
use crate::id::Id;
use crate::logging::REACTOR;
use crate::reason::Reason;
use crate::sources::Source;
use crate::watch::{Interest, Watch};
use crate::watcher::Watcher;
use crate::world::Ready;
use log::debug;
use std::any::type_name_of_val;
use std::io;

/// # Watching other descriptors
impl Context {
    /// Watches a descriptor; the watcher is told when there is something to read, or room to write.
    /// See [`Watcher`], with an example.
    ///
    /// [Closing](Self::close) the id ends the watch; a stop of the reactor does, too.
    ///
    /// # Errors
    ///
    /// If the system's poll does not take it: a regular file or a directory is always ready and cannot be
    /// watched; if no descriptors are left; and always once the reactor
    /// [is stopping](Self::is_stopping). The watcher is dropped then, and hears nothing.
    #[doc(alias = "addReader")]
    #[doc(alias = "addWriter")]
    #[doc(alias = "add_reader")]
    #[doc(alias = "add_writer")]
    #[doc(alias = "uv_poll")]
    pub fn watch(&mut self, watcher: impl Watcher, interest: Interest) -> Result<Id, Error> {
        let id = self.take_in_watch(&watcher, interest);
        let id = id.map_err(|cause| Error::new(Action::Watch, "", cause));
        let (id, watcher) = self.or_discard(id, watcher)?;
        debug!(target: REACTOR, "{id} watched for {interest:?}: {}", type_name_of_val(&watcher));
        self.notices.push_back(Notice::Watch(id, Box::new(watcher)));
        Ok(id)
    }

    fn take_in_watch(&mut self, watcher: &impl Watcher, interest: Interest) -> io::Result<Id> {
        self.takes_new()?;
        let descriptor = self.world.copy(watcher.descriptor())?;
        self.take_in(Source::Watch(Watch { descriptor, interest }))
    }

    /// Changes for what a descriptor is watched. It does nothing if there is no such watch.
    ///
    /// One that is ready for what it is watched for now is told in the next turn.
    #[doc(alias = "removeReader")]
    #[doc(alias = "removeWriter")]
    #[doc(alias = "remove_reader")]
    #[doc(alias = "remove_writer")]
    pub fn set_interest(&mut self, id: Id, interest: Interest) {
        if let Some(Source::Watch(watch)) = self.sources.get_mut(id) {
            watch.interest = interest;
            self.enlist(id); // What it was ready for before will not be told again.
        }
    }

    /// For what a watched descriptor is ready, of that for which it is watched; for nothing, if the
    /// watch has ended.
    pub(crate) fn ready_of(&mut self, id: Id) -> Ready {
        let Some(Source::Watch(watch)) = self.sources.get(id) else {
            return Ready::default();
        };
        watch.ready().unwrap_or_else(|error| {
            self.end_watch(id, Reason::Failed(error));
            Ready::default()
        })
    }

    /// A callback of this watch has panicked: it ends with [`Reason::Panicked`], whatever the callback
    /// asked for before.
    #[cold]
    pub(crate) fn end_watch_of_panic(&mut self, id: Id) {
        self.end_watch(id, Reason::Panicked);
        for notice in &mut self.notices {
            if let Notice::Unwatched(of, reason) = notice
                && *of == id
            {
                *reason = Reason::Panicked;
            }
        }
    }

    /// Ends a watch now; its watcher is told after the running callback.
    pub(crate) fn end_watch(&mut self, id: Id, reason: Reason) {
        if let Some(Source::Watch(_)) = self.sources.get(id) {
            self.shut(id);
            self.notices.push_back(Notice::Unwatched(id, reason));
        }
    }
}
