//! Watched descriptors: callbacks of watchers.

use crate::api::context::Context;
use crate::api::watch::Watcher;
use crate::reactor::call::Callee;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::owners::{Owner, Owners};
use crate::values::id::Id;
use crate::values::journal::Callback;
use crate::values::logging::REACTOR;
use crate::values::reason::Reason;
use log::debug;

/// The watcher of a descriptor.
#[derive(Clone, Copy)]
pub(super) struct WatcherOf(pub(super) Id);

impl Callee for WatcherOf {
    type Object = dyn Watcher;
    type Face<'a> = &'a mut Context;

    fn id(&self) -> Option<Id> {
        Some(self.0)
    }

    fn find<'a>(&self, owners: &'a mut Owners) -> Option<&'a mut Self::Object> {
        match owners.get_mut(self.0)? {
            Owner::Watcher(watcher) => Some(watcher.as_mut()),
            _ => None,
        }
    }

    fn type_name(&self, watcher: &dyn Watcher) -> &'static str {
        watcher.type_name()
    }

    fn lend<'a>(&self, context: &'a mut Context) -> &'a mut Context {
        context
    }

    fn panicked(&self, context: &mut Context) {
        context.end_watch_of_panic(self.0);
    }
}

impl Dispatcher {
    /// Notifies a watcher of what its descriptor is ready for, each at most once a turn. The descriptor is
    /// checked again after each callback, since that may have emptied or filled it.
    pub(super) fn serve_watch(&mut self, id: Id) {
        let mut ready = self.context.ready_of(id);
        if ready.readable {
            self.call(WatcherOf(id), Callback::Readable, |watcher, context| {
                watcher.readable(context, id)
            });
            self.run_pending();
            ready = self.context.ready_of(id);
        }
        if ready.writable {
            self.call(WatcherOf(id), Callback::Writable, |watcher, context| {
                watcher.writable(context, id)
            });
            self.run_pending();
            ready = self.context.ready_of(id);
        }
        // The poll reports only what has changed.
        if ready.readable || ready.writable {
            self.context.enqueue(id);
        }
    }

    /// Notifies a watcher that its watch has ended.
    pub(super) fn notify_unwatched(&mut self, id: Id, reason: Reason) {
        debug!(target: REACTOR, "{id} no longer watched: {reason}");
        self.call(WatcherOf(id), Callback::Lost, |watcher, context| {
            watcher.lost(context, id, reason)
        });
        self.free(id);
    }
}
