//! Replayed signals.

use crate::bytes::Bytes;
use crate::outcome::Outcome;
use crate::player::Player;
use crate::record::{Call, Method};
use ropewalk::backend::{SignalBackend, SignalWatchBackend};
use std::io;
use std::rc::Rc;

/// The signals that ended the recorded run. Those of the process have their default action.
pub(super) struct ReplayedSignals(Rc<Player>);

impl ReplayedSignals {
    pub(super) fn catch(player: &Rc<Player>) -> io::Result<Option<Box<dyn SignalBackend>>> {
        let call = Call::plain(Method::CatchSignals, 0);
        let caught = player.result(&call, |outcome| match outcome {
            Outcome::Flag(caught) => Some(caught),
            _ => None,
        });
        let signals = || Box::new(Self(Rc::clone(player))) as Box<dyn SignalBackend>;
        Ok(caught.unwrap_or(Ok(false))?.then(signals))
    }
}

impl SignalBackend for ReplayedSignals {
    fn begin_run(&mut self) -> bool {
        self.0.flag(&Call::plain(Method::BeginRun, 0))
    }

    fn end_run(&mut self) {
        self.0.done(&Call::plain(Method::EndRun, 0)).unwrap_or(());
    }

    fn pending(&mut self) -> Vec<i32> {
        let call = Call::plain(Method::PendingSignals, 0);
        let pending = self.0.answer(&call, &[], |outcome| match outcome {
            Outcome::Bytes(encoded) => {
                let (mut bytes, mut pending) = (Bytes(encoded), Vec::new());
                while !bytes.is_empty() {
                    pending.push(bytes.small().ok()? as i32);
                }
                Some(pending)
            }
            _ => None,
        });
        pending.unwrap_or_default()
    }
}

/// A signal with a handler.
pub(super) struct ReplayedSignal(Rc<Player>);

impl ReplayedSignal {
    pub(super) fn watch(
        player: &Rc<Player>,
        signal: i32,
    ) -> io::Result<Box<dyn SignalWatchBackend>> {
        let text = signal.to_string();
        player.done(&Call::Other { method: Method::WatchSignal, socket: 0, text: &text })?;
        Ok(Box::new(Self(Rc::clone(player))))
    }
}

impl SignalWatchBackend for ReplayedSignal {
    fn take(&mut self) -> bool {
        self.0.flag(&Call::plain(Method::TakeSignal, 0))
    }
}
