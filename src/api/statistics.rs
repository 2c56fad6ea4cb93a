//! What has been counted, of each connection and of the whole.

use crate::api::context::Context;
use crate::source::table::Source;
use crate::values::id::Id;
use crate::values::statistics::{ConnectionCounts, Statistics};

/// # Counts
impl Context {
    /// What became of the bytes of a connection so far; `None` if it is gone or not there yet.
    ///
    /// ```
    /// use ropewalk::{Protocol, Reason, Transport};
    ///
    /// /// Says how it went, at the end.
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
    pub fn connection_counts(&self, id: Id) -> Option<ConnectionCounts> {
        match self.sources.get(id)? {
            Source::Stream(stream) => Some(stream.counts()),
            Source::DetachedSlot(departed) => Some(departed.counts),
            _ => None,
        }
    }

    /// What this reactor has done since it began. It looks at every socket that is there: ask now and
    /// then, not in every callback.
    pub fn statistics(&self) -> Statistics {
        let mut statistics = self.totals;
        for (_, source) in self.sources.iter() {
            count(&mut statistics, source);
        }
        statistics
    }

    /// A source is about to leave the table: what it has done belongs to the past.
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
