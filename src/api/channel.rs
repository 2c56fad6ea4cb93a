//! Messages from other threads, for a receiver that lives on the reactor's.

use crate::api::context::{Context, Pending};
use crate::api::handle::{Handle, ReactorGone, Sent};
use crate::source::retention::give_back;
use std::any::type_name;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The name of a channel within its reactor, given out once and never again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChannelId(pub(crate) u64);

/// Sends messages to a receiver that lives on the reactor's thread: made by
/// [`Context::channel`], cloned freely, and sent to other threads if the messages may be.
///
/// When the last clone is dropped, what was sent is received, and then the receiver is dropped.
pub struct Sender<T> {
    shared: Arc<Senders<T>>,
}

/// What all clones of a sender share. It is dropped with the last of them.
struct Senders<T> {
    queue: Arc<Mutex<Messages<T>>>,
    channel: ChannelId,
    handle: Handle,
}

/// While it is not empty, the reactor has a notice to look at it and has not done so yet.
struct Messages<T> {
    messages: VecDeque<T>,
    /// All senders have been dropped.
    over: bool,
}

impl<T> Sender<T> {
    /// Sends a message. The receiver gets all that were sent before the reactor came to it one
    /// after the other, in one of the next turns, and in the order in which they were sent.
    ///
    /// It never waits for the reactor, so the queue has no bound: two reactors that waited for each other's room would deadlock. A sender that can be faster than the receiver must check [`waiting`](Self::waiting), and pause when it is high; a
    /// protocol does so by [pausing](crate::Transport::pause) the connection that makes it send.
    ///
    /// What is sent between two runs is received in the next one, or else when the reactor is
    /// dropped.
    ///
    /// # Errors
    ///
    /// If the reactor has been dropped or [abandoned](crate::Reactor::abandon): then the message will not
    /// be received.
    pub fn send(&self, message: T) -> Result<(), ReactorGone> {
        let Senders { queue, channel, handle } = &*self.shared;
        let mut queue = lock(queue);
        // The reactor takes all messages at once. So only the sender that finds the queue empty notifies it; if that fails, the message must not be left behind.
        if queue.messages.is_empty() {
            handle.send(Sent::Messages(*channel))?;
        }
        queue.messages.push_back(message);
        Ok(())
    }

    /// How many messages have been sent that the reactor has not begun to receive.
    ///
    /// ```
    /// let mut reactor = ropewalk::Reactor::new()?;
    /// let sender = reactor.context().channel(|_, _: &str| {});
    /// assert!(sender.send("one").is_ok() && sender.send("two").is_ok());
    /// assert_eq!(sender.waiting(), 2);
    /// reactor.turn(None)?;
    /// assert_eq!(sender.waiting(), 0);
    /// # Ok::<(), ropewalk::Error>(())
    /// ```
    pub fn waiting(&self) -> usize {
        lock(&self.shared.queue).messages.len()
    }

