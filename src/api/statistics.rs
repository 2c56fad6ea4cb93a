//! Statistics of connections and of the reactor.

use crate::api::context::Context;
use crate::api::transport::Transport;
use crate::source::table::Source;
use crate::values::id::Id;
use crate::values::statistics::{ConnectionCounts, Statistics};

/// # Statistics
impl Transport<'_> {
    /// Returns the counts of this connection's bytes and system calls so far. They are all 0 before the
    /// connection is established and after it is gone.
    ///
    /// ```
    /// use ropewalk::{Protocol, Reason, Transport};
    ///
    /// /// Prints the counts at the end.
    /// struct Upload;
    ///
    /// impl Protocol for Upload {
    ///     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    ///
    ///     fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
    ///         let counts = transport.counts();
    ///         println!("{} bytes in {} reads; {reason}", counts.received, counts.reads);
    ///     }
    /// }
    /// ```
    pub fn counts(&self) -> ConnectionCounts {
        let mut counts = match self.context.sources.get(self.id) {
            Some(Source::Stream(stream)) => stream.counts(),
            Some(Source::DetachedSlot(departed)) => departed.counts,
            _ => return ConnectionCounts::default(),
        };
        counts.queued += self.context.gathered();
        counts
    }
}

/// # Statistics
impl Context {
    /// Returns the counts of this reactor since it was made. It visits every open socket: call it now and
    /// then, not in every callback.
    pub fn statistics(&self) -> Statistics {
        let mut statistics = self.totals;
        for (_, source) in self.sources.iter() {
            count(&mut statistics, source);
        }
        statistics
    }

    /// Adds the counts of a source that is about to leave the table to the totals.
    pub(super) fn add_to_totals(&mut self, id: Id) {
        if let Some(source) = self.sources.get(id) {
            count(&mut self.totals, source);
        }
    }
}

fn count(statistics: &mut Statistics, source: &Source) {
    match source {
        Source::Stream(stream) => statistics.add(&stream.counts()),
        Source::DetachedSlot(departed) => statistics.add(&departed.counts),
        Source::Datagram(datagram) => statistics.add_datagrams(&datagram.counts()),
        _ => {}
    }
}
