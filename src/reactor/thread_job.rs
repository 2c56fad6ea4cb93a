//! Jobs on other threads: their answers, and their end.

use crate::api::thread_job::JobKey;
use crate::reactor::Reactor;
use crate::reactor::call::Once;
use crate::reactor::dispatcher::Dispatcher;
use crate::values::journal::Callback;
use crate::values::logging::REACTOR;
use crate::values::thread_options::ThreadOptions;
use log::{debug, warn};

impl Reactor {
    /// Sets the options of the threads for work that blocks: see [`call_in_thread`](crate::call_in_thread). Threads
    /// that have been started keep their options until the end of the run, so it is called before the first job.
    #[doc(alias = "suggestThreadPoolSize")]
    #[doc(alias = "set_default_executor")]
    pub fn set_threads(&mut self, options: ThreadOptions) {
        self.dispatcher.context.jobs.options = options;
    }

    /// Returns the options of the threads for work that blocks.
    pub fn threads(&self) -> ThreadOptions {
        self.dispatcher.context.jobs.options
    }
}

impl Dispatcher {
    /// Handles the end of a job: calls the closure that waits for its answer, unless the connection for which it was
    /// started has been closed. `panic` is the message of its panic.
    pub(super) fn finish_job(&mut self, key: JobKey, panic: Option<String>) {
        let Some(job) = self.context.jobs.take(key) else {
            return debug!(target: REACTOR, "dropped a late answer of a job");
        };
        let connection = key.connection();
        if let Some(message) = panic {
            self.report_panic(connection, job.name, Callback::Job, &message);
        }
        let Some(done) = job.done else { return };
        let name = done.name();
        if connection.is_some_and(|id| self.context.closing(id)) {
            return self.drop_guarded(done, name);
        }
        let returned =
            self.call(Once::new(name), Callback::JobDone, |_, context| done.make(context));
        if let (None, Some(id)) = (returned, connection) {
            self.context.end_of_panic(id);
        }
    }

    /// Ends the threads. Jobs that have not ended are left behind.
    pub(super) fn end_jobs(&mut self) {
        let jobs = &self.context.jobs;
        let count = jobs.len();
        if count > 0 {
            let names = jobs.names();
            warn!(target: REACTOR, "stopped without waiting for {count} jobs: {names}");
        }
        self.context.backend.end_jobs(count);
        while let Some(job) = self.context.jobs.take_any() {
            if let Some(done) = job.done {
                let name = done.name();
                self.drop_guarded(done, name);
            }
        }
    }
}
