//! Recorded signals.

use crate::bytes::put_number;
use crate::outcome::Outcome;
use crate::record::{Call, Method};
use crate::recording::Recording;
use ropewalk::backend::{SignalBackend, SignalWatchBackend};
use std::io;
use std::rc::Rc;

/// The signals that end a run.
pub(super) struct RecordedSignals {
    signals: Box<dyn SignalBackend>,
    recording: Rc<Recording>,
}

impl RecordedSignals {
    pub(super) fn catch(
        recording: &Rc<Recording>,
        caught: io::Result<Option<Box<dyn SignalBackend>>>,
    ) -> io::Result<Option<Box<dyn SignalBackend>>> {
        let call = Call::plain(Method::CatchSignals, 0);
        let caught = recording.result(&call, caught, |caught| Outcome::Flag(caught.is_some()))?;
        let recording = Rc::clone(recording);
        Ok(caught.map(|signals| Box::new(Self { signals, recording }) as Box<dyn SignalBackend>))
    }

    fn note(&self, method: Method, outcome: &Outcome<'_>) {
        self.recording.write(&Call::plain(method, 0), outcome);
    }
}

impl SignalBackend for RecordedSignals {
    fn begin_run(&mut self) -> bool {
        let begins = self.signals.begin_run();
        self.note(Method::BeginRun, &Outcome::Flag(begins));
        begins
    }

    fn end_run(&mut self) {
        self.signals.end_run();
        self.note(Method::EndRun, &Outcome::Done);
    }

    fn pending(&mut self) -> Vec<i32> {
        let (pending, mut encoded) = (self.signals.pending(), Vec::new());
        pending.iter().for_each(|signal| put_number(&mut encoded, *signal as u32 as u64));
        self.note(Method::PendingSignals, &Outcome::Bytes(&encoded));
        pending
    }
}

/// A signal with a handler.
pub(super) struct RecordedSignal {
    signal: Box<dyn SignalWatchBackend>,
    recording: Rc<Recording>,
}

impl RecordedSignal {
    pub(super) fn watch(
        recording: &Rc<Recording>,
        signal: i32,
        watched: io::Result<Box<dyn SignalWatchBackend>>,
    ) -> io::Result<Box<dyn SignalWatchBackend>> {
        let text = signal.to_string();
        let call = Call::Other { method: Method::WatchSignal, socket: 0, text: &text };
        let signal = recording.result(&call, watched, |_| Outcome::Done)?;
        Ok(Box::new(Self { signal, recording: Rc::clone(recording) }))
    }
}

impl SignalWatchBackend for RecordedSignal {
    fn take(&mut self) -> bool {
        let arrived = self.signal.take();
        self.recording.write(&Call::plain(Method::TakeSignal, 0), &Outcome::Flag(arrived));
        arrived
    }
}
