//! Adopted and detached connections.

use crate::api::protocol::Protocol;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::owners::Owner;
use crate::source::table::Source;
use crate::values::id::Id;
use crate::values::logging::TCP;
use crate::values::reason::Reason;
use log::info;

impl Dispatcher {
    /// Sets the protocol of an adopted connection.
    pub(super) fn make_adopted_connection(&mut self, id: Id, protocol: Box<dyn Protocol>) {
        match self.context.peer_of(id) {
            Some(peer) => self.make_connection(id, protocol, &peer),
            None => self.drop_owner(Owner::Protocol(protocol)),
        }
    }

    /// Notifies the protocol of a detached connection.
    pub(super) fn notify_detached(&mut self, id: Id) {
        let now = self.context.now();
        let Some(Source::DetachedSlot(departed)) = self.context.sources.get(id) else {
            return;
        };
        let (peer, received) = (&departed.peer, departed.counts.received);
        let sent = departed.counts.sent;
        let seconds = now.saturating_duration_since(departed.since).as_secs_f64();
        info!(target: TCP, "{id} {peer} detached ({received} bytes in, {sent} out, {seconds:.3} s)");
        self.end_producing(id);
        self.end_connection(id, Reason::Detached);
    }
}