    /// Whether the receiver's reactor has ended a run and has not begun another one, nor turned since: what
    /// is sent now waits until it does, if it ever does.
    ///
    /// ```
    /// let mut reactor = ropewalk::Reactor::new()?;
    /// let sender = reactor.context().channel(|_, _: &str| {});
    /// assert!(!sender.is_between_runs(), "its first run is still to come");
    /// reactor.context().stop();
    /// reactor.run()?;
    /// assert!(sender.is_between_runs());
    /// reactor.turn(Some(std::time::Duration::ZERO))?;
    /// assert!(!sender.is_between_runs());
    /// # Ok::<(), ropewalk::Error>(())
    /// ```
    pub fn is_between_runs(&self) -> bool {
        self.shared.handle.is_between_runs()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

/// The last sender is gone: the reactor has to look once more.
impl<T> Drop for Senders<T> {
    fn drop(&mut self) {
        let mut queue = lock(&self.queue);
        queue.over = true;
        if queue.messages.is_empty() {
            // If the reactor is gone, so is the receiver.
            let _ = self.handle.send(Sent::Messages(self.channel));
        }
    }
}

/// The reactor's end of a channel.
pub(crate) trait Receiver {
    /// Takes over as much as is there, but not more than `most`.
    fn take(&mut self, most: usize) -> Taken;

    /// Gives the user the next of what was taken over.
    fn receive(&mut self, context: &mut Context);

    /// Takes over all messages, to drop them. The reactor accepts no more calls, so it refuses senders that
    /// find the queue empty.
    fn take_all(&mut self);

    /// Drops one message that will not be received; returns false if there is none.
    fn drop_next(&mut self) -> bool;

    /// By which the logs can accuse it.
    fn name(&self) -> &'static str;
}

/// What there was to be taken over.
pub(crate) struct Taken {
    pub(crate) count: usize,
    pub(crate) left: Left,
}

/// What there is beyond that.
pub(crate) enum Left {
    /// More messages, without a notice.
    More,
    /// No messages; the next sender sends a notice.
    Nothing,
    /// Nothing, and never again.
    Over,
}

struct Channel<T, F> {
    queue: Arc<Mutex<Messages<T>>>,
    taken: VecDeque<T>,
    receive: F,
}

impl<T, F: FnMut(&mut Context, T)> Receiver for Channel<T, F> {
    fn take(&mut self, most: usize) -> Taken {
        let mut queue = lock(&self.queue);
        let count = queue.messages.len().min(most);
        if self.taken.is_empty() && count == queue.messages.len() {
            std::mem::swap(&mut self.taken, &mut queue.messages);
        } else {
            self.taken.extend(queue.messages.drain(..count));
        }
        give_back(&mut queue.messages);
        let left = match (queue.messages.is_empty(), queue.over) {
            (false, _) => Left::More,
            (true, false) => Left::Nothing,
            (true, true) => Left::Over,
        };
        Taken { count, left }
    }

    fn receive(&mut self, context: &mut Context) {
        if let Some(message) = self.taken.pop_front() {
            give_back(&mut self.taken);
            (self.receive)(context, message);
        }
    }

    fn take_all(&mut self) {
        let mut queue = lock(&self.queue);
        self.taken.append(&mut queue.messages);
    }

    fn drop_next(&mut self) -> bool {
        self.taken.pop_front().map(drop).is_some()
    }

    fn name(&self) -> &'static str {
        type_name::<F>()
    }
}

/// Both ends of a new channel.
pub(crate) fn channel<T: 'static>(
    channel: ChannelId,
    handle: Handle,
    receive: impl FnMut(&mut Context, T) + 'static,
) -> (Sender<T>, Box<dyn Receiver>) {
    let queue = Arc::new(Mutex::new(Messages { messages: VecDeque::new(), over: false }));
    let senders = Senders { queue: queue.clone(), channel, handle };
    let receiver = Channel { queue, taken: VecDeque::new(), receive };
    (Sender { shared: Arc::new(senders) }, Box::new(receiver))
}

/// No code of a user runs under the lock, so a poisoned one guards a sound queue.
fn lock<T>(queue: &Mutex<Messages<T>>) -> MutexGuard<'_, Messages<T>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

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
    /// let received = Rc::new(RefCell::new(Vec::new())); // stays on this thread
    ///
    /// let mut reactor = Reactor::new()?;
    /// let note = received.clone();
    /// let sender = reactor.context().channel(move |context, word: &str| {
    ///     note.borrow_mut().push(word);
    ///     if word == "over" {
    ///         context.stop();
    ///     }
    /// });
    /// let worker = thread::spawn(move || ["hello", "over"].map(|word| sender.send(word)));
    /// reactor.run()?;
    /// assert_eq!(worker.join().unwrap(), [Ok(()), Ok(())]);
    /// assert_eq!(*received.borrow(), ["hello", "over"]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn channel<T: 'static>(
        &mut self,
        receive: impl FnMut(&mut Self, T) + 'static,
    ) -> Sender<T> {
        let id = ChannelId(self.channels);
        self.channels += 1;
        let (sender, receiver) = channel(id, self.handle(), receive);
        self.pending.push_back(Pending::Open(id, receiver));
        sender
    }
}
