//! The backup: it applies the requests in the primary's order, and acknowledges each.

use super::wire::{Change, Request, Side, protocol};
use super::{Bug, Shared, Values};
use ropewalk::{Error, Reactor, Transport};
use std::collections::BTreeSet;

pub(super) const ADDRESS: &str = "backup:7002";

/// What is on its disk.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) values: Values,
    /// Up to where the primary's log is applied.
    applied: usize,
    /// The client and the number of every request that it has applied.
    requests: BTreeSet<(u32, u64)>,
}

impl State {
    pub(super) fn has(&self, request: &Request) -> bool {
        self.requests.contains(&(request.client, request.number))
    }

    /// Applies what stands in this place of the log, unless it has been applied.
    fn apply(&mut self, place: usize, request: &Request, bug: Option<Bug>) {
        let is_put = matches!(request.change, Change::Put { .. });
        if place > self.applied || (bug == Some(Bug::StaleLink) && is_put) {
            request.apply(&mut self.values);
            self.applied = self.applied.max(place);
            self.requests.insert((request.client, request.number));
        }
    }
}

pub(super) fn serve(reactor: &mut Reactor, shared: &Shared, bug: Option<Bug>) -> Result<(), Error> {
    let backup = Backup { shared: shared.clone(), bug };
    reactor.listen_tcp("0.0.0.0:7002", move || protocol(backup.clone(), bug))?;
    Ok(())
}

/// A link, seen from the backup.
#[derive(Clone)]
struct Backup {
    shared: Shared,
    bug: Option<Bug>,
}

impl Side for Backup {
    fn line_received(&self, transport: &mut Transport<'_>, line: &str) {
        let entry = line.split_once(' ').and_then(|(place, request)| {
            Some((place.parse::<usize>().ok()?, Request::parse(request)?))
        });
        match entry {
            Some((place, request)) => {
                self.shared.backup.borrow_mut().apply(place, &request, self.bug);
                transport.write(format!("{place} ok\n").as_bytes());
            }
            None => transport.abort(),
        }
    }
}
