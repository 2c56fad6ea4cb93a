//! Channels of messages that are recorded.

use crate::tape::{Kind, Tape};
use ropewalk::{Context, ReactorGone, Sender};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// A message that can be recorded.
///
/// ```
/// use ropewalk_replay::Recorded;
///
/// struct Temperature(f64);
///
/// impl Recorded for Temperature {
///     fn encode(&self, out: &mut Vec<u8>) {
///         out.extend(self.0.to_le_bytes());
///     }
///
///     fn decode(bytes: &[u8]) -> Option<Self> {
///         Some(Self(f64::from_le_bytes(bytes.try_into().ok()?)))
///     }
/// }
/// ```
pub trait Recorded: Sized + 'static {
    /// Appends the message to `out`, which is at most 16 MiB long afterwards.
    fn encode(&self, out: &mut Vec<u8>);

    /// Returns the message again; `None` if the bytes are none.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// A text is its UTF-8.
impl Recorded for String {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Self::from_utf8(bytes.to_vec()).ok()
    }
}

impl Recorded for Vec<u8> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(bytes.to_vec())
    }
}

/// Sends messages to a receiver on the reactor's thread, as a [`Sender`] does. [`Tape::channel`] makes it. It can be
/// cloned, and is `Send` if the messages are.
pub struct RecordedSender<T>(Way<T>);

enum Way<T> {
    Direct(Sender<T>),
    /// By the queue of a recorder, which sends the messages on at its next wait.
    Recorded(Arc<Guest<T>>),
    /// Nothing is sent in a replay: the messages come from the recording.
    Replayed,
}

/// What all clones of a recorded sender share.
struct Guest<T> {
    inbox: Arc<Inbox<T>>,
    waker: Waker,
}

struct Inbox<T>(Mutex<Queue<T>>);

struct Queue<T> {
    messages: VecDeque<T>,
    /// All senders have been dropped.
    over: bool,
    /// The reactor has been dropped.
    closed: bool,
}

impl<T> Inbox<T> {
    /// Ignores poisoning: no user code runs under the lock.
    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> RecordedSender<T> {
    /// Sends a message. The receiver is called in one of the next turns. In a replay nothing is sent: the receiver is
    /// called with the recorded messages.
    ///
    /// # Errors
    ///
    /// If the reactor has been dropped.
    pub fn send(&self, message: T) -> Result<(), ReactorGone> {
        match &self.0 {
            Way::Direct(sender) => sender.send(message),
            Way::Recorded(guest) => {
                let mut queue = guest.inbox.lock();
                if queue.closed {
                    return Err(ReactorGone);
                }
                let first = queue.messages.is_empty();
                queue.messages.push_back(message);
                drop(queue);
                if first {
                    guest.waker.wake_by_ref();
                }
                Ok(())
            }
            Way::Replayed => Ok(()),
        }
    }
}

/// Notifies the reactor that the last sender was dropped.
impl<T> Drop for Guest<T> {
    fn drop(&mut self) {
        self.inbox.lock().over = true;
        self.waker.wake_by_ref();
    }
}

impl<T> Clone for RecordedSender<T> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Way::Direct(sender) => Way::Direct(sender.clone()),
            Way::Recorded(guest) => Way::Recorded(Arc::clone(guest)),
            Way::Replayed => Way::Replayed,
        })
    }
}

impl<T> fmt::Debug for RecordedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedSender").finish_non_exhaustive()
    }
}

