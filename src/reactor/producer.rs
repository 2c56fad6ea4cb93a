//! Telling producers when to produce.

use crate::api::producer::Producer;
use crate::api::transport::Transport;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::guard::{Panic, guarded, name_of};
use crate::source::stream::{Flow, Producing};
use crate::values::id::Id;

impl Dispatcher {
    /// Seats a producer. A pull producer is asked in its own turn; a push producer that comes when the
    /// connection is above its high-water mark is paused. One that comes before the connection is made
    /// is asked, or paused, after `connection_made`.
    pub(super) fn set_producer(&mut self, id: Id, number: u32, producer: Box<dyn Producer>) {
        match self.context.registration(id) {
            Some(registration) if registration == number => {}
            Some(_) => return self.drop_unregistered(producer),
            None => return self.stop_producer(id, producer),
        }
        self.producers.insert(id, (number, producer));
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return; // An attempt to connect.
        };
        match &mut stream.output.producing {
            Producing::Nothing => {} // The connection has ended: it is stopped with that.
            Producing::Pull { asked_at } => {
                *asked_at = None; // It may have been asked before it had its place.
                self.context.enqueue(id);
            }
            Producing::Push if stream.output.flow == Flow::Paused => self.pause_producer(id),
            Producing::Push => {}
        }
    }

    /// Asks a pull producer for more, if there is room.
    pub(super) fn ask_producer(&mut self, id: Id) {
        if self.context.asks_producer(id) {
            self.resume_producer(id);
            self.run_pending();
        }
    }

    pub(super) fn resume_producer(&mut self, id: Id) {
        self.call_producer(id, "resume_producing", |producer, transport| {
            producer.resume_producing(transport);
        });
    }

    pub(super) fn pause_producer(&mut self, id: Id) {
        self.call_producer(id, "pause_producing", |producer, transport| {
            producer.pause_producing(transport);
        });
    }

    fn call_producer(
        &mut self,
        id: Id,
        name: &'static str,
        call: impl FnOnce(&mut dyn Producer, &mut Transport<'_>),
    ) {
        let registration = self.context.registration(id);
        let Some((number, producer)) = self.producers.get_mut(&id) else {
            return;
        };
        if registration != Some(*number) {
            return; // It was unregistered, and is about to be dropped.
        }
        let who = name_of(|| producer.type_name());
        self.context.begin_callback(id);
        let mut transport = Transport::new(&mut self.context, id);
        let returned = guarded(|| call(producer.as_mut(), &mut transport));
        self.handle_writes(id, who, name, returned);
    }

    /// The connection, or the attempt to make it, has ended: its producer is stopped, and dropped.
    pub(super) fn end_producing(&mut self, id: Id) {
        if let Some((number, producer)) = self.producers.remove(&id) {
            match self.context.registration(id) {
                Some(registration) if registration != number => self.drop_unregistered(producer),
                _ => self.stop_producer(id, producer),
            }
        }
    }

    pub(super) fn stop_producer(&mut self, id: Id, mut producer: Box<dyn Producer>) {
        let who = name_of(|| producer.type_name());
        let returned = guarded(|| producer.stop_producing(&mut self.context));
        if self.outcome(None, |_| who, "stop_producing", returned).is_none() {
            self.context.end_of_panic(id);
        }
        self.drop_guarded(producer, who);
    }

    /// Sends what a callback that is not the protocol's own has written to the connection.
    fn handle_writes(
        &mut self,
        id: Id,
        who: &'static str,
        name: &'static str,
        returned: Result<(), Panic>,
    ) {
        match self.outcome(Some(id), |_| who, name, returned) {
            Some(()) => self.context.send_gathered(id),
            None => self.context.end_of_panic(id),
        }
    }
}
