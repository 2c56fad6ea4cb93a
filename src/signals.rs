//! Signals: Ctrl-C and its kin end a run in order.

use crate::context::Context;
use crate::logging::SIGNAL;
use crate::world::Registrar;
use log::info;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::fmt;
use std::io;

/// The signals that end a run. They reach the poll through a pipe of signal-hook's; no code of ours
/// runs in a signal handler.
pub(crate) struct Signals {
    signals: signal_hook_mio::v1_0::Signals,
}

impl Signals {
    pub(crate) fn catch(registrar: &Registrar) -> io::Result<Self> {
        let mut signals = signal_hook_mio::v1_0::Signals::new([SIGINT, SIGTERM])?;
        registrar.register_signals(&mut signals)?;
        Ok(Self { signals })
    }

    /// Does what the signals that have come ask for: the first stops, one that comes while it is
    /// stopping stops at once.
    pub(crate) fn heed(&mut self, context: &mut Context) {
        for signal in self.signals.pending() {
            let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
            if context.is_stopping() {
                info!(target: SIGNAL, "{name} again: stopping at once");
                context.stop_at_once();
            } else {
                info!(target: SIGNAL, "{name}: stopping; once more to stop at once");
                context.stop();
            }
        }
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals").finish_non_exhaustive()
    }
}
