//! The race of a connection attempt: sockets connect to its addresses, each a delay after the one before, and the
//! first that succeeds wins (RFC 8305, section 5).

use crate::api::close::deregister;
use crate::api::context::Context;
use crate::api::names::{look_up_timed_out, no_room, not_found};
use crate::api::timer::Job;
use crate::source::connector::{Connector, MAX_RACING, Outcome, Racer, timed_out};
use crate::source::names::{RESOLUTION_DELAY, is_ipv6};
use crate::source::table::Source;
use crate::sys::{Answered, Readiness, SocketBackend};
use crate::values::address::Address;
use crate::values::id::Id;
use crate::values::journal::{CallOutcome, SystemCall};
use crate::values::logging::TCP;
use log::debug;
use std::io;

impl Context {
    /// Looks at the sockets of a connector, and returns the first that has connected, with its peer. If a socket has
    /// failed or the next address is due, begins the next attempt.
    pub(crate) fn winner(&mut self, id: Id) -> Option<(Racer, Address)> {
        while let Some(Source::Connector(connector)) = self.sources.get_mut(id) {
            match connector.outcome() {
                Outcome::Connected(racer, peer) => {
                    self.journal.system(id, SystemCall::Connect, CallOutcome::Done);
                    return Some((racer, peer));
                }
                Outcome::Failed(racer, cause) => {
                    self.journal.system(id, SystemCall::Connect, CallOutcome::from(&cause));
                    connector.due = true;
                    drop_racer(id, racer, connector, cause);
                }
                Outcome::Racing if connector.is_over(self.now) => {
                    for racer in std::mem::take(&mut connector.racing) {
                        drop_racer(id, racer, connector, timed_out());
                    }
                    match connector.look_up.is_some() && connector.is_untried() {
                        true => self.fail_connector(id, look_up_timed_out()),
                        false => self.fail_by_addresses(id),
                    }
                    break;
                }
                Outcome::Racing => {
                    if connector.due || connector.racing.is_empty() {
                        self.connect_next(id);
                    }
                    break;
                }
            }
        }
        None
    }

    /// Adds the addresses to a connection attempt, and begins with them.
    pub(super) fn connect_to_answer(&mut self, id: Id, answered: Answered) {
        let now = self.backend.now();
        let Some(Source::Connector(connector)) = self.sources.get_mut(id) else {
            return;
        };
        let mut cause = not_found();
        match answered {
            Answered::Found(address) => {
                connector.arrived_singly = true;
                connector.add([address]);
                let waits = connector.is_untried() && !connector.remaining.iter().any(is_ipv6);
                if waits {
                    if connector.delay_timer.is_none() {
                        let timer =
                            self.timers.schedule(now, RESOLUTION_DELAY, Job::ConnectNext(id));
                        connector.delay_timer = Some(timer);
                    }
                    return;
                }
            }
            Answered::Ended(found) => {
                connector.look_up = None;
                connector.add(found);
            }
            Answered::Failed(error) => {
                connector.look_up = None;
                cause = error;
            }
        }
        let is_fruitless = connector.is_untried() && connector.remaining.is_empty();
        if connector.look_up.is_none() && is_fruitless {
            return self.fail_connector(id, cause);
        }
        match connector.racing.is_empty() {
            true => self.connect_next(id),
            false if connector.delay_timer.is_none() => self.start_delay(id),
            false => {}
        }
    }

    /// Makes the next address of a connector due: its delay is over.
    pub(crate) fn make_due(&mut self, id: Id) {
        if let Some(Source::Connector(connector)) = self.sources.get_mut(id) {
            connector.due = true;
            connector.delay_timer = None;
            self.enqueue(id); // The outcomes of its sockets come first.
        }
    }

    /// Tries the next addresses of a connector until an attempt is in progress. If none is left, no socket is
    /// connecting, and no more addresses can be found, the connector fails.
    pub(super) fn connect_next(&mut self, id: Id) {
        loop {
            match self.begin_attempt(id) {
                Some(true) => return self.start_delay(id),
                Some(false) => {}
                None => break,
            }
        }
        if let Some(Source::Connector(connector)) = self.sources.get(id)
            && connector.racing.is_empty()
            && connector.look_up.is_none()
        {
            self.fail_by_addresses(id);
        }
    }

    /// Starts the delay after which the next address is due.
    pub(super) fn start_delay(&mut self, id: Id) {
        let now = self.backend.now();
        let Some(Source::Connector(connector)) = self.sources.get_mut(id) else {
            return;
        };
        connector.due = false;
        if let Some(timer) = connector.delay_timer.take() {
            self.timers.cancel(timer);
        }
        if !connector.remaining.is_empty() {
            let delay = connector.delay(now);
            connector.delay_timer = Some(self.timers.schedule(now, delay, Job::ConnectNext(id)));
        }
    }

    /// Begins to connect to the next address. Returns true if it is in progress or put off, false if it has failed,
    /// and `None` if no address is left.
    pub(super) fn begin_attempt(&mut self, id: Id) -> Option<bool> {
        let Some(Source::Connector(connector)) = self.sources.get_mut(id) else {
            return None;
        };
        let address = connector.remaining.pop_front()?;
        debug!(target: TCP, "{id} connecting to {address}");
        connector.address = address.clone();
        if connector.racing.len() == MAX_RACING {
            let oldest = connector.racing.remove(0);
            drop_racer(id, oldest, connector, timed_out());
        }
        let is_first = !connector.racing.iter().any(|racer| racer.id == id);
        let racer_id = if is_first { Some(id) } else { self.sources.another_id(id) };
        let Some(Source::Connector(connector)) = self.sources.get_mut(id) else {
            return None;
        };
        let connected = self.backend.connect(&address, &(&connector.options).into());
        if connected.as_ref().is_err_and(|error| connector.is_put_off(error)) {
            connector.remaining.push_front(address);
            return Some(true);
        }
        let begun = connected.and_then(|mut socket| {
            let id = racer_id.ok_or_else(no_room)?;
            socket.register(id)?;
            Ok(Racer { id, socket, address: address.clone(), readiness: Readiness::default() })
        });
        let in_progress = begun.is_ok();
        match begun {
            Ok(racer) => connector.racing.push(racer),
            Err(cause) => connector.failures.push((address, cause)),
        }
        Some(in_progress)
    }
}

/// Closes a socket of a connector, and notes why.
fn drop_racer(id: Id, mut racer: Racer, connector: &mut Connector, cause: io::Error) {
    debug!(target: TCP, "{id} {}: {cause}", racer.address);
    deregister(&mut racer.socket);
    connector.failures.push((racer.address, cause));
}
