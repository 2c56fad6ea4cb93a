//! Comparison of servers: each is started, loaded and measured in turn, for several rounds.
//!
//! A machine's speed drifts. Two servers are measured within seconds in one round, so they are
//! compared round by round, and the report shows the median ratio.

use crate::Options;
use crate::child::Child;
use crate::load::{self, Shape, Stretch, fan_out};
use crate::progress::Progress;
use crate::servers::{SERVERS, Server, Work};
use crate::system::{OnLoadProcessor, SERVER_PROCESSORS, time_of_all};
use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

/// The server that all others are compared to.
pub(super) const BARE: &str = "bare";

/// How much of the load's processor other programs may take before the report notes it. The system
/// itself takes some.
const NOISE: f64 = 0.02;

/// How much of one processor other programs may take on both processors together. It is counted in
/// ticks (proc(5)), so it says nothing about a sample that is shorter than [`TICKS_ENOUGH`].
const NOISE_OF_ALL: f64 = 0.1;
const TICKS_ENOUGH: Duration = Duration::from_millis(500);

/// The measurement of one server in one round.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) stretch: Stretch,
    /// The server's processor time in that stretch.
    pub(super) processor_time: Duration,
    /// The processor time of all programs in that stretch.
    time_of_all: Duration,
    /// Descriptors that the server has open after all clients have closed, and did not have before.
    pub(super) left_behind: usize,
}

impl Sample {
    /// Loads a server that has just been started, and measures both.
    fn take(child: &Child, shape: Shape, options: &Options) -> Result<Self, Box<dyn Error>> {
        let [warm_up, duration] = if options.quick { [15, 60] } else { [200, 700] };
        let descriptors = match shape {
            Shape::Connect(_) => descriptors_of_one_that_has_served(child)?,
            _ => 0,
        };
        let mut load = load::connect(shape, child.address())?;
        load.run(Duration::from_millis(warm_up))?;
        let (all_before, before) = (time_of_all()?, child.processor_time()?);
        let stretch = load.run(Duration::from_millis(duration))?;
        let processor_time = child.processor_time()? - before;
        let time_of_all = time_of_all()?.saturating_sub(all_before);
        load.finish()?;
        drop(load);
        let left_behind = match shape {
            Shape::Connect(_) => left_behind(child, descriptors)?,
            _ => 0,
        };
        Ok(Self { stretch, processor_time, time_of_all, left_behind })
    }

    /// Returns the server's processor time for each message, delivery or connection, in
    /// nanoseconds.
    pub(super) fn cost(&self) -> f64 {
        self.processor_time.as_nanos() as f64 / self.stretch.count as f64
    }

    /// Returns the share of its processor that the load did not get, from 0 to 1. The load never
    /// sleeps there, so another program got it.
    pub(super) fn robbed(&self) -> f64 {
        (1.0 - self.load_took()).max(0.0)
    }

    /// Returns the share of one processor that other programs took from the load or the server, if
    /// the figures are not reliable because of it; otherwise 0.
    pub(super) fn disturbance(&self) -> f64 {
        let others = match self.stretch.elapsed >= TICKS_ENOUGH {
            true => self.others_took(),
            false => 0.0,
        };
        let robbed = if self.robbed() > NOISE { self.robbed() } else { 0.0 };
        if others > NOISE_OF_ALL { others.max(robbed) } else { robbed }
    }

    /// Returns the share of one processor that the load took, from 0 to 1.
    pub(super) fn load_took(&self) -> f64 {
        self.stretch.processor_time.as_secs_f64() / self.stretch.elapsed.as_secs_f64()
    }

    /// Returns the share of one processor that all other programs took. It is counted in ticks, so
    /// it is inexact for a short stretch.
    pub(super) fn others_took(&self) -> f64 {
        let ours = self.processor_time + self.stretch.processor_time;
        self.time_of_all.saturating_sub(ours).as_secs_f64() / self.stretch.elapsed.as_secs_f64()
    }

    /// Returns the share of one processor that the server took. With several processors it may
    /// exceed 1.
    pub(super) fn server_busy(&self) -> f64 {
        self.processor_time.as_secs_f64() / self.stretch.elapsed.as_secs_f64()
    }
}

/// Returns the number of descriptors of a server without clients. Some servers open descriptors for
/// themselves only after they listen, so it serves one client first.
fn descriptors_of_one_that_has_served(child: &Child) -> io::Result<usize> {
    let one = Shape::Connect(load::connect::Shape { connections: 1 });
    load::connect(one, child.address())?.run(Duration::from_millis(10))?;
    std::thread::sleep(Duration::from_millis(50));
    child.descriptors()
}

