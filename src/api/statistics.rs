//! What has been counted, of each connection and of the whole.

use crate::api::context::Context;
use crate::source::table::Source;
use crate::values::id::Id;
use crate::values::statistics::Statistics;

/// # Counts
impl Context {
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
