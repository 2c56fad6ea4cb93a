//! The turn: one pass of the loop.

use crate::reactor::Reactor;
use crate::source::stream::LONGEST_READ;
use crate::sys::Event;
use crate::values::error::{Action, Error};
use std::time::Duration;

/// The size up to which the read buffer grows while reads fill it. A read and a write of this size cost
/// less than four of 64 KiB, and both stay within the second-level cache.
const MAX_READ_SIZE: usize = LONGEST_READ;

impl Reactor {
    /// The loop's body: what stands here is what happens, in this order.
    pub(super) fn pass(&mut self, limit: Option<Duration>) -> Result<(), Error> {
        let limit = self.dispatcher.wait_limit(limit);
        self.wait(limit)?;
        self.dispatcher.begin_turn();
        self.dispatcher.fire_timers();
        let left_over = self.dispatcher.left_over();
        self.serve_events();
        self.dispatcher.serve_left_over(left_over, &mut self.buffer);
        if self.dispatcher.context.has_many_to_flush() {
            // Who spoke at the same moment is heard first, so that one write to each carries it all.
            self.wait(Some(Duration::ZERO))?;
            self.serve_events();
        }
        self.dispatcher.run_calls();
        self.dispatcher.end_turn();
        if self.dispatcher.has_filled_buffer() {
            self.grow_buffer();
        }
        Ok(())
    }

    pub(super) fn wait(&mut self, limit: Option<Duration>) -> Result<(), Error> {
        self.poller.wait(limit).map_err(|cause| Error::new(Action::Poll, "", cause))
    }

    /// What the last wait brought.
    pub(super) fn serve_events(&mut self) {
        for event in self.poller.events() {
            match event {
                Event::Ready(token, readiness) => {
                    self.dispatcher.serve_event(token, readiness, &mut self.buffer);
                }
                Event::Woken => self.dispatcher.take_calls(),
                #[cfg(all(unix, feature = "signals"))]
                Event::Signalled => {
                    if let Some(signals) = &mut self.signals {
                        signals.handle(&mut self.dispatcher.context);
                    }
                }
            }
        }
        if self.poller.is_simulated() {
            self.serve_others();
        }
    }

    /// What it brought in another world than the system's.
    #[cold]
    pub(super) fn serve_others(&mut self) {
        for event in self.poller.others() {
            match event {
                Event::Ready(token, readiness) => {
                    self.dispatcher.serve_event(token, readiness, &mut self.buffer);
                }
                _ => self.dispatcher.take_calls(),
            }
        }
    }

    /// Doubles the read buffer, up to its limit. It is not made smaller again: a reactor has only one.
    #[cold]
    pub(super) fn grow_buffer(&mut self) {
        let size = (2 * self.buffer.len()).min(MAX_READ_SIZE);
        self.buffer.resize(size, 0);
    }
}
