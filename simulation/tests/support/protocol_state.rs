//! State of a random protocol, and its checks.

use crate::model::{Model, SEVERING, SLOWING, UNTIMELY, bytes};
use ropewalk::{Reason, Transport};
use ropewalk_simulation::Random;
use std::panic::resume_unwind;
use std::time::{Duration, Instant};

/// The minimum duration for which a socket lingers after a graceful close.
const LINGER: Duration = Duration::from_millis(1900);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    New,
    Open,
    /// It has closed or aborted.
    Closing,
    Lost,
}

pub(crate) struct State {
    pub(crate) model: Model,
    pub(crate) node: u64,
    pub(crate) random: Random,
    pub(crate) stage: Stage,
    /// The stream that it writes, which begins with its name.
    pub(crate) writes: u64,
    pub(crate) written: u64,
    pub(crate) write_ended: bool,
    pub(crate) produces: bool,
    /// The stream that it reads.
    pub(crate) reads: Option<u64>,
    pub(crate) name: Vec<u8>,
    pub(crate) received: u64,
    pub(crate) eof: bool,
    pub(crate) paused: bool,
    /// When reading was resumed.
    pub(crate) resumed_at: Option<Instant>,
    pub(crate) writing_paused: bool,
    /// The high and low mark of its send buffer.
    pub(crate) marks: (usize, usize),
    /// Its producer was stopped before it had finished.
    pub(crate) producer_stopped: bool,
    pub(crate) aborted: bool,
    /// It panics in its next callback; it has panicked.
    pub(crate) panics: bool,
    pub(crate) panicked: bool,
}

impl State {
    pub(crate) fn fail(&self, what: &str) {
        self.model.fail(format!("the writer of stream {}: {what}", self.writes));
    }

    /// Returns the next `count` bytes of its stream.
    pub(crate) fn next_bytes(&mut self, count: u64) -> &'static [u8] {
        let (writes, from) = (self.writes, self.written);
        self.written += count;
        let written = self.written;
        self.model.stream(writes, |stream| stream.written = written);
        bytes(writes, from, count as usize)
    }

    /// Returns true if more data than the high mark is queued, but `pause_writing` was not called.
    pub(crate) fn should_pause(&self, waiting: usize) -> bool {
        waiting > self.marks.0 && !self.writing_paused
    }

    pub(crate) fn end_writing(&mut self) {
        self.write_ended = true;
        self.model.stream(self.writes, |stream| stream.ended = true);
    }

    pub(crate) fn set_produces(&mut self, produces: bool) {
        self.produces = produces;
        self.model.stream(self.writes, |stream| stream.produced = produces);
    }

    pub(crate) fn set_writing_paused(&mut self, paused: bool) {
        self.writing_paused = paused;
        self.model.stream(self.writes, |stream| stream.paused = paused);
    }

    pub(crate) fn panic(&mut self) -> ! {
        self.stage = Stage::Lost;
        resume_unwind(Box::new("on purpose"))
    }

    /// Panics if it should. Data written before is discarded.
    pub(crate) fn panic_on_purpose(&mut self, transport: &mut Transport<'_>) {
        if self.panics && !self.panicked {
            self.panicked = true;
            if self.stage == Stage::Open {
                self.stage = Stage::Closing;
            }
            transport.write(&[0xee; 100]);
            resume_unwind(Box::new("on purpose"));
        }
    }

    pub(crate) fn check_data(&mut self, mut data: &[u8]) {
        while self.name.len() < 8 && !data.is_empty() {
            self.name.push(data[0]);
            data = &data[1..];
        }
        let Ok(name) = <[u8; 8]>::try_from(&*self.name) else { return };
        let name = u64::from_le_bytes(name);
        if self.reads.replace(name).is_none() && name >= 1 << 32 {
            self.fail("the received data does not begin with the name of a stream");
        }
        if data != bytes(name, self.received, data.len()) {
            let place = self.received;
            return self.fail(&format!(
                "stream {name} differs from the written data from byte {place} on"
            ));
        }
        self.received += data.len() as u64;
        let (writes, received) = (self.writes, self.received);
        let written = self.model.stream(name, |stream| {
            (stream.answer, stream.received) = (Some(writes), received);
            stream.written
        });
        if received > written {
            self.fail(&format!("stream {name} has more bytes than were written"));
        }
    }

    /// Returns true if the connection was lost for a valid reason.
    pub(crate) fn is_expected(&self, reason: &Reason, stops: bool) -> bool {
        if self.panicked || self.aborted {
            return matches!(reason, Reason::Panicked) == self.panicked
                && matches!(reason, Reason::Aborted) == self.aborted;
        }
        match reason {
            Reason::Closed => self.write_ended,
            Reason::ClosedByPeer => self.eof,
            Reason::CloseTimeout if self.stage != Stage::Closing && !self.write_ended => false,
            Reason::CloseTimeout => {
                !self.model.is_without(SEVERING) || !self.model.is_without(SLOWING)
            }
            Reason::Stopped => stops,
            Reason::Failed(_) | Reason::Reset => true,
            Reason::TimedOut => !self.model.is_without(SEVERING),
            _ => false,
        }
    }

    /// Returns true if its peer has closed gracefully, and should still linger.
    pub(crate) fn lingered_too_briefly(&self, now: Instant) -> bool {
        let quiet = self.model.is_without(SEVERING) && self.model.is_without(UNTIMELY);
        let closed_at = self.reads.and_then(|name| self.model.stream(name, |it| it.closed_at));
        quiet && !self.model.stopped.get() && closed_at.is_some_and(|at| now < at + LINGER)
    }

    /// Records that its connection is lost.
    pub(crate) fn record_lost(&self) {
        self.model.stream(self.writes, |stream| stream.writer_gone = true);
        if let Some(reads) = self.reads {
            self.model.stream(reads, |stream| stream.reader_gone = true);
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.model.alive.set(self.model.alive.get() - 1);
        if !matches!(self.stage, Stage::Lost) {
            self.model.with(|records| records.vanished += 1);
            self.record_lost();
        }
    }
}