/// Returns how many descriptors more than `before` a server keeps after it has had time to close
/// them.
fn left_behind(child: &Child, before: usize) -> io::Result<usize> {
    let start = Instant::now();
    loop {
        let more = child.descriptors()?.saturating_sub(before);
        if more == 0 || start.elapsed() > Duration::from_secs(2) {
            return Ok(more);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// One server's samples, one for each round; and its failure, if any.
#[derive(Debug)]
pub(super) struct Samples {
    pub(super) server: &'static Server,
    pub(super) rounds: Vec<Sample>,
    pub(super) failure: Option<String>,
}

impl Samples {
    /// Returns the median of a figure.
    pub(super) fn median(&self, figure: impl Fn(&Sample) -> f64) -> f64 {
        median(self.rounds.iter().map(figure).collect())
    }

    /// Returns the median of the ratios of a figure to another server's in the same round.
    pub(super) fn ratio(&self, to: &Self, figure: impl Fn(&Sample) -> f64) -> f64 {
        let pairs = self.rounds.iter().zip(&to.rounds);
        median(pairs.map(|(ours, theirs)| figure(ours) / figure(theirs)).collect())
    }
}

pub(super) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => figures[count / 2],
        count => (figures[count / 2 - 1] + figures[count / 2]) / 2.0,
    }
}

/// Measures all requested servers in turn. A server that fails is not tried again.
pub(super) fn compare(
    title: &str,
    work: Work,
    shape: Shape,
    options: &Options,
) -> Result<Vec<Samples>, Box<dyn Error>> {
    let _pinned = OnLoadProcessor::enter()?;
    let servers = SERVERS.iter().filter(|server| wanted(server, work, options));
    in_turns(title, servers, options, |server| {
        let shape = match shape {
            Shape::FanOut(shape) => Shape::FanOut(fan_out::Shape { names: server.names, ..shape }),
            shape => shape,
        };
        take_undisturbed(|| Sample::take(&Child::start(server, work)?, shape, options))
    })
}

/// Repeats a sample when other programs disturbed it. The last attempt counts, and a note reports
/// it.
fn take_undisturbed(
    take: impl Fn() -> Result<Sample, Box<dyn Error>>,
) -> Result<Sample, Box<dyn Error>> {
    for _ in 1..ATTEMPTS {
        let sample = take()?;
        if sample.disturbance() == 0.0 {
            return Ok(sample);
        }
    }
    take()
}

/// How often a sample is taken at most.
const ATTEMPTS: usize = 3;

/// Measures these servers on two processors, which they share with the load.
pub(super) fn compare_on_two(
    title: &str,
    servers: impl Iterator<Item = &'static Server>,
    work: Work,
    shape: Shape,
    options: &Options,
) -> Result<Vec<Samples>, Box<dyn Error>> {
    in_turns(title, servers, options, |server| {
        Sample::take(&Child::start_on(server, work, &SERVER_PROCESSORS)?, shape, options)
    })
}

fn in_turns(
    title: &str,
    servers: impl Iterator<Item = &'static Server>,
    options: &Options,
    take: impl Fn(&Server) -> Result<Sample, Box<dyn Error>>,
) -> Result<Vec<Samples>, Box<dyn Error>> {
    let samples = |server| Samples { server, rounds: Vec::new(), failure: None };
    let mut all: Vec<_> = servers.map(samples).collect();
    let mut progress = Progress::begin(title, all.len() * options.rounds);
    for round in 1..=options.rounds {
        for samples in &mut all {
            if samples.failure.is_none() {
                let name = samples.server.name;
                progress.show(&format!("round {round} of {}, {name}", options.rounds));
                match take(samples.server) {
                    Ok(sample) => samples.rounds.push(sample),
                    Err(error) => samples.failure = Some(error.to_string()),
                }
            }
            progress.advance();
        }
    }
    progress.end();
    Ok(all)
}

/// Returns true if a server is measured at a work. The bare loop always is, since all are compared
/// to it; servers with threads are not useful on one processor.
pub(super) fn wanted(server: &Server, work: Work, options: &Options) -> bool {
    let by_default = options.only.is_empty() && !server.threads;
    server.can(work) && (by_default || server.name == BARE || options.names(server))
}
