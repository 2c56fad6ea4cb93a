//! Encoding: written bytes pass through the filters to the socket.

use crate::reactor::chain::{Method, Stage};
use crate::reactor::dispatcher::Dispatcher;
use crate::source::stream::{AHEAD, Phase, Stream, WRITE_BUDGET};
use crate::values::id::Id;
use std::mem;

impl Dispatcher {
    /// Encodes queued plaintext and sends it, as far as the socket and the budget allow. If our side is to end, the
    /// filters then send their goodbyes.
    pub(in crate::reactor) fn run_filters(&mut self, id: Id) {
        if !self.set_listed(id, true) {
            return;
        }
        let mut budget = WRITE_BUDGET;
        while budget > 0 {
            let moved = self.encode_round(id);
            self.context.flush(id);
            if moved == 0 {
                break;
            }
            budget = budget.saturating_sub(moved);
        }
        self.set_listed(id, false);
        if budget == 0 {
            self.context.enqueue(id);
        }
    }

    /// Notes whether the dispatcher is encoding. Returns false if there are no filters that may send.
    fn set_listed(&mut self, id: Id, listed: bool) -> bool {
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return false;
        };
        let silent = stream.filters_are_silent();
        let Some(filtered) = stream.filtered_mut() else {
            return false;
        };
        filtered.listed = listed && !silent;
        !silent
    }

    /// Has each filter encode once, the highest first. Returns the number of bytes that were moved.
    fn encode_round(&mut self, id: Id) -> usize {
        let count = self.owners.filters.get(&id).map_or(0, |chain| chain.layers.len());
        let mut moved = 0;
        for index in (0..count).rev() {
            if self.may_send(id) {
                moved += self.encode(id, index) + self.say_goodbye(id, index);
            }
        }
        self.note_between(id);
        moved
    }

    /// Returns true if the filters may send.
    fn may_send(&self, id: Id) -> bool {
        self.context.sources.stream(id).is_some_and(|stream| {
            !stream.filters_are_silent()
                && stream.filtered().is_some_and(|filtered| filtered.phase != Phase::Closed)
        })
    }

    /// Has one filter encode, unless enough encoded bytes are queued below it. Returns the number of encoded bytes.
    fn encode(&mut self, id: Id, index: usize) -> usize {
        let Some(chain) = self.owners.filters.get_mut(&id) else {
            return 0;
        };
        let queued = match chain.below_mut(index) {
            Some(below) => below.output.len(),
            None => self.context.sources.stream(id).map_or(0, |stream| stream.output.buffer.len()),
        };
        let is_highest = index + 1 == chain.layers.len();
        let Some(layer) = chain.layers.get_mut(index) else {
            return 0;
        };
        if layer.stage != Stage::Established || layer.blocked || layer.closed || queued >= AHEAD {
            return 0;
        }
        let consumed = match is_highest {
            true => self.encode_plaintext(id, index),
            false => self.encode_output(id, index),
        };
        if consumed == Some(0)
            && let Some(layer) = self.layer_mut(id, index)
        {
            layer.blocked = true;
        }
        consumed.unwrap_or(0)
    }

    /// Has a filter encode what the one above has sent. Returns the number of bytes, or `None` if there are none.
    fn encode_output(&mut self, id: Id, index: usize) -> Option<usize> {
        let layer = self.layer_mut(id, index)?;
        if layer.output.is_empty() {
            return None;
        }
        let mut output = mem::take(&mut layer.output);
        let called = self.call_filter(id, index, Method::Encode, output.front());
        let consumed = called.map_or(0, |called| called.consumed);
        output.advance(consumed);
        self.layer_mut(id, index)?.output = output;
        Some(consumed)
    }

    /// Has the highest filter encode what the protocol has written. Returns the number of bytes, or `None` if
    /// there are none.
    fn encode_plaintext(&mut self, id: Id, index: usize) -> Option<usize> {
        let stream = self.context.sources.stream(id);
        let filtered = stream.and_then(Stream::filtered)?;
        if filtered.phase != Phase::Established || filtered.plain.is_empty() {
            return None;
        }
        let mut piece = mem::take(&mut self.plaintext);
        piece.clear();
        self.context.copy_plaintext(id, &mut piece);
        let called = self.call_filter(id, index, Method::Encode, &piece);
        self.plaintext = piece;
        let consumed = called?.consumed;
        self.context.advance_plaintext(id, consumed);
        Some(consumed)
    }

    /// Has a filter send its goodbye after the filters above it. Returns 1 if it was called.
    fn say_goodbye(&mut self, id: Id, index: usize) -> usize {
        let Some(chain) = self.owners.filters.get_mut(&id) else {
            return 0;
        };
        let stream = self.context.sources.stream(id);
        let owes = stream.is_some_and(Stream::says_goodbye);
        let above_closed = chain.layers[index + 1..].iter().all(|layer| layer.closed);
        let Some(layer) = chain.layers.get_mut(index) else {
            return 0;
        };
        if !owes || !above_closed || layer.closed || !layer.output.is_empty() {
            return 0;
        }
        layer.closed = true;
        if self.call_filter(id, index, Method::Close, &[]).is_some()
            && index == 0
            && let Some(filtered) = self.context.sources.filtered_mut(id)
        {
            filtered.phase = Phase::Closed;
            filtered.between = 0;
        }
        1
    }

    /// Has the filters below a failed filter encode their queued bytes and send their goodbyes.
    #[cold]
    pub(super) fn close_below(&mut self, id: Id, index: usize) {
        for below in (0..index).rev() {
            if self.may_send(id) {
                while self.encode(id, below) > 0 {}
            }
            let Some(layer) = self.layer_mut(id, below) else {
                return;
            };
            if layer.stage == Stage::Established && !mem::replace(&mut layer.closed, true) {
                self.call_filter(id, below, Method::Close, &[]);
            }
        }
    }

    /// Notes the number of outgoing bytes between the filters, and whether a filter has stopped encoding.
    pub(super) fn note_between(&mut self, id: Id) {
        if let Some(chain) = self.owners.filters.get(&id)
            && let Some(filtered) = self.context.sources.filtered_mut(id)
            && filtered.phase != Phase::Closed
        {
            filtered.between = chain.layers.iter().map(|layer| layer.output.len()).sum();
            filtered.blocked = chain.layers.iter().any(|layer| layer.blocked);
        }
    }
}