impl Tape {
    /// Opens a channel, as [`Context::channel`] does, whose messages are recorded and replayed.
    ///
    /// A message to a channel that was opened in any other way stops the recording, unless the reactor's own callbacks
    /// have sent it.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use ropewalk::{Reactor, backend::System};
    /// use ropewalk_replay::{Recorder, Replayer, Tape};
    /// use std::thread;
    ///
    /// fn run(mut reactor: Reactor, tape: &Tape) -> std::io::Result<()> {
    ///     let sender = tape.channel(reactor.context(), |context, word: String| {
    ///         println!("{word}");
    ///         context.stop();
    ///     });
    ///     // In a replay the thread is not needed, and does no harm.
    ///     let worker = thread::spawn(move || sender.send("hello".to_owned()));
    ///     reactor.run()?;
    ///     worker.join().unwrap().map_err(std::io::Error::other)
    /// }
    ///
    /// # let file = std::env::temp_dir().join(format!("channel-{}", std::process::id()));
    /// let recorder = Recorder::to_file(System::new()?, &file, "")?;
    /// let tape = recorder.tape();
    /// run(Reactor::with_backend(recorder), &tape)?;
    /// assert!(tape.finish().ending.is_complete());
    ///
    /// let replayer = Replayer::open(&file)?;
    /// let tape = replayer.tape();
    /// run(Reactor::with_backend(replayer), &tape)?;
    /// assert!(tape.summary().ending.is_complete());
    /// # std::fs::remove_file(&file)
    /// # }
    /// ```
    pub fn channel<T: Recorded>(
        &self,
        context: &mut Context,
        receive: impl FnMut(&mut Context, T) + 'static,
    ) -> RecordedSender<T> {
        let sender = context.channel(receive);
        RecordedSender(match &self.0 {
            Kind::Off => Way::Direct(sender),
            Kind::Recording(recording) => {
                let queue = Queue { messages: VecDeque::new(), over: false, closed: false };
                let inbox = Arc::new(Inbox(Mutex::new(queue)));
                recording.add_channel(RecordedChannel { inbox: Arc::clone(&inbox), sender });
                Way::Recorded(Arc::new(Guest { inbox, waker: recording.waker().clone() }))
            }
            Kind::Player(player) => {
                player.add_channel(sender);
                Way::Replayed
            }
        })
    }
}

/// The recorder's end of a channel.
pub(crate) trait ChannelSource {
    /// Takes the next message: records it by `record`, and sends it on. Returns false if there is none.
    fn forward(&mut self, record: &mut dyn FnMut(&[u8])) -> bool;

    /// Returns true if there are no messages and no senders.
    fn is_over(&self) -> bool;
}

struct RecordedChannel<T> {
    inbox: Arc<Inbox<T>>,
    sender: Sender<T>,
}

impl<T: Recorded> ChannelSource for RecordedChannel<T> {
    fn forward(&mut self, record: &mut dyn FnMut(&[u8])) -> bool {
        let Some(message) = self.inbox.lock().messages.pop_front() else { return false };
        let mut encoded = Vec::new();
        message.encode(&mut encoded);
        record(&encoded);
        // If the reactor is being dropped, no message is received any more.
        self.sender.send(message).unwrap_or(());
        true
    }

    fn is_over(&self) -> bool {
        let queue = self.inbox.lock();
        queue.over && queue.messages.is_empty()
    }
}

impl<T> Drop for RecordedChannel<T> {
    fn drop(&mut self) {
        self.inbox.lock().closed = true;
    }
}

/// The replayer's end of a channel.
pub(crate) trait ChannelTarget {
    /// Sends a recorded message. Returns false if it cannot be decoded.
    fn send(&self, encoded: &[u8]) -> bool;
}

impl<T: Recorded> ChannelTarget for Sender<T> {
    fn send(&self, encoded: &[u8]) -> bool {
        let message = T::decode(encoded);
        message.is_some_and(|message| Self::send(self, message).is_ok())
    }
}

/// The channels of a recorder, by number.
#[derive(Default)]
pub(crate) struct Channels(Vec<Option<Box<dyn ChannelSource>>>);

impl Channels {
    pub(crate) fn add(&mut self, channel: impl ChannelSource + 'static) {
        self.0.push(Some(Box::new(channel)));
    }

    /// Returns the channels that exist, with their numbers.
    pub(crate) fn iter_mut(
        &mut self,
    ) -> impl Iterator<Item = (u32, &mut Option<Box<dyn ChannelSource>>)> {
        (0..).zip(&mut self.0).filter(|(_, channel)| channel.is_some())
    }
}
