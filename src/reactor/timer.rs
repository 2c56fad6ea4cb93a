//! Timers of callback objects: their callbacks.

use crate::api::timer::TimerOwner;
use crate::reactor::datagram::DatagramProtocolOf;
use crate::reactor::dispatcher::Dispatcher;
#[cfg(all(unix, feature = "process"))]
use crate::reactor::process::ProcessOf;
use crate::reactor::stream::ProtocolOf;
#[cfg(unix)]
use crate::reactor::watch::WatcherOf;
use crate::source::table::Source;
use crate::source::timer::TimerId;
use crate::values::id::Id;
use crate::values::journal::Callback;

impl Dispatcher {
    /// Notifies a callback object of its timer. The protocol of a closing connection receives no callback; its
    /// producer and its filters do.
    pub(super) fn fire(&mut self, id: Id, owner: TimerOwner, timer: TimerId) {
        self.run_pending(); // An object whose first callback was held is set now.
        match (owner, self.context.sources.get(id)) {
            (TimerOwner::Owner, _) if self.context.closing(id) => {}
            (TimerOwner::Filter(index), _) => self.fire_filter_timer(id, index),
            (TimerOwner::Producer(number), _) => self.fire_producer_timer(id, number, timer),
            (TimerOwner::Owner, Some(Source::Stream(_))) => {
                self.call(ProtocolOf::new(id), Callback::TimerFired, |protocol, transport| {
                    protocol.timer_fired(transport, timer);
                });
            }
            (TimerOwner::Owner, Some(Source::Datagram(_))) => {
                self.call(DatagramProtocolOf(id), Callback::TimerFired, |protocol, transport| {
                    protocol.timer_fired(transport, timer);
                });
            }
            #[cfg(all(unix, feature = "process"))]
            (TimerOwner::Owner, Some(Source::Process(_))) => {
                self.call(ProcessOf(id), Callback::TimerFired, |protocol, process| {
                    protocol.timer_fired(process, timer);
                });
            }
            #[cfg(unix)]
            (TimerOwner::Owner, Some(Source::Watch(_))) => {
                self.call(WatcherOf(id), Callback::TimerFired, |watcher, context| {
                    watcher.timer_fired(context, id, timer);
                });
            }
            _ => {} // An attempt to connect has no protocol yet.
        }
    }
}
