//! Producers: sources of data for one connection.

use crate::api::context::{Context, Pending};
use crate::api::timer::TimerOwner;
use crate::api::transport::Transport;
use crate::source::stream::{FileSendError, Life, Output, Producing};
use crate::source::table::Source;
use crate::source::timer::TimerId;
use crate::sys::error::failed;
use crate::values::error::Error;
use crate::values::id::Id;
use std::any::type_name;
use std::fs::File;
use std::io;
use std::mem;

/// A source of data for one connection, which produces as fast as the connection accepts data.
///
/// A **pull** producer is asked for a chunk each time the send buffer is empty
/// ([`Transport::register_pull_producer`]). It suits data that can be produced on demand, such as the next part
/// of a file ([`FileSender`](crate::FileSender) is a pull producer). A **push** producer writes at any time, and
/// is notified when to pause and when to resume ([`Transport::register_push_producer`]). It suits data from
/// elsewhere, such as another connection, which it can [pause](Transport::pause) in turn.
///
/// ```
/// use ropewalk::{Producer, Protocol, Transport};
///
/// /// Sends the numbers from zero, as fast as the client reads them.
/// struct Numbers(u64);
///
/// impl Producer for Numbers {
///     fn resume_producing(&mut self, transport: &mut Transport<'_>) {
///         for number in self.0..self.0 + 1000 {
///             write!(transport, "{number}\n");
///         }
///         self.0 += 1000;
///         if self.0 == 1_000_000 {
///             transport.unregister_producer();
///         }
///     }
/// }
///
/// struct Count;
///
/// impl Protocol for Count {
///     fn connection_made(&mut self, transport: &mut Transport<'_>) {
///         transport.register_pull_producer(Numbers(0)).expect("it is the first");
///         transport.close(); // once the last number has been sent
///     }
///
///     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
/// }
/// ```
#[doc(alias = "IPushProducer")]
#[doc(alias = "IPullProducer")]
#[allow(unused_variables)] // The names are the documentation.
pub trait Producer: 'static {
    /// Pull producer: write the next chunk; all data written before has been sent. The first call follows soon
    /// after the registration. If the producer writes nothing, it is called again only after other data was
    /// written and sent.
    ///
    /// Push producer: continue after [`pause_producing`](Self::pause_producing).
    #[doc(alias = "resumeProducing")]
    fn resume_producing(&mut self, transport: &mut Transport<'_>);

    /// Push producer: stop producing for now; more data than the high-water mark is queued.
    #[doc(alias = "pauseProducing")]
    fn pause_producing(&mut self, transport: &mut Transport<'_>) {}

    /// A timer of this producer, which [`Transport::set_timer`] has set in one of its callbacks, has fired. It does not
    /// fire after the producer was unregistered.
    fn timer_fired(&mut self, transport: &mut Transport<'_>, timer: TimerId) {}

    /// The connection has ended. This is the last callback, called once, before the protocol's
    /// [`connection_lost`](crate::Protocol::connection_lost). It is not called if the producer was
    /// unregistered before. A producer that is registered when the connection has ended already is stopped as
    /// soon as the running callback has returned, possibly after `connection_lost`.
    #[doc(alias = "stopProducing")]
    fn stop_producing(&mut self, context: &mut Context) {}

    /// Returns the name of this type, for the logs and for [`Backend::called`](crate::backend::Backend::called). A
    /// wrapper returns the name of the wrapped object.
    fn type_name(&self) -> &'static str {
        type_name::<Self>()
    }
}

/// # Producers
impl Transport<'_> {
    /// Registers a push producer. It is notified when it has to pause, that is when more than the
    /// [high-water mark](Self::set_write_buffer_limits) is queued, and when it may resume, that is at the
    /// low-water mark. It begins by producing.
    ///
    /// [`close`](Self::close) and [`write_eof`](Self::write_eof) wait until it is
    /// [unregistered](Self::unregister_producer); until then what is written is sent. If nothing is
    /// written and sent for 60 seconds, the connection ends with
    /// [`Reason::CloseTimeout`](crate::Reason::CloseTimeout). If the reactor stops before, the connection
    /// is reset, so that the peer does not take a part for the whole. A producer can be registered for a
    /// connection attempt as well. If the connection is closing or closed already, the producer is stopped
    /// after the running callback.
    ///
    /// # Errors
    ///
    /// If the connection has a producer.
    #[doc(alias = "registerProducer")]
    pub fn register_push_producer(&mut self, producer: impl Producer) -> Result<(), Error> {
        let (context, id) = self.parts();
        context.set_producer(id, Producing::Push, Box::new(producer))
    }

    /// Registers a pull producer. It is asked for more each time that the send buffer is empty; for the
    /// first time soon. All else is as for [`register_push_producer`](Self::register_push_producer).
    ///
    /// # Errors
    ///
    /// If the connection has a producer.
    #[doc(alias = "registerProducer")]
    pub fn register_pull_producer(&mut self, producer: impl Producer) -> Result<(), Error> {
        let (context, id) = self.parts();
        context.set_producer(id, Producing::Pull { asked_at: None }, Box::new(producer))
    }

    /// Unregisters the producer: it has no more data, and receives no further callback. A
    /// [`close`](Self::close) or [`write_eof`](Self::write_eof) that waited for it proceeds.
    #[doc(alias = "unregisterProducer")]
    pub fn unregister_producer(&mut self) {
        let (context, id) = self.parts();
        context.unregister(id);
    }
}

