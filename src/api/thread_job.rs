//! Jobs: work that blocks, done on other threads, and its answers.

use crate::api::context::Context;
use crate::api::discard::Discarded;
use crate::api::handle::{Handle, Sent};
use crate::api::timer::Call;
use crate::api::transport::Transport;
use crate::sys::error::failed_plainly;
use crate::sys::{JobWork, ThreadJob};
use crate::values::error::Error;
use crate::values::guard::guarded;
use crate::values::id::Id;
use crate::values::logging::REACTOR;
use crate::values::thread_options::ThreadOptions;
use log::trace;
use std::any::type_name;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};

/// Has `work` done on another thread, and calls `done` with its answer on the reactor's thread.
///
/// It is for work that blocks (files, other libraries, child processes) or computes for long: in a callback it would
/// stop all connections meanwhile. `work` is sent to the thread, so it takes what it needs along. `done` stays, so it
/// may hold an `Rc`. For work on behalf of a connection see [`Transport::call_in_thread`].
///
/// ```
/// use ropewalk::{Reactor, call_in_thread};
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// let mut reactor = Reactor::new()?;
/// let sum = Rc::new(Cell::new(0));
/// let shared = Rc::clone(&sum);
/// let work = || (1..=1_000_000_u64).sum::<u64>();
/// call_in_thread(reactor.context(), work, move |context, answer| {
///     shared.set(answer.unwrap());
///     context.stop();
/// })?;
/// reactor.run()?;
/// assert_eq!(sum.get(), 500_000_500_000);
/// # Ok::<(), ropewalk::Error>(())
/// ```
///
/// # Threads
///
/// Each reactor has its own, at most 10 by default ([`Reactor::set_threads`](crate::Reactor::set_threads)). They start
/// with the jobs, which begin in the order in which they were started. Names are looked up on other threads, so that
/// neither has to wait for the other.
///
/// # The end of a run
///
/// A stop waits for jobs and their answers, within the [grace period](crate::Reactor::set_grace). Then the jobs that
/// wait are dropped, those that run are left behind with their threads and named in the log, and their `done`
/// is dropped without being called. A reactor that is dropped without a stop does not wait.
///
/// # Errors
///
/// If too many jobs wait for a thread ([`WouldBlock`](io::ErrorKind::WouldBlock)), no thread can be started, or the
/// backend has no threads. `work` and `done` are dropped once the running callback has returned.
#[doc(alias = "deferToThread")]
#[doc(alias = "callInThread")]
#[doc(alias = "run_in_executor")]
#[doc(alias = "to_thread")]
#[doc(alias = "uv_queue_work")]
#[doc(alias = "spawn_blocking")]
pub fn call_in_thread<T: Send + 'static>(
    context: &mut Context,
    work: impl FnOnce() -> T + Send + 'static,
    done: impl FnOnce(&mut Context, Result<T, JobPanicked>) + 'static,
) -> Result<(), Error> {
    start(context, Id::NONE, work, done)
}

/// # Threads
impl Transport<'_> {
    /// Has `work` done on another thread, and calls `done` with its answer, as [`call_in_thread`] does, unless the
    /// connection has been closed by then. Work that has not begun when the connection ends is not done.
    ///
    /// `done` receives the transport, but not the protocol, which may be wrapped in others: state that both need is in
    /// an `Rc<Cell<_>>` or `Rc<RefCell<_>>`. A panic of `done` ends the connection. A protocol that is to send the
    /// answer in spite of a stop returns true from [`draining`](crate::Protocol::draining).
    ///
    /// ```
    /// use ropewalk::{Protocol, Transport};
    ///
    /// struct Files;
    ///
    /// impl Protocol for Files {
    ///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
    ///         let path = String::from_utf8_lossy(data).trim().to_owned();
    ///         let started = transport.call_in_thread(
    ///             move || std::fs::read(path),
    ///             |transport, answer| match answer {
    ///                 Ok(Ok(content)) => transport.write(&content),
    ///                 _ => transport.abort(),
    ///             },
    ///         );
    ///         if let Err(error) = started {
    ///             write!(transport, "{error}\r\n");
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`call_in_thread`], and if the connection has been closed.
    #[doc(alias = "deferToThread")]
    pub fn call_in_thread<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
        done: impl FnOnce(&mut Transport<'_>, Result<T, JobPanicked>) + 'static,
    ) -> Result<(), Error> {
        let id = self.id();
        start(self.context(), id, work, move |context: &mut Context, answer| {
            done(&mut context.transport(id), answer);
        })
    }
}

