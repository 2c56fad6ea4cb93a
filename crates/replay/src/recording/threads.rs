//! Look-ups, jobs and messages: what other threads answer and send.

use crate::channel::ChannelSource;
use crate::outcome::{Outcome, same_error};
use crate::record::{Call, Method};
use crate::recording::Recording;
use ropewalk::Id;
use ropewalk::backend::Answered;
use std::io;
use std::task::Waker;

/// The longest message of a channel, in bytes.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

impl Recording {
    /// Records the beginning of a look-up.
    pub(crate) fn begin_look_up(&self, text: &str, id: Id) {
        let mut state = self.state.borrow_mut();
        state.look_ups += 1;
        let number = state.look_ups;
        state.open_look_ups.insert(id, number);
        drop(state);
        let call = Call::Other { method: Method::BeginLookUp, socket: number, text };
        self.write(&call, &Outcome::Done);
    }

    /// Returns the number of the look-up to which this is an answer, if the backend has answered.
    pub(crate) fn look_up_of(&self, id: Id, answered: &Answered) -> Option<u32> {
        let look_ups = &mut self.state.borrow_mut().open_look_ups;
        match answered {
            Answered::Found(_) => look_ups.get(&id).copied(),
            _ => look_ups.remove(&id),
        }
    }

    pub(crate) fn repeat_jobs(&self) {
        self.repeats_jobs.set(true);
    }

    /// Records the start of a job.
    pub(crate) fn start_job(&self, name: &str, number: u64, result: Result<&(), &io::Error>) {
        if result.is_ok() && !self.repeats_jobs.get() {
            return self.refuse(&format!(
                "a job was started on another thread, {name}, whose result cannot be recorded (if it \
                 has the same result each time: `Recorder::repeat_jobs`)"
            ));
        }
        let call = Call::Other { method: Method::RunJob, socket: number as u32, text: name };
        let outcome =
            result.map_or_else(|error| Outcome::Failed(same_error(error)), |()| Outcome::Done);
        self.write(&call, &outcome);
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    pub(crate) fn add_channel(&self, channel: impl ChannelSource + 'static) {
        self.channels.borrow_mut().add(channel);
    }

    /// Records the messages of other threads, and sends them on to the reactor, which is woken by that.
    pub(crate) fn forward_messages(&self) {
        for (number, channel) in self.channels.borrow_mut().iter_mut() {
            let Some(source) = channel else { continue };
            let mut record = |message: &[u8]| self.write_message(number, message);
            while source.forward(&mut record) {}
            if source.is_over() {
                self.write(&Call::plain(Method::ChannelClosed, number), &Outcome::Done);
                *channel = None;
            }
        }
    }

    fn write_message(&self, channel: u32, message: &[u8]) {
        if message.len() > MAX_MESSAGE {
            let text = format!("a message of {} bytes is too long", message.len());
            return self.refuse(&text);
        }
        self.write(&Call::plain(Method::Message, channel), &Outcome::Bytes(message));
    }

    /// Refuses messages from now on: the reactor has been dropped.
    pub(crate) fn close_channels(&self) {
        self.channels.take();
    }
}
