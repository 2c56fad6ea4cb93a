//! A job: work that blocks, for a thread other than the reactor's.

use crate::values::guard::guarded;
use std::fmt;
use std::io;

/// Work that a reactor has done on another thread: see [`Backend::run_job`](crate::backend::Backend::run_job).
///
/// It notifies the reactor after the run, or when it is dropped without a run.
pub struct ThreadJob(Option<Box<dyn JobWork>>);

/// A job that a backend does not take, with the reason.
pub type JobRefused = (ThreadJob, io::Error);

/// The work itself. It notifies the reactor when it is dropped, after a run as well.
pub(crate) trait JobWork: Send {
    fn run(self: Box<Self>);

    fn is_wanted(&self) -> bool;

    fn number(&self) -> u64;

    fn type_name(&self) -> &'static str;
}

impl ThreadJob {
    pub(crate) fn new(work: impl JobWork + 'static) -> Self {
        Self(Some(Box::new(work)))
    }

    /// Runs the job on the calling thread. It may block. It does not panic: the panic of a job is its result.
    pub fn run(mut self) {
        if let Some(work) = self.0.take() {
            // A result that is not needed any more may panic when it is dropped.
            drop(guarded(|| work.run()));
        }
    }

    /// Returns false if the result is no longer needed, since the connection for which the job was started has ended.
    /// Such a job can be dropped.
    pub fn is_wanted(&self) -> bool {
        self.0.as_ref().is_some_and(|work| work.is_wanted())
    }

    /// Returns the number of the job: the reactor's first has 1.
    pub fn number(&self) -> u64 {
        self.0.as_ref().map_or(0, |work| work.number())
    }

    /// Returns the name of the type of the work, a function or closure.
    pub fn type_name(&self) -> &'static str {
        self.0.as_ref().map_or("", |work| work.type_name())
    }
}

/// The work of a job that is not run may panic when it is dropped.
impl Drop for ThreadJob {
    fn drop(&mut self) {
        let work = self.0.take();
        drop(guarded(|| drop(work)));
    }
}

impl fmt::Debug for ThreadJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ThreadJob").field(&self.type_name()).finish()
    }
}

/// Returns the error of a job for which the queue has no room. All backends refuse jobs with it.
pub fn too_many_jobs(waiting: usize) -> io::Error {
    let text = format!("{waiting} jobs are already queued");
    io::Error::new(io::ErrorKind::WouldBlock, text)
}
