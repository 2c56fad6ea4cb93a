//! Handing receivers what other threads have sent them.

use crate::api::channel::{ChannelId, Left};
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::guard::guarded;

impl Dispatcher {
    /// Gives a receiver what was sent to it, but no more than `most` messages. Who is not done then
    /// goes to the back of the queue. Returns how many messages it were.
    pub(super) fn receive(&mut self, channel: ChannelId, most: usize) -> usize {
        let Some(receiver) = self.channels.get_mut(&channel) else {
            return 0;
        };
        let taken = receiver.take(most);
        for _ in 0..taken.count {
            let Some(receiver) = self.channels.get_mut(&channel) else { break };
            let who = receiver.name();
            let returned = guarded(|| receiver.receive(&mut self.context));
            self.outcome(None, |_| who, "channel", returned);
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
