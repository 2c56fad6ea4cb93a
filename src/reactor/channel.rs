//! Channels: delivery of messages from other threads.

use crate::api::channel::{ChannelId, Left, Receiver};
use crate::api::context::Context;
use crate::reactor::call::Callee;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::owners::Owners;
use crate::values::id::Id;
use crate::values::journal::Callback;

/// The receiver of a channel.
#[derive(Clone, Copy)]
struct ReceiverOf(ChannelId);

impl Callee for ReceiverOf {
    type Object = dyn Receiver;
    type Face<'a> = &'a mut Context;

    fn id(&self) -> Option<Id> {
        None
    }

    fn find<'a>(&self, owners: &'a mut Owners) -> Option<&'a mut Self::Object> {
        Some(owners.channels.get_mut(&self.0)?.as_mut())
    }

    fn type_name(&self, receiver: &dyn Receiver) -> &'static str {
        receiver.name()
    }

    fn lend<'a>(&self, context: &'a mut Context) -> &'a mut Context {
        context
    }
}

impl Dispatcher {
    /// Delivers at most `most` messages of a channel. A channel with more is put at the back of the queue.
    /// Returns how many messages were delivered.
    pub(super) fn receive(&mut self, channel: ChannelId, most: usize) -> usize {
        let Some(receiver) = self.owners.channels.get_mut(&channel) else {
            return 0;
        };
        let taken = receiver.take(most);
        for _ in 0..taken.count {
            let next = ReceiverOf(channel);
            self.call(next, Callback::Channel, |receiver, context| receiver.receive(context));
            self.run_pending();
        }
        match taken.left {
            Left::More => self.calls.put_back(channel),
            Left::Nothing => {}
            Left::Over => self.close_channel(channel),
        }
        taken.count
    }
}
