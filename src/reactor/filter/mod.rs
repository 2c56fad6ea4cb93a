//! Filters of connections: calls of their methods.
//!
//! Filters are users' objects: the dispatcher owns them and calls them under a guard, like protocols. The context
//! has only the progress of a connection's filters.
//!
//! Received bytes pass up in `input.rs`: `serve_reading` calls `serve_filtered` for a filtered connection, which repeats one
//! step until none is left or the budget is spent. A step reads the socket into the input of the lowest filter, has one
//! filter decode its input into that of the filter above, or delivers the plaintext of the highest one to
//! `data_received`. The highest filter that can decode goes first, so that plaintext is delivered before more is read.
//!
//! Written bytes pass down in `output.rs`: a write queues plaintext and lists [`Pending::Encode`], by which each filter
//! encodes into the one below, and the lowest one into the send buffer. Handshakes, before `connection_made` and
//! later, are in `handshake.rs`.
//!
//! [`Pending::Encode`]: crate::api::context::Pending

mod handshake;
mod input;
mod output;

use crate::api::context::Context;
use crate::reactor::call::Callee;
use crate::reactor::chain::{Called, Chain, Layer, Method};
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::owners::Owners;
use crate::values::filter::Filter;
use crate::values::guard::name_of;
use crate::values::id::Id;
use crate::values::reason::Reason;
use std::io;
use std::mem;

/// The most bytes that the filters of a connection may send in answer to received ones, such as key updates, while the
/// socket does not take all of them: as much as four reads of a filtered connection. A peer that causes more without
/// reading is disconnected.
const ANSWERS: usize = 256 * 1024;

/// One filter: its connection, and its position from the lowest.
#[derive(Clone, Copy)]
struct FilterOf(Id, usize);

impl Callee for FilterOf {
    /// All filters of the connection, since a filter delivers to the next one above.
    type Object = Chain;
    type Face<'a> = &'a mut Context;

    fn id(&self) -> Option<Id> {
        Some(self.0)
    }

    fn find<'a>(&self, owners: &'a mut Owners) -> Option<&'a mut Chain> {
        owners.filters.get_mut(&self.0).filter(|chain| self.1 < chain.layers.len())
    }

    fn type_name(&self, chain: &Chain) -> &'static str {
        chain.layers[self.1].filter.type_name()
    }

    fn lend<'a>(&self, context: &'a mut Context) -> &'a mut Context {
        context
    }

    fn panicked(&self, context: &mut Context) {
        context.end_of_panic(self.0);
    }
}

impl Dispatcher {
    /// Returns true if the connection has filters.
    pub(in crate::reactor) fn is_filtered(&self, id: Id) -> bool {
        self.context.sources.stream(id).is_some_and(|stream| stream.filtered().is_some())
    }

    /// Calls a filter, and passes on the bytes that it sends and delivers. Returns `None` if that has ended the
    /// connection.
    fn call_filter(&mut self, id: Id, index: usize, method: Method, data: &[u8]) -> Option<Called> {
        let mut sent = mem::take(&mut self.encoded);
        sent.clear();
        let called = self.call(FilterOf(id, index), method.callback(), |chain, context| {
            chain.call(context, (id, index), method, data, &mut sent)
        });
        let within_bounds = self.pass_on(id, index, method, &sent);
        self.encoded = sent;
        match called? {
            Err(error) => self.fail_filter(id, index, error),
            Ok(_) if !within_bounds => self.context.end(id, Reason::WriteLimit),
            Ok(called) => return Some(called),
        }
        None
    }

    /// Passes the bytes that a filter has sent to the filter below, or to the socket. Returns false if the
    /// answers exceed their limit.
    fn pass_on(&mut self, id: Id, index: usize, method: Method, sent: &[u8]) -> bool {
        let Some(chain) = self.owners.filters.get_mut(&id).filter(|_| !sent.is_empty()) else {
            return true;
        };
        let queued = match chain.below_mut(index) {
            Some(below) => {
                below.output.back().extend_from_slice(sent);
                below.output.len()
            }
            None => self.context.push_encoded(id, sent),
        };
        if queued <= sent.len() {
            chain.answers = 0;
        }
        if method != Method::Encode {
            chain.answers += sent.len();
        }
        chain.answers <= ANSWERS
    }

    fn layer_mut(&mut self, id: Id, index: usize) -> Option<&mut Layer> {
        self.owners.filters.get_mut(&id)?.layers.get_mut(index)
    }

    /// Ends a connection with a failed filter. Bytes that it has sent, such as an alert, pass through the filters
    /// below.
    fn fail_filter(&mut self, id: Id, index: usize, error: io::Error) {
        if error.kind() != io::ErrorKind::UnexpectedEof {
            self.close_below(id, index);
        }
        self.context.fail_filter(id, error);
    }

    fn drop_filter(&mut self, filter: Box<dyn Filter>) {
        let type_name = name_of(|| filter.type_name());
        self.drop_guarded(filter, type_name);
    }

    /// Drops the filters of a connection that has ended.
    pub(super) fn drop_filters(&mut self, id: Id) {
        if let Some(chain) = self.owners.filters.remove(&id) {
            self.owners.handshakes.end(chain.origin, id);
            for layer in chain.layers {
                self.drop_filter(layer.filter);
            }
        }
    }
}
