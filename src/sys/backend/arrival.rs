//! Arrivals: what other threads send to a reactor, for backends that record and replay it.

use crate::sys::backend::Answered;
use crate::values::id::Id;

/// Notes what arrives beside a [`Backend`](crate::backend::Backend): calls, messages and answers of other threads.
///
/// They wait in the queue behind the reactor's [`Handle`](crate::Handle), which the reactor takes after
/// [`Event::WOKEN`](crate::backend::Event::WOKEN), and at the end of a run.
pub trait ArrivalBackend {
    /// Notes that the reactor takes this from its queue. The calls are in the order of the queue.
    fn arrived(&self, arrival: &Incoming<'_>);

    /// Sends what a recording has at this place of the queue, if it was sent by another thread: by the
    /// [`Answer`](crate::Answer) of a look-up, a [`ThreadJob`](crate::backend::ThreadJob), a
    /// [`Sender`](crate::Sender), or `stop`, which does what [`Handle::stop`](crate::Handle::stop) does. Returns true if it
    /// has sent one thing. Default: false.
    fn send_next(&self, stop: &mut dyn FnMut()) -> bool {
        let _ = stop;
        false
    }

    /// Notes whether calls or messages may follow, since handles exist outside of the reactor. Returns the answer for the
    /// reactor, which ends a run that has nothing to wait for. Default: `may`.
    fn may_follow(&self, may: bool) -> bool {
        may
    }
}

/// Something that a reactor takes from its queue.
#[derive(Debug)]
#[non_exhaustive]
pub struct Incoming<'a> {
    /// True if it was sent on the reactor's own thread: by a callback, for example.
    pub own: bool,
    /// What was sent.
    pub sent: SentKind<'a>,
}

impl<'a> Incoming<'a> {
    pub(crate) fn new(own: bool, sent: SentKind<'a>) -> Self {
        Self { own, sent }
    }
}

/// What was sent to a reactor.
#[derive(Debug)]
#[non_exhaustive]
pub enum SentKind<'a> {
    /// A part of the answer to the look-up with this [id](crate::Answer::id).
    Answer(Id, &'a Answered),
    /// A closure of this type: [`Handle::call`](crate::Handle::call).
    Call(&'static str),
    /// The job with this [number](crate::backend::ThreadJob::number) is over.
    JobOver(u64),
    /// The channel has messages, or no senders any more. The first channel of a reactor has number 0.
    Messages(u64),
    /// A [`Hold`](crate::Hold) was released.
    Released,
    /// The run is to stop.
    Stop,
}
