//! The test's end of a connection.

use crate::net::SimulatedStream;
use ropewalk::backend::{SocketBackend, StreamBackend};
use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice};

/// The size of a read. Answers in tests are short.
const READ_SIZE: usize = 4096;

/// An end that sends queued data as soon as it can, and reads all data that arrives.
#[derive(Debug)]
pub(super) struct TestEnd {
    /// `None` after it was closed.
    stream: Option<SimulatedStream>,
    /// Data that is not sent yet. The other side may have paused reading.
    pub(super) outgoing: VecDeque<u8>,
    /// The end of this side follows the queued data.
    pub(super) ends: bool,
    /// The data received.
    pub(super) received: Vec<u8>,
    /// The other side has ended.
    pub(super) has_ended: bool,
    pub(super) was_reset: bool,
}

impl TestEnd {
    pub(super) fn new(stream: SimulatedStream) -> Self {
        Self {
            stream: Some(stream),
            outgoing: VecDeque::new(),
            ends: false,
            received: Vec::new(),
            has_ended: false,
            was_reset: false,
        }
    }

    /// Writes and reads as far as possible.
    pub(super) fn exchange(&mut self) {
        self.send();
        self.receive();
    }

    fn send(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        while !self.outgoing.is_empty() {
            let (front, back) = self.outgoing.as_slices();
            match stream.write(&[IoSlice::new(front), IoSlice::new(back)]) {
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.outgoing.clear(), // The peer is gone.
            }
        }
        if std::mem::take(&mut self.ends) {
            // If the peer is gone, there is nothing to end.
            let _ = stream.shutdown_write();
        }
    }

    fn receive(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        if self.has_ended || self.was_reset {
            // The connection can still be reset.
            self.was_reset |= matches!(stream.take_error(), Ok(Some(_)));
            return;
        }
        let mut buffer = [0; READ_SIZE];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => self.has_ended = true,
                Ok(count) => {
                    self.received.extend(&buffer[..count]);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.was_reset = true,
            }
            return;
        }
    }

    /// Stops or resumes reading.
    pub(super) fn set_reading(&self, takes: bool) {
        if let Some(stream) = &self.stream {
            stream.set_reading(takes);
        }
    }

    /// Closes it: with a reset, or as a program does.
    pub(super) fn close(&mut self, resets: bool) {
        self.outgoing.clear();
        if let Some(stream) = self.stream.take()
            && resets
        {
            _ = stream.reset_on_close();
        }
    }
}
