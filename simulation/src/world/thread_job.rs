//! Jobs on threads of the nodes.

use crate::schedule::Time;
use crate::world::World;
use std::time::Duration;

impl World {
    /// Sets how long [jobs](ropewalk::call_in_thread) take that begin from now on: a random duration from `from` to
    /// `to`. Default: 1 to 10 ms. A node runs as many jobs at a time as its
    /// [options](ropewalk::ThreadOptions) allow.
    ///
    /// A job is run at the end of that time, on the thread of the world. So it must not wait for others, and
    /// [`Handle::blocking_call`](ropewalk::Handle::blocking_call) is an error in it.
    ///
    /// ```
    /// use ropewalk::call_in_thread;
    /// use ropewalk_simulation::World;
    /// use std::time::Duration;
    ///
    /// let mut world = World::new(1);
    /// let hour = Duration::from_secs(3600);
    /// world.set_job_duration(hour, hour);
    /// world.add_node("node", |reactor| {
    ///     call_in_thread(reactor.context(), || 6 * 7, |context, answer| {
    ///         assert_eq!(answer, Ok(42));
    ///         context.stop();
    ///     })
    /// });
    /// assert!(world.run_until_quiet(2 * hour));
    /// assert!(world.now() >= hour);
    /// ```
    pub fn set_job_duration(&mut self, from: Duration, to: Duration) {
        self.net.borrow_mut().jobs.duration = (from, to.max(from));
    }

    /// Runs a job that has taken its time.
    pub(super) fn run_job(&mut self, at: Time, number: u64) {
        let job = {
            let mut net = self.net.borrow_mut();
            net.finish_work();
            net.now = at;
            net.take_job(number)
        };
        if let Some(job) = job {
            match job.is_wanted() {
                true => job.run(),
                false => drop(job),
            }
        }
    }
}
