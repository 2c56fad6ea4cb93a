//! The link between a handler's thread and the reactor: a bounded buffer in each direction.

use ropewalk::{Context, Handle, Id, Reason, Transport};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The number of bytes in a direction from which on the writer waits: as many as a pipe holds (pipe(7)). One read of
/// the reactor may exceed it, by 1 MiB at most.
const CAPACITY: usize = 64 * 1024;

/// The link of one connection.
#[derive(Debug)]
pub(crate) struct Link {
    id: Id,
    handle: Handle,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Received, and not yet read by the handler.
    input: Vec<u8>,
    /// No more input follows: its end, or why it has failed.
    input_end: Option<Result<(), ErrorKind>>,
    /// The input is full, so the reactor reads no more.
    is_paused: bool,
    /// Written, and not yet taken by the reactor.
    output: VecDeque<u8>,
    /// The output ends after what is queued: our side only, or the connection.
    output_end: Option<End>,
    /// The transport's send buffer is full, so the reactor takes no more.
    is_full: bool,
    /// The reactor was asked to look, and has not done so yet.
    is_called: bool,
    /// The connection has ended.
    is_lost: bool,
    /// The handler has begun: it no longer waits for a thread.
    has_begun: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Write,
    Connection,
}

/// # The side of the reactor
impl Link {
    pub(crate) fn new(transport: &mut Transport<'_>) -> Arc<Self> {
        let (id, handle) = (transport.id(), transport.context().handle());
        Arc::new(Self { id, handle, state: Mutex::default(), changed: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic leaves no state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn receive(&self, transport: &mut Transport<'_>, data: &[u8]) {
        let mut state = self.lock();
        if state.output_end == Some(End::Connection) {
            return; // The handler has ended.
        }
        state.input.extend_from_slice(data);
        if state.input.len() >= CAPACITY && !state.is_paused {
            state.is_paused = true;
            transport.pause();
        }
        self.changed.notify_all();
    }

    /// Ends the input after what was received.
    pub(crate) fn end_input(&self) {
        self.lock().input_end.get_or_insert(Ok(()));
        self.changed.notify_all();
    }

    pub(crate) fn set_full(&self, is_full: bool) {
        self.lock().is_full = is_full;
    }

    /// Takes the output, and resumes reading if the input has room again.
    pub(crate) fn look(&self, context: &mut Context) {
        let mut state = self.lock();
        state.is_called = false;
        if state.is_paused && state.input.len() < CAPACITY / 2 {
            state.is_paused = false;
            context.transport(self.id).resume();
        }
        if state.is_full && !state.output.is_empty() {
            return; // It looks again when the transport has room.
        }
        let (front, back) = state.output.as_slices();
        let mut transport = context.transport(self.id);
        transport.write_sequence([front, back]);
        state.output.clear();
        match state.output_end {
            Some(End::Connection) => transport.close(),
            Some(End::Write) => transport.write_eof(),
            None => {}
        }
        self.changed.notify_all();
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.lock().has_begun
    }

    pub(crate) fn lose(&self, reason: &Reason) {
        let mut state = self.lock();
        state.is_lost = true;
        let end = match reason {
            Reason::Closed | Reason::ClosedByPeer | Reason::Stopped => Ok(()),
            Reason::Failed(error) => Err(error.kind()),
            Reason::Reset => Err(ErrorKind::ConnectionReset),
            _ => Err(ErrorKind::ConnectionAborted),
        };
        state.input_end.get_or_insert(end);
        self.changed.notify_all();
    }
}

/// The side of the handler.
#[derive(Clone, Debug)]
pub(crate) struct HandlerLink(pub(crate) Arc<Link>);

impl HandlerLink {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    pub(crate) fn begin(&self) {
        self.lock().has_begun = true;
    }

    /// Takes what was received into `buffer`, which is empty. Waits if there is nothing. Nothing is taken at the end.
    pub(crate) fn take(&self, buffer: &mut Vec<u8>, timeout: Option<Duration>) -> io::Result<()> {
        let wait = |state: &State| state.input.is_empty() && state.input_end.is_none();
        let mut state = self.wait(self.lock(), timeout, wait)?;
        match state.input_end {
            Some(Err(kind)) if state.input.is_empty() => return Err(kind.into()),
            _ => std::mem::swap(&mut state.input, buffer),
        }
        if state.is_paused {
            self.call(&mut state);
        }
        Ok(())
    }

    /// Queues some of `data`. Waits while the output is full. Returns the number of queued bytes.
    pub(crate) fn put(&self, data: &[u8], timeout: Option<Duration>) -> io::Result<usize> {
        if data.is_empty() {
            return Ok(0);
        }
        let wait = |state: &State| state.output.len() >= CAPACITY && !state.is_lost;
        let mut state = self.wait(self.lock(), timeout, wait)?;
        if state.is_lost || state.output_end.is_some() {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let count = data.len().min(CAPACITY - state.output.len());
        state.output.extend(&data[..count]);
        self.call(&mut state);
        Ok(count)
    }

    /// Waits until the reactor has taken the output.
    pub(crate) fn flush(&self, timeout: Option<Duration>) -> io::Result<()> {
        let state =
            self.wait(self.lock(), timeout, |state| !state.output.is_empty() && !state.is_lost)?;
        match state.output.is_empty() {
            true => Ok(()),
            false => Err(ErrorKind::BrokenPipe.into()),
        }
    }

    pub(crate) fn end_write(&self) {
        self.end_output(End::Write);
    }

    pub(crate) fn close(&self) {
        self.end_output(End::Connection);
    }

    fn end_output(&self, end: End) {
        let mut state = self.lock();
        state.output_end = state.output_end.max(Some(end));
        if end == End::Connection {
            state.input = Vec::new();
        }
        self.call(&mut state);
    }

    /// Asks the reactor to look.
    fn call(&self, state: &mut State) {
        if state.is_lost || std::mem::replace(&mut state.is_called, true) {
            return;
        }
        let link = Arc::clone(&self.0);
        if self.0.handle.call(move |context| link.look(context)).is_err() {
            state.is_lost = true;
            state.input_end.get_or_insert(Err(ErrorKind::ConnectionAborted));
        }
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        timeout: Option<Duration>,
        condition: impl Fn(&State) -> bool,
    ) -> io::Result<MutexGuard<'a, State>> {
        let begin = Instant::now();
        let mut state = state;
        while condition(&state) {
            state = match timeout {
                None => self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(timeout) => {
                    let left = timeout.saturating_sub(begin.elapsed());
                    if left.is_zero() {
                        return Err(ErrorKind::TimedOut.into());
                    }
                    let waited = self.0.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        Ok(state)
    }
}
