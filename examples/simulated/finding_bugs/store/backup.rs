//! The backup: applies requests in the primary's order, and acknowledges each.

use super::wire::{Change, Request, Side, protocol};
use super::{Bug, Shared, Values};
use ropewalk::{Error, Reactor, Transport};
use std::collections::BTreeSet;

pub(super) const ADDRESS: &str = "backup:7002";

/// The contents of its disk.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) values: Values,
    /// The last applied position of the primary's log.
    applied: usize,
    /// The applied requests, by client and number.
    requests: BTreeSet<(u32, u64)>,
}

impl State {
    pub(super) fn has(&self, request: &Request) -> bool {
        self.requests.contains(&(request.client, request.number))
    }

    /// Applies the request at this position of the log, if it was not applied before.
    fn apply(&mut self, position: usize, request: &Request, bug: Option<Bug>) {
        let is_put = matches!(request.change, Change::Put { .. });
        if position > self.applied || (bug == Some(Bug::StaleLink) && is_put) {
            request.apply(&mut self.values);
            self.applied = self.applied.max(position);
            self.requests.insert((request.client, request.number));
        }
    }
}

pub(super) fn serve(reactor: &mut Reactor, shared: &Shared, bug: Option<Bug>) -> Result<(), Error> {
    let backup = Backup { shared: shared.clone(), bug };
    reactor.listen_tcp("0.0.0.0:7002", move || protocol(backup.clone(), bug))?;
    Ok(())
}

/// The backup's side of a link.
#[derive(Clone)]
struct Backup {
    shared: Shared,
    bug: Option<Bug>,
}

impl Side for Backup {
    fn line_received(&self, transport: &mut Transport<'_>, line: &str) {
        let entry = line.split_once(' ').and_then(|(position, request)| {
            Some((position.parse::<usize>().ok()?, Request::parse(request)?))
        });
        match entry {
            Some((position, request)) => {
                self.shared.backup.borrow_mut().apply(position, &request, self.bug);
                transport.write(format!("{position} ok\n").as_bytes());
            }
            None => transport.abort(),
        }
    }
}
