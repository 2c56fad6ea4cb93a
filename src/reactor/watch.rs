//! Calling those who watch descriptors.

use crate::api::context::Context;
use crate::api::watch::Watcher;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::guard::guarded;
use crate::reactor::owners::Owner;
use crate::values::id::Id;
use crate::values::logging::REACTOR;
use crate::values::reason::Reason;
use log::debug;

impl Dispatcher {
    /// Tells a watcher for what its descriptor is ready, each at most once a turn. The descriptor is
    /// asked anew after each, for a callback may have emptied or filled it.
    pub(super) fn serve_watch(&mut self, id: Id) {
        let mut ready = self.context.ready_of(id);
        if ready.readable {
            self.call_watcher(id, "readable", |watcher, context| watcher.readable(context, id));
            self.run_pending();
            ready = self.context.ready_of(id);
        }
        if ready.writable {
            self.call_watcher(id, "writable", |watcher, context| watcher.writable(context, id));
            self.run_pending();
            ready = self.context.ready_of(id);
        }
        // The poll will not tell again of what has not changed.
        if ready.readable || ready.writable {
            self.context.enqueue(id);
        }
    }

    /// Tells a watcher that its watch has ended.
    pub(super) fn notify_unwatched(&mut self, id: Id, reason: Reason) {
        debug!(target: REACTOR, "{id} no longer watched: {reason}");
        self.call_watcher(id, "lost", |watcher, context| watcher.lost(context, id, reason));
        self.free(id);
    }

    fn call_watcher(
        &mut self,
        id: Id,
        name: &'static str,
        callback: impl FnOnce(&mut dyn Watcher, &mut Context),
    ) {
        let Some(Owner::Watcher(watcher)) = self.owners.get_mut(id) else {
            return;
        };
        let returned = guarded(|| callback(watcher.as_mut(), &mut self.context));
        let who = |dispatcher: &Self| dispatcher.name_of(id);
        if self.outcome(Some(id), who, name, returned).is_none() {
            self.context.end_watch_of_panic(id);
        }
    }
}
