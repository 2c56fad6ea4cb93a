//! Channels.

use crate::channel::{ChannelId, Sender, channel};
use crate::context::{Context, Notice};

/// # Messages from other threads
impl Context {
    /// Opens a channel: what any thread sends through the [`Sender`], `receive` is given on the
    /// reactor's, one message after the other. Where a [`Handle::call`](crate::Handle::call) may
    /// only carry what can be sent to another thread, `receive` has at hand what lives on this one.
    ///
    /// Many messages that are sent before the reactor comes to them cost one wake-up. In a turn at
    /// most 1,024 messages and calls are attended to before the sockets have theirs.
    ///
    /// `receive` is dropped when the last sender is, or with the reactor. A panic in it costs the
    /// message: the next is received as though nothing had happened.
    ///
    /// ```
    /// use ropewalk::{Error, Reactor};
    /// use std::{cell::RefCell, rc::Rc, thread};
    ///
    /// let heard = Rc::new(RefCell::new(Vec::new())); // stays on this thread
    ///
    /// let mut reactor = Reactor::new()?;
    /// let note = heard.clone();
    /// let sender = reactor.context().channel(move |context, word: &str| {
    ///     note.borrow_mut().push(word);
    ///     if word == "over" {
    ///         context.stop();
    ///     }
    /// });
    /// let worker = thread::spawn(move || ["hello", "over"].map(|word| sender.send(word)));
    /// reactor.run()?;
    /// assert_eq!(worker.join().unwrap(), [Ok(()), Ok(())]);
    /// assert_eq!(*heard.borrow(), ["hello", "over"]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn channel<T: 'static>(
        &mut self,
        receive: impl FnMut(&mut Self, T) + 'static,
    ) -> Sender<T> {
        let id = ChannelId(self.channels);
        self.channels += 1;
        let (sender, receiver) = channel(id, self.handle(), receive);
        self.notices.push_back(Notice::Open(id, receiver));
        sender
    }
}
