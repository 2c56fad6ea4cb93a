//! Names of hosts: the answers of the simulated name server, and look-ups in progress.

use crate::net::{Net, nanos};
use crate::node::NodeId;
use crate::schedule::{Scheduled, Time};
use ropewalk::Answer;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// What the name server of a [`World`](crate::World) answers to a name: addresses, each after a delay, and an end. See
/// [`World::set_name_answer`](crate::World::set_name_answer).
///
/// ```
/// use ropewalk_simulation::NameAnswer;
/// use std::time::Duration;
///
/// let slow = NameAnswer::new()
///     .address(Duration::from_millis(30), "10.0.0.1".parse().unwrap())
///     .address(Duration::from_millis(60), "fd00::1".parse().unwrap())
///     .ends(Duration::from_millis(60));
/// ```
#[derive(Clone, Debug)]
pub struct NameAnswer {
    addresses: Vec<(Duration, IpAddr)>,
    end: Option<(Duration, Result<(), ErrorKind>)>,
}

impl NameAnswer {
    /// No addresses, and the end at once: the name exists and has no address.
    pub fn new() -> Self {
        Self { addresses: Vec::new(), end: Some((Duration::ZERO, Ok(()))) }
    }

    /// Adds an address, which arrives after this time.
    #[must_use]
    pub fn address(mut self, after: Duration, ip: IpAddr) -> Self {
        self.addresses.push((after, ip));
        self
    }

    /// Ends the answer after this time. Default: at once, or after the last address.
    #[must_use]
    pub fn ends(mut self, after: Duration) -> Self {
        self.end = Some((after, Ok(())));
        self
    }

    /// Ends the answer with an error after this time.
    #[must_use]
    pub fn fails(mut self, after: Duration, kind: ErrorKind) -> Self {
        self.end = Some((after, Err(kind)));
        self
    }

    /// Never ends the answer.
    #[must_use]
    pub fn hangs(mut self) -> Self {
        self.end = None;
        self
    }

    pub(crate) fn at_once(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        addresses.into_iter().fold(Self::new(), |all, ip| all.address(Duration::ZERO, ip))
    }

    /// Returns all addresses, or the error, if the answer is there at once.
    fn present(&self, port: u16) -> Option<io::Result<Vec<SocketAddr>>> {
        let is_late = |after: &Duration| !after.is_zero();
        if self.addresses.iter().any(|(after, _)| is_late(after)) {
            return None;
        }
        let addresses = self.addresses.iter().map(|(_, ip)| SocketAddr::new(*ip, port));
        match self.end {
            Some((Duration::ZERO, Ok(()))) => Some(Ok(addresses.collect())),
            Some((Duration::ZERO, Err(kind))) if self.addresses.is_empty() => {
                Some(Err(kind.into()))
            }
            _ => None,
        }
    }

    /// Returns what arrives when, in order.
    fn steps(&self, port: u16) -> Vec<(Duration, Step)> {
        let found = self.addresses.iter();
        let mut steps: Vec<_> =
            found.map(|(after, ip)| (*after, Step::Found(SocketAddr::new(*ip, port)))).collect();
        steps.sort_by_key(|(after, _)| *after);
        let last = steps.last().map_or(Duration::ZERO, |(after, _)| *after);
        steps.extend(self.end.map(|(after, end)| (after.max(last), Step::End(end))));
        steps
    }
}

impl Default for NameAnswer {
    fn default() -> Self {
        Self::new()
    }
}

/// A look-up in progress.
#[derive(Debug)]
pub(crate) struct NameQuery {
    node: NodeId,
    answer: Answer,
    /// What arrives, each at an event of the schedule.
    steps: VecDeque<Step>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Found(SocketAddr),
    End(Result<(), ErrorKind>),
}

impl Net {
    /// Looks a name up at once, before a node runs.
    pub(crate) fn look_up(
        &self,
        node: NodeId,
        name: &str,
        port: u16,
    ) -> io::Result<Vec<SocketAddr>> {
        let answer = self.name_answer(node, name)?;
        match answer.present(port).unwrap_or_else(|| Err(ErrorKind::TimedOut.into()))? {
            found if found.is_empty() => Err(not_found("no such name")),
            found => Ok(found),
        }
    }

    /// Begins to look a name up for a node.
    pub(crate) fn begin_look_up(&mut self, node: NodeId, name: &str, port: u16, answer: Answer) {
        let known = match self.name_answer(node, name) {
            Ok(known) => known,
            Err(error) => return answer.fail(error),
        };
        match known.present(port) {
            Some(Ok(found)) => return answer.succeed(found),
            Some(Err(error)) => return answer.fail(error),
            None => {}
        }
        self.queries.retain(|_, query| query.answer.is_wanted());
        let (number, now) = (self.queries_made, self.at());
        self.queries_made += 1;
        let mut steps = VecDeque::new();
        for (after, step) in known.steps(port) {
            self.schedule.add(now.saturating_add(nanos(after)), Scheduled::Answer(number));
            steps.push_back(step);
        }
        self.queries.insert(number, NameQuery { node, answer, steps });
    }

    /// The next part of an answer arrives.
    pub(super) fn arrive_answer(&mut self, number: Time) {
        let Some(query) = self.queries.get_mut(&number) else {
            return;
        };
        match query.steps.pop_front() {
            Some(Step::Found(address)) => query.answer.found(address),
            Some(Step::End(end)) => {
                if let Some(query) = self.queries.remove(&number) {
                    match end {
                        Ok(()) => query.answer.end(),
                        Err(kind) => query.answer.fail(kind.into()),
                    }
                }
            }
            None => {}
        }
    }

    /// Forgets the look-ups of a node that has crashed.
    pub(super) fn crash_queries(&mut self, node: NodeId) {
        self.queries.retain(|_, query| query.node != node);
    }

    fn name_answer(&self, node: NodeId, name: &str) -> io::Result<NameAnswer> {
        if self.host(node).conditions.no_names {
            return Err(not_found("no answer from the name server"));
        }
        if name == "localhost" {
            return Ok(NameAnswer::at_once([Ipv4Addr::LOCALHOST.into()]));
        }
        match self.names.get(name) {
            Some(answer) => Ok(answer.clone()),
            None if name.contains('%') => {
                let text = format!("a simulated node has no interface for {name}");
                Err(io::Error::new(ErrorKind::InvalidInput, text))
            }
            None => Err(not_found("no such name")),
        }
    }
}

fn not_found(text: &str) -> io::Error {
    io::Error::new(ErrorKind::NotFound, text)
}
