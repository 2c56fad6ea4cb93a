//! Blocking calls: calls from other threads that wait for an answer.

use crate::api::context::Context;
use crate::api::handle::Handle;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

impl Handle {
    /// Makes `call` on the reactor's thread, as [`call`](Self::call) does, and waits for what it returns, at most for
    /// `limit`. It blocks the calling thread, for example that of a [job](crate::call_in_thread).
    ///
    /// While a run ends it works as long as the stop waits for jobs. Between two runs it waits for the next one, within
    /// the limit. The jobs of a simulated reactor run on its own thread, where this is an error.
    ///
    /// ```
    /// use ropewalk::{Reactor, call_in_thread};
    /// use std::time::Duration;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let handle = reactor.handle();
    /// let work = move || {
    ///     handle.blocking_call(Duration::from_secs(5), |context| context.connections().count())
    /// };
    /// call_in_thread(reactor.context(), work, |context, answer| {
    ///     assert_eq!(answer.unwrap(), Ok(0));
    ///     context.stop();
    /// })?;
    /// reactor.run()?;
    /// # Ok::<(), ropewalk::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`BlockingCallError`]. After [`TimedOut`](BlockingCallError::TimedOut) a call that has not begun is not made.
    #[doc(alias = "blockingCallFromThread")]
    #[doc(alias = "run_coroutine_threadsafe")]
    pub fn blocking_call<T: Send + 'static>(
        &self,
        limit: Duration,
        call: impl FnOnce(&mut Context) -> T + Send + 'static,
    ) -> Result<T, BlockingCallError> {
        if self.is_of_this_thread() {
            return Err(BlockingCallError::OnReactorThread);
        }
        let (sender, answer) = sync_channel(1);
        let waiting = Arc::new(());
        let wanted = Arc::downgrade(&waiting);
        let made = self.call(move |context| {
            if wanted.strong_count() > 0 {
                // The caller may have stopped to wait meanwhile.
                drop(sender.send(call(context)));
            }
        });
        made.map_err(|_| BlockingCallError::ReactorGone)?;
        answer.recv_timeout(limit).map_err(|error| match error {
            RecvTimeoutError::Timeout => BlockingCallError::TimedOut,
            RecvTimeoutError::Disconnected if self.is_closed() => BlockingCallError::ReactorGone,
            RecvTimeoutError::Disconnected => BlockingCallError::Panicked,
        })
    }
}

/// The error of a [blocking call](Handle::blocking_call).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockingCallError {
    /// The caller is on the reactor's own thread, which would wait for itself.
    OnReactorThread,
    /// The call has panicked. The reactor has logged it.
    Panicked,
    /// The reactor has been dropped.
    ReactorGone,
    /// There was no answer in time.
    TimedOut,
}

impl fmt::Display for BlockingCallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnReactorThread => "the reactor's thread cannot wait for itself",
            Self::Panicked => "the call panicked",
            Self::ReactorGone => "the reactor has been dropped",
            Self::TimedOut => "the reactor did not answer in time",
        })
    }
}

impl Error for BlockingCallError {}
