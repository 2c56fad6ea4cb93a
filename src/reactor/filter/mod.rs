//! The filters of connections, and the calls to them.
//!
//! A filter is a user's code, so that the dispatcher owns the filters and calls them under guard, as it
//! does protocols. The context knows only that a connection has some, and how far they have come.

mod handshake;
mod input;
mod output;

use crate::api::context::Context;
use crate::reactor::call::Callee;
use crate::reactor::chain::{Called, Chain, Layer, Method};
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::guard::name_of;
use crate::reactor::owners::Owners;
use crate::values::filter::Filter;
use crate::values::id::Id;
use crate::values::reason::Reason;
use std::io;
use std::mem;

/// How many bytes the filters of a connection may send in answer to received ones, such as key updates, while the
/// socket does not take all of them. A peer that causes more without reading is cut off.
const ANSWERS: usize = 256 * 1024;

/// One of the filters of a connection.
#[derive(Clone, Copy)]
struct FilterOf(Id, usize);

impl Callee for FilterOf {
    /// All filters of the connection, since a filter delivers to the one above.
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
    /// Calls a filter, and passes on what it sends, delivers and reports. `None` if that has ended the
    /// connection.
    fn call_filter(&mut self, id: Id, index: usize, method: Method, data: &[u8]) -> Option<Called> {
        let mut sent = mem::take(&mut self.encoded);
        sent.clear();
        let called = self.call(FilterOf(id, index), method.name(), |chain, context| {
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

    /// Passes what a filter has sent to the one below, or to the socket. Returns false if it has
    /// answered too much that the socket does not take.
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

    /// A filter has failed: what it has sent, such as an alert, passes through those below.
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

    /// Drops the filters of a connection that is gone.
    pub(super) fn drop_filters(&mut self, id: Id) {
        if let Some(chain) = self.owners.filters.remove(&id) {
            for layer in chain.layers {
                self.drop_filter(layer.filter);
            }
        }
    }
}
