//! Jobs on the threads of a node: each ends after a simulated duration. It is run then, in one piece.

use crate::net::{Net, nanos};
use crate::node::NodeId;
use crate::random::Random;
use crate::schedule::Scheduled;
use ropewalk::ThreadOptions;
use ropewalk::backend::{ThreadJob, too_many_jobs};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::Duration;

/// The jobs of all nodes.
#[derive(Debug)]
pub(crate) struct NodeJobs {
    /// By number, which is the order in which they began.
    running: BTreeMap<u64, (NodeId, ThreadJob)>,
    waiting: BTreeMap<NodeId, VecDeque<ThreadJob>>,
    begun: u64,
    /// The shortest and the longest job.
    pub(crate) duration: (Duration, Duration),
}

/// By default a job takes as long as a read from a disk.
impl Default for NodeJobs {
    fn default() -> Self {
        let duration = (Duration::from_millis(1), Duration::from_millis(10));
        Self { running: BTreeMap::new(), waiting: BTreeMap::new(), begun: 0, duration }
    }
}

impl Net {
    /// Starts a job, or has it wait for a thread.
    pub(crate) fn start_job(
        &mut self,
        node: NodeId,
        job: ThreadJob,
        options: &ThreadOptions,
    ) -> Result<(), (ThreadJob, io::Error)> {
        let running = self.jobs.running.values().filter(|(of, _)| *of == node).count();
        if running < options.threads() {
            self.begin_job(node, job);
            return Ok(());
        }
        let waiting = self.jobs.waiting.entry(node).or_default();
        if waiting.len() >= options.waiting() {
            waiting.retain(ThreadJob::is_wanted);
        }
        if waiting.len() >= options.waiting() {
            return Err((job, too_many_jobs(options.waiting())));
        }
        waiting.push_back(job);
        Ok(())
    }

    fn begin_job(&mut self, node: NodeId, job: ThreadJob) {
        self.jobs.begun += 1;
        let number = self.jobs.begun;
        let (from, to) = self.jobs.duration;
        let duration = Random::of(self.seed, 1 << 33, number).duration(from, to);
        let end = self.at().saturating_add(nanos(duration));
        self.jobs.running.insert(number, (node, job));
        self.schedule.add(end, Scheduled::Job(number));
    }

    /// Returns a job that has taken its time, and begins the next one. It is `None` if its node has crashed.
    pub(crate) fn take_job(&mut self, number: u64) -> Option<ThreadJob> {
        let (node, job) = self.jobs.running.remove(&number)?;
        let waiting = self.jobs.waiting.get_mut(&node);
        let next = waiting.and_then(|waiting| {
            waiting.retain(ThreadJob::is_wanted);
            waiting.pop_front()
        });
        if let Some(next) = next {
            self.begin_job(node, next);
        }
        Some(job)
    }

    /// Removes the jobs of a node, which are not run.
    pub(crate) fn take_jobs(&mut self, node: NodeId) -> Vec<ThreadJob> {
        let NodeJobs { running, waiting, .. } = &mut self.jobs;
        let of_node = running.iter().filter(|(_, (of, _))| *of == node);
        let numbers: Vec<_> = of_node.map(|(number, _)| *number).collect();
        let jobs = numbers.iter().filter_map(|number| running.remove(number));
        let mut jobs: Vec<_> = jobs.map(|(_, job)| job).collect();
        jobs.extend(waiting.remove(&node).into_iter().flatten());
        jobs
    }
}
