//! Producers: callbacks that pause, resume and stop them.

use crate::api::context::Context;
use crate::api::producer::Producer;
use crate::api::transport::Transport;
use crate::reactor::call::{Callee, Once};
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::owners::Owners;
use crate::source::stream::{Flow, Producing};
use crate::source::timer::TimerId;
use crate::values::guard::name_of;
use crate::values::id::Id;
use crate::values::journal::Callback;

/// The producer of a connection.
#[derive(Clone, Copy)]
struct ProducerOf(Id);

impl Callee for ProducerOf {
    type Object = dyn Producer;
    type Face<'a> = Transport<'a>;

    fn id(&self) -> Option<Id> {
        Some(self.0)
    }

    fn find<'a>(&self, owners: &'a mut Owners) -> Option<&'a mut Self::Object> {
        Some(owners.producers.get_mut(&self.0)?.1.as_mut())
    }

    fn type_name(&self, producer: &dyn Producer) -> &'static str {
        producer.type_name()
    }

    fn lend<'a>(&self, context: &'a mut Context) -> Transport<'a> {
        context.begin_callback(self.0);
        context.running_producer = context.registration(self.0);
        Transport::new(context, self.0)
    }

    fn returned(&self, context: &mut Context) {
        context.running_producer = None;
        context.send_gathered(self.0);
    }

    fn panicked(&self, context: &mut Context) {
        context.running_producer = None;
        context.end_of_panic(self.0);
    }
}

impl Dispatcher {
    /// Sets the producer of a connection. A pull producer is resumed in its own turn; a push producer is
    /// paused at once if the connection is above its high-water mark. If the connection is not made yet,
    /// that happens after `connection_made`.
    pub(super) fn set_producer(&mut self, id: Id, number: u32, producer: Box<dyn Producer>) {
        match self.context.registration(id) {
            Some(registration) if registration == number => {}
            Some(_) => return self.drop_unregistered(producer),
            None => return self.stop_producer(id, producer),
        }
        self.owners.producers.insert(id, (number, producer));
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return; // An attempt to connect.
        };
        match &mut stream.output.producing {
            Producing::Nothing => {} // The connection has ended: it is stopped with that.
            Producing::Pull { asked_at } => {
                *asked_at = None; // It may have been resumed before it was set here.
                self.context.enqueue(id);
            }
            Producing::Push if stream.output.flow == Flow::Paused => self.pause_producer(id),
            Producing::Push => {}
        }
    }

    /// Resumes a pull producer if the socket takes more data.
    pub(super) fn ask_producer(&mut self, id: Id) {
        if self.context.asks_producer(id) {
            self.resume_producer(id);
            self.run_pending();
        }
    }

    pub(super) fn resume_producer(&mut self, id: Id) {
        if self.is_registered(id) {
            self.call(ProducerOf(id), Callback::ResumeProducing, |producer, transport| {
                producer.resume_producing(transport);
            });
        }
    }

    pub(super) fn pause_producer(&mut self, id: Id) {
        if self.is_registered(id) {
            self.call(ProducerOf(id), Callback::PauseProducing, |producer, transport| {
                producer.pause_producing(transport);
            });
        }
    }

    /// Notifies a producer of its timer.
    pub(super) fn fire_producer_timer(&mut self, id: Id, number: u32, timer: TimerId) {
        if self.context.registration(id) == Some(number) && self.is_registered(id) {
            self.call(ProducerOf(id), Callback::TimerFired, |producer, transport| {
                producer.timer_fired(transport, timer);
            });
        }
    }

    /// Returns true if the producer is still registered. Otherwise it is about to be dropped.
    fn is_registered(&self, id: Id) -> bool {
        let kept = self.owners.producers.get(&id).map(|(number, _)| *number);
        kept.is_some() && kept == self.context.registration(id)
    }

    /// Stops and drops the producer of a connection, or connection attempt, that has ended.
    pub(super) fn end_producing(&mut self, id: Id) {
        if let Some((number, producer)) = self.owners.producers.remove(&id) {
            match self.context.registration(id) {
                Some(registration) if registration != number => self.drop_unregistered(producer),
                _ => self.stop_producer(id, producer),
            }
        }
    }

    pub(super) fn stop_producer(&mut self, id: Id, mut producer: Box<dyn Producer>) {
        let once = Once::new(name_of(|| producer.type_name()));
        let code = |_: &mut _, context: &mut &mut Context| producer.stop_producing(context);
        if self.call(once, Callback::StopProducing, code).is_none() {
            self.context.end_of_panic(id);
        }
        self.drop_guarded(producer, once.type_name);
    }
}
