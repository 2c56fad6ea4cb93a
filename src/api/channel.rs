//! Channels: messages from other threads, for a receiver on the reactor's thread.

use crate::api::context::{Context, Pending};
use crate::api::handle::{Handle, ReactorGone, Sent};
use crate::source::retention::give_back;
use std::any::type_name;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The name of a channel within its reactor. It is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChannelId(pub(crate) u64);

/// Sends messages to a receiver on the reactor's thread. [`Context::channel`] makes it. It can be cloned, and
/// is `Send` if the messages are.
///
/// After the last clone is dropped, the receiver receives the messages that were sent, and is dropped.
pub struct Sender<T> {
    shared: Arc<Senders<T>>,
}

/// What all clones of a sender share. It is dropped with the last of them.
struct Senders<T> {
    queue: Arc<Mutex<Messages<T>>>,
    channel: ChannelId,
    handle: Handle,
}

/// While it is not empty, a notification for the channel is on its way to the reactor.
struct Messages<T> {
    messages: VecDeque<T>,
    /// All senders have been dropped.
    over: bool,
}

impl<T> Sender<T> {
    /// Sends a message. The receiver is called in one of the next turns, once for each message, in the order
    /// in which they were sent.
    ///
    /// It never waits for the reactor, so the queue has no bound: two reactors that wait for space in each
    /// other's queues would deadlock. A sender that can be faster than the receiver must check
    /// [`waiting`](Self::waiting), and pause when it is high; a protocol does so by
    /// [pausing](crate::Transport::pause) the connection that it receives from.
    ///
    /// A message that is sent between two runs is received in the next run, or when the reactor is dropped.
    ///
    /// # Errors
    ///
    /// If the reactor has been dropped or [abandoned](crate::Reactor::abandon): then the message will not
    /// be received.
    pub fn send(&self, message: T) -> Result<(), ReactorGone> {
        let Senders { queue, channel, handle } = &*self.shared;
        let mut queue = lock(queue);
        // The reactor takes all messages at once. So only the sender that finds the queue empty notifies it; if
        // that fails, the message must not be left behind.
        if queue.messages.is_empty() {
            handle.send(Sent::Messages(*channel))?;
        }
        queue.messages.push_back(message);
        Ok(())
    }

    /// Returns the number of messages that were sent and that the reactor has not taken yet.
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

    /// Returns true if the receiver's reactor has ended a run, and has neither begun another run nor turned
    /// since. Messages that are sent now are queued until it does.
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

/// Notifies the reactor that the last sender was dropped.
impl<T> Drop for Senders<T> {
    fn drop(&mut self) {
        let mut queue = lock(&self.queue);
        queue.over = true;
        if queue.messages.is_empty() {
            // If the reactor was dropped, so was the receiver.
            let _ = self.handle.send(Sent::Messages(self.channel));
        }
    }
}

/// The reactor's end of a channel.
pub(crate) trait Receiver {
    /// Takes at most `most` messages from the queue.
    fn take(&mut self, most: usize) -> Taken;

    /// Calls the user's closure with the next message that was taken.
    fn receive(&mut self, context: &mut Context);

    /// Takes over all messages, to drop them. The reactor accepts no more calls, so it refuses senders that
    /// find the queue empty.
    fn take_all(&mut self);

    /// Drops one message that will not be received; returns false if there is none.
    fn drop_next(&mut self) -> bool;

    /// Returns the name of the user's closure, for the logs.
    fn name(&self) -> &'static str;
}

/// The result of taking messages.
pub(crate) struct Taken {
    pub(crate) count: usize,
    pub(crate) left: Left,
}

/// The state of the queue after messages were taken.
pub(crate) enum Left {
    /// More messages. No notification for them is on its way.
    More,
    /// No messages; the next sender notifies the reactor.
    Nothing,
    /// No messages, and no senders.
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

/// Makes both ends of a channel.
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

/// Ignores poisoning: no user code runs under the lock, so the queue is consistent.
fn lock<T>(queue: &Mutex<Messages<T>>) -> MutexGuard<'_, Messages<T>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// # Messages from other threads
impl Context {
    /// Opens a channel. Any thread sends messages through the [`Sender`]; `receive` is called on the
    /// reactor's thread, once for each message. Unlike a call by [`Handle::call`](crate::Handle::call),
    /// `receive` may hold values that cannot be sent to another thread.
    ///
    /// Messages that are sent while others are queued cause no further wake-up. In a turn at most 1,024
    /// messages and calls are handled before the sockets are served.
    ///
    /// `receive` is dropped after the last sender, or with the reactor. A panic in `receive` loses the
    /// message; the next message is received as usual.
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