impl Context {
    fn set_producer(
        &mut self,
        id: Id,
        producing: Producing,
        producer: Box<dyn Producer>,
    ) -> Result<(), Error> {
        let Some(output) = self.production(id) else {
            // Too late: it is stopped at once, before the protocol receives `connection_lost`.
            self.pending.push_front(Pending::StopProducing(id, producer));
            self.note_stale(id, "register_producer");
            return Ok(());
        };
        if output.has_producer() {
            let cause = io::ErrorKind::AlreadyExists.into();
            let error = cannot_register(id, cause);
            return self.or_discard(Err(error), producer).map(|((), _)| ());
        }
        output.producing = producing;
        output.registration += 1;
        let registration = output.registration;
        if let Some(stream) = self.sources.stream_mut(id) {
            stream.check_each_write();
        }
        self.pending.push_back(Pending::Produce(id, registration, producer));
        Ok(())
    }

    /// Returns the output of a connection or a connection attempt, if it accepts data.
    fn production(&mut self, id: Id) -> Option<&mut Output> {
        match self.sources.get_mut(id)? {
            Source::Stream(stream) if stream.takes_writes() => Some(&mut stream.output),
            Source::Connector(connector) if connector.takes_writes() => Some(&mut connector.output),
            _ => None,
        }
    }

    fn unregister(&mut self, id: Id) {
        let output = match self.sources.get_mut(id) {
            Some(Source::Stream(stream)) => &mut stream.output,
            Some(Source::Connector(connector)) => &mut connector.output,
            _ => return self.note_stale(id, "unregister_producer"),
        };
        if mem::take(&mut output.producing) == Producing::Nothing {
            return;
        }
        let owner = TimerOwner::Producer(output.registration);
        output.registration += 1;
        self.cancel_owned_timers(id, Some(owner));
        self.pending.push_back(Pending::Produced(id));
        let Some(stream) = self.sources.stream_mut(id) else {
            return;
        };
        stream.check_each_write();
        if let Life::Finishing(reason) = &mut stream.life {
            stream.life = Life::Closing(reason.take());
        }
        self.flush(id);
        self.watch_progress(id);
    }

    /// Returns true if the pull producer of a connection is to be called, and notes the call.
    pub(crate) fn asks_producer(&mut self, id: Id) -> bool {
        let Some(stream) = self.sources.stream_mut(id).filter(|stream| stream.wants_more()) else {
            return false;
        };
        stream.note_asked();
        true
    }

    /// Returns the number of the current registration of a producer. A producer with another number is no
    /// longer registered.
    pub(crate) fn registration(&self, id: Id) -> Option<u32> {
        match self.sources.get(id)? {
            Source::Stream(stream) => Some(stream.output.registration),
            Source::Connector(connector) => Some(connector.output.registration),
            _ => None,
        }
    }

    /// Sends a chunk of a file, of at most `count` bytes from `offset` on. Returns the number of bytes, zero at
    /// the end of the file; `None` if the socket would block. The producer is called again in that case.
    ///
    /// # Errors
    ///
    /// If the file cannot be read. If the socket fails, the connection ends.
    pub(crate) fn send_from_file(
        &mut self,
        id: Id,
        file: &mut File,
        offset: u64,
        count: u64,
    ) -> io::Result<Option<u64>> {
        let Some(stream) = self.sources.stream_mut(id).filter(|stream| stream.takes_writes())
        else {
            return Ok(None);
        };
        match stream.send_from_file(file, offset, count, &mut self.spares) {
            Ok(None) => {
                stream.output.producing = Producing::Pull { asked_at: None };
                Ok(None)
            }
            Err(FileSendError::File(error)) => Err(error),
            Err(FileSendError::Socket(error)) => {
                self.break_off(id, error.into());
                Ok(None)
            }
            Ok(sent) => Ok(sent),
        }
    }
}

pub(super) fn cannot_register(id: Id, cause: io::Error) -> Error {
    failed("register a producer for", id.to_string(), cause, |cause| {
        (cause.kind == io::ErrorKind::AlreadyExists).then_some(
            "the connection already has a producer; unregister it first, or wait until it has \
             finished",
        )
    })
}