/// Starts a job, for a connection unless `id` is [`Id::NONE`].
fn start<T, W, D>(context: &mut Context, id: Id, work: W, done: D) -> Result<(), Error>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
    D: FnOnce(&mut Context, Result<T, JobPanicked>) + 'static,
{
    let name = type_name::<W>();
    let key = context.jobs.next_key(id);
    let (sender, answer) = sync_channel(1);
    let wanted = Arc::new(());
    let report = Report { handle: context.handle(), key, panic: None };
    let job = TypedWork { work, sender, wanted: Arc::downgrade(&wanted), report };
    let job = ThreadJob::new(job);
    let done = Box::new(PendingAnswer { answer, done, _wanted: wanted });
    let is_open = id == Id::NONE || (context.sources.stream(id).is_some() && !context.closing(id));
    let started = match is_open {
        true => context.backend.run_job(job, &context.jobs.options),
        false => Err((job, io::ErrorKind::NotConnected.into())),
    };
    match started {
        Ok(()) => {
            trace!(target: REACTOR, "{name}: a job has been started");
            context.jobs.entries.insert(key, JobEntry { name, done: Some(done) });
            Ok(())
        }
        Err((job, cause)) => {
            context.discard(Discarded::Other(Box::new((job, done)), name));
            Err(failed_plainly("start a job on a thread", "", cause))
        }
    }
}

/// The panic of a job, in place of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPanicked {
    message: String,
}

impl JobPanicked {
    /// Returns the message of the panic.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for JobPanicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the job has panicked: {}", self.message)
    }
}

impl std::error::Error for JobPanicked {}

/// The work of a job. Its report is dropped last, after the users' values.
struct TypedWork<T, W> {
    work: W,
    sender: SyncSender<Result<T, JobPanicked>>,
    wanted: Weak<()>,
    report: Report,
}

impl<T: Send, W: FnOnce() -> T + Send> JobWork for TypedWork<T, W> {
    fn run(self: Box<Self>) {
        let Self { work, sender, wanted: _, mut report } = *self;
        let answer = guarded(work).map_err(|panic| {
            let message = panic.message().to_owned();
            report.panic = Some(message.clone());
            JobPanicked { message }
        });
        // The answer of a job that is no longer wanted is dropped here.
        drop(sender.send(answer));
    }

    fn is_wanted(&self) -> bool {
        self.wanted.strong_count() > 0
    }

    fn number(&self) -> u64 {
        self.report.key.number()
    }

    fn type_name(&self) -> &'static str {
        type_name::<W>()
    }
}

/// Notifies the reactor, when it is dropped, that a job is over.
struct Report {
    handle: Handle,
    key: JobKey,
    panic: Option<String>,
}

impl Drop for Report {
    fn drop(&mut self) {
        // A reactor that has been dropped needs no report.
        let _ = self.handle.send(Sent::JobOver(self.key, self.panic.take()));
    }
}

/// The closure that waits for the answer of a job.
struct PendingAnswer<T, D> {
    answer: Receiver<Result<T, JobPanicked>>,
    done: D,
    _wanted: Arc<()>,
}

impl<T, D: FnOnce(&mut Context, Result<T, JobPanicked>)> Call for PendingAnswer<T, D> {
    /// A job that was dropped without being run has no answer.
    fn make(self: Box<Self>, context: &mut Context) {
        if let Ok(answer) = self.answer.try_recv() {
            (self.done)(context, answer);
        }
    }

    fn name(&self) -> &'static str {
        type_name::<D>()
    }
}

/// The name of a job within its reactor: the connection for which it was started, or [`Id::NONE`], and a serial that
/// is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct JobKey(Id, u64);

impl JobKey {
    /// Returns the serial.
    pub(crate) fn number(self) -> u64 {
        self.1
    }

    /// Returns the connection for which the job was started.
    pub(crate) fn connection(self) -> Option<Id> {
        (self.0 != Id::NONE).then_some(self.0)
    }
}

/// A job that has been started and is not over.
pub(crate) struct JobEntry {
    /// The name of the type of the work.
    pub(crate) name: &'static str,
    /// `None` once the connection has ended.
    pub(crate) done: Option<Box<dyn Call>>,
}

/// The jobs of a reactor.
#[derive(Default)]
pub(crate) struct Jobs {
    entries: BTreeMap<JobKey, JobEntry>,
    /// The number of jobs started so far.
    started: u64,
    pub(crate) options: ThreadOptions,
}

impl Jobs {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn take(&mut self, key: JobKey) -> Option<JobEntry> {
        self.entries.remove(&key)
    }

    pub(crate) fn take_any(&mut self) -> Option<JobEntry> {
        Some(self.entries.pop_first()?.1)
    }

    /// Returns how many jobs there are of each type, for the log.
    pub(crate) fn names(&self) -> String {
        let mut counts = BTreeMap::<_, usize>::new();
        self.entries.values().for_each(|job| *counts.entry(job.name).or_default() += 1);
        let names: Vec<_> =
            counts.into_iter().map(|(name, count)| format!("{count} of {name}")).collect();
        names.join(", ")
    }

    fn next_key(&mut self, id: Id) -> JobKey {
        self.started += 1;
        JobKey(id, self.started)
    }
}

impl Context {
    /// Drops the closures that wait for answers for a connection that has ended. Its jobs run on until they end.
    pub(crate) fn drop_answers(&mut self, id: Id) {
        if self.jobs.entries.is_empty() {
            return;
        }
        let of = self.jobs.entries.range_mut(JobKey(id, 0)..=JobKey(id, u64::MAX));
        let dropped: Vec<_> = of.filter_map(|(_, job)| job.done.take()).collect();
        for done in dropped {
            self.discard(Discarded::Call(done));
        }
    }
}
