//! Jobs on threads of the system.

use crate::sys::backend::{ThreadJob, too_many_jobs};
use crate::sys::pool::{Pool, Work};
use crate::values::thread_options::ThreadOptions;
use std::cell::RefCell;
use std::io;

/// The threads of a reactor that run jobs. There are none before the first job, and after the end of a run.
#[derive(Debug, Default)]
pub(super) struct JobThreads(RefCell<Option<Pool>>);

impl JobThreads {
    pub(super) fn run(
        &self,
        job: ThreadJob,
        options: &ThreadOptions,
    ) -> Result<(), (ThreadJob, io::Error)> {
        let mut pool = self.0.borrow_mut();
        let pool = pool.get_or_insert_with(|| {
            Pool::new("ropewalk-job", options.kept()..=options.threads(), options.waiting())
        });
        pool.run(Box::new(job)).map_err(|(job, error)| match error.kind() {
            io::ErrorKind::WouldBlock => (*job, too_many_jobs(options.waiting())),
            _ => (*job, error),
        })
    }

    pub(super) fn end(&self, running: usize) {
        let pool = self.0.take();
        if let Some(pool) = pool {
            pool.end(running);
        }
    }
}

impl Work for ThreadJob {
    fn run(self: Box<Self>) {
        (*self).run();
    }

    fn is_wanted(&self) -> bool {
        (*self).is_wanted()
    }
}
