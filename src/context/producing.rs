//! Producers: registered, asked, unregistered.

use crate::context::{Context, Notice};
use crate::error::{Action, Error};
use crate::id::Id;
use crate::producer::Producer;
use crate::stream::{Producing, State, Trouble};
use std::fs::File;
use std::io;

/// # Producers
impl Context {
    /// [`Transport::register_push_producer`](crate::Transport::register_push_producer), by id.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn register_push_producer(&mut self, id: Id, producer: impl Producer) -> Result<(), Error> {
        self.register(id, Producing::Push, Box::new(producer))
    }

    /// [`Transport::register_pull_producer`](crate::Transport::register_pull_producer), by id.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn register_pull_producer(&mut self, id: Id, producer: impl Producer) -> Result<(), Error> {
        self.register(id, Producing::Pull { asked_at: None }, Box::new(producer))
    }

    fn register(
        &mut self,
        id: Id,
        producing: Producing,
        producer: Box<dyn Producer>,
    ) -> Result<(), Error> {
        match self.sources.stream_mut(id) {
            Some(stream) if stream.takes_writes() => {
                if stream.producing != Producing::Nothing {
                    let cause = io::ErrorKind::AlreadyExists.into();
                    let error = Error::new(Action::RegisterProducer, id.to_string(), cause);
                    return self.or_discard(Err(error), producer).map(|((), _)| ());
                }
                stream.producing = producing;
                stream.look_closely();
                self.notices.push_back(Notice::Produce(id, producer));
            }
            // Too late: it is stopped at once.
            _ => self.notices.push_back(Notice::StopProducing(id, producer)),
        }
        Ok(())
    }

    /// The producer of a connection has nothing more, and hears nothing more. A
    /// [`close`](Self::close) or [`write_eof`](Self::write_eof) that waited for it goes on.
    #[doc(alias = "unregisterProducer")]
    pub fn unregister_producer(&mut self, id: Id) {
        let Some(stream) = self.sources.stream_mut(id) else {
            return;
        };
        if std::mem::take(&mut stream.producing) == Producing::Nothing {
            return;
        }
        stream.look_closely();
        if let State::Finishing(reason) = &mut stream.state {
            stream.state = State::Closing(reason.take());
        }
        self.notices.push_back(Notice::Produced(id));
        self.flush(id);
        self.watch_progress(id);
    }

    /// Whether the producer of a connection is to be asked for more; it counts as asked then.
    pub(crate) fn asks_producer(&mut self, id: Id) -> bool {
        let Some(stream) = self.sources.stream_mut(id).filter(|stream| stream.wants_more()) else {
            return false;
        };
        stream.note_asked();
        true
    }

    /// Sends a piece of a file, of at most `count` bytes from `offset` on, if the socket takes it now.
    /// Returns how many bytes it was, zero at the end of the file; nothing if there was no room, and
    /// then the producer is asked when there is.
    ///
    /// # Errors
    ///
    /// If the file cannot be read. If the socket fails, the connection ends of that.
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
                stream.producing = Producing::Pull { asked_at: None };
                Ok(None)
            }
            Err(Trouble::File(error)) => Err(error),
            Err(Trouble::Socket(error)) => {
                self.break_off(id, error.into());
                Ok(None)
            }
            Ok(sent) => Ok(sent),
        }
    }
}
