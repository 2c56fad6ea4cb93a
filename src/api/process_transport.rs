//! The transport of a process.

use crate::api::context::Context;
use crate::api::transport::Transport;
use crate::source::timer::TimerId;
use crate::sys::ProcessBackend;
use crate::sys::error::failed_plainly;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::process::{ProcessExit, Signal, WindowSize};
use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// Ctrl-D, the end of the input to a terminal, until the process chooses another character (VEOF, termios(3)).
const END_OF_INPUT: u8 = 4;

/// A process, as its protocol and the holders of its id use it.
///
/// Its pipes have a [`Transport`] each: [`stdin`](Self::stdin), [`stdout`](Self::stdout), [`stderr`](Self::stderr).
/// A closed or absent pipe ignores all requests.
pub struct ProcessTransport<'a> {
    context: &'a mut Context,
    id: Id,
}

impl<'a> ProcessTransport<'a> {
    /// Returns the transport of a process, for holders of its id. An id can be kept after the process has ended:
    /// requests then do nothing.
    pub fn new(context: &'a mut Context, id: Id) -> Self {
        Self { context, id }
    }

    /// Returns the id of the process in the reactor.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Returns the process id by which the system names it; `None` after [`process_ended`](crate::ProcessProtocol::process_ended).
    #[doc(alias = "pid")]
    pub fn number(&self) -> Option<u32> {
        self.context.process_of(self.id).map(|process| process.number)
    }

    /// Returns how the process ended, once it was reaped.
    pub fn exit(&self) -> Option<ProcessExit> {
        self.context.process_of(self.id)?.exit
    }

    /// Returns the context, for everything else.
    pub fn context(&mut self) -> &mut Context {
        self.context
    }

    /// Writes to standard input, behind all that was written before.
    #[doc(alias = "writeToChild")]
    pub fn write(&mut self, data: &[u8]) {
        self.stdin().write(data);
    }

    /// Closes standard input after queued data: the process reads the end. To a
    /// [pseudo-terminal](crate::ProcessOptions#method.pseudo_terminal) it writes Ctrl-D before that, which a process that reads lines
    /// takes for the end; the terminal stays.
    #[doc(alias = "closeStdin")]
    pub fn close_stdin(&mut self) {
        if self.context.process_of(self.id).is_some_and(|process| process.has_terminal) {
            self.stdin().write(&[END_OF_INPUT]);
        }
        self.stdin().close();
    }

    /// Closes all pipes; standard input after queued data. Output that is not received is lost. A pseudo-terminal hangs
    /// up then (SIGHUP).
    #[doc(alias = "loseConnection")]
    pub fn close(&mut self) {
        self.context.close(self.id);
    }

    /// Returns standard input: to write, to query and limit queued data, to register a producer.
    pub fn stdin(&mut self) -> Transport<'_> {
        self.pipe(0)
    }

    /// Returns standard output: to pause, resume and close it.
    pub fn stdout(&mut self) -> Transport<'_> {
        self.pipe(1)
    }

    /// Returns standard error: to pause, resume and close it.
    pub fn stderr(&mut self) -> Transport<'_> {
        self.pipe(2)
    }

    fn pipe(&mut self, index: usize) -> Transport<'_> {
        let process = self.context.process_of(self.id);
        let id = process.and_then(|process| process.pipes[index]).unwrap_or(Id::NONE);
        self.context.transport(id)
    }

    /// Sends a signal to the process, and never to another one that has the same number later.
    ///
    /// # Errors
    ///
    /// If the process has ended, or is another user's.
    #[doc(alias = "signalProcess")]
    #[doc(alias = "send_signal")]
    pub fn signal(&mut self, signal: Signal) -> Result<(), Error> {
        let sent = self.running().and_then(|process| process.signal(signal));
        let error = |cause| failed_plainly("send a signal to process", self.id.to_string(), cause);
        sent.map_err(error)
    }

    /// Sets the window size of its [pseudo-terminal](crate::ProcessOptions#method.pseudo_terminal). If that is a change, the
    /// foreground processes receive SIGWINCH.
    ///
    /// # Errors
    ///
    /// If the process has ended or has no pseudo-terminal, or its pipes are closed.
    #[doc(alias = "setWindowSize")]
    #[doc(alias = "resize")]
    pub fn set_window_size(&mut self, size: WindowSize) -> Result<(), Error> {
        let set = self.running().and_then(|process| process.set_window_size(size));
        let error = |cause| failed_plainly("set the window size of", self.id.to_string(), cause);
        set.map_err(error)
    }

    /// Returns the window size of its pseudo-terminal, which the process may have changed.
    ///
    /// # Errors
    ///
    /// As for [`set_window_size`](Self::set_window_size).
    pub fn window_size(&self) -> Result<WindowSize, Error> {
        let size = self.running().and_then(|process| process.window_size());
        let error = |cause| failed_plainly("read the window size of", self.id.to_string(), cause);
        size.map_err(error)
    }

    /// Sets a timer of this process: its [`timer_fired`](crate::ProcessProtocol::timer_fired) is called once, after
    /// `delay`, never earlier. All else is as for [`Transport::set_timer`].
    pub fn set_timer(&mut self, delay: Duration) -> TimerId {
        self.context.set_timer(self.id, delay)
    }

    /// Reschedules a timer that has not fired: see [`Context::reset`].
    pub fn reset_timer(&mut self, timer: TimerId, delay: Duration) -> bool {
        self.context.reset(timer, delay)
    }

    /// Cancels a timer that has not fired: see [`Context::cancel`].
    pub fn cancel_timer(&mut self, timer: TimerId) -> bool {
        self.context.cancel(timer)
    }

    fn running(&self) -> io::Result<&dyn ProcessBackend> {
        let process = self.context.process_of(self.id);
        let backend = process.and_then(|process| process.backend.as_deref());
        backend.ok_or_else(|| io::Error::new(ErrorKind::NotFound, "the process has ended"))
    }

    /// Kills the process (SIGKILL), if it runs.
    #[doc(alias = "KILL")]
    pub fn kill(&mut self) {
        self.context.kill_process(self.id);
    }
}

impl fmt::Debug for ProcessTransport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessTransport").field("id", &self.id).finish_non_exhaustive()
    }
}
