//! Zero-window probes and keep-alive.

use crate::net::transmission::{GIVE_UP, RETRANSMIT};
use crate::net::{Net, nanos};
use crate::schedule::{Key, Scheduled, Time};
use std::io::ErrorKind;

/// The interval of zero-window probes (RFC 9293, section 3.8.6.1).
const PROBE: Time = 5_000_000_000;

impl Net {
    /// Handles a window update for `side` after the other end has read. If the update is lost, `side` has to
    /// probe. If `side` is already broken, it answers with a reset.
    pub(super) fn open_window(&mut self, key: Key, side: u8) {
        if !self.is_reachable(key, side) {
            return;
        }
        let Some(connection) = self.connection(key) else { return };
        let [end, peer] = [side, 1 - side].map(|side| connection.ends[usize::from(side)].is_broken);
        match (end, peer) {
            (false, _) => self.send_queued(key, side),
            (true, false) => self.reset(key, side),
            (true, true) => {}
        }
    }

    /// Schedules a probe of the closed window, or the timeout.
    pub(super) fn schedule_probe(&mut self, key: Key, side: u8) {
        let now = self.now;
        let Some(connection) = self.connection(key) else { return };
        let user_timeout = connection.ends[usize::from(side)].user_timeout;
        let direction = &mut connection.directions[usize::from(side)];
        direction.is_probing = true;
        // The first probe has the delay of the first retransmission.
        let since = *direction.window_closed_since.get_or_insert(now + RETRANSMIT);
        let give_up_at = user_timeout.map_or(Time::MAX, |timeout| since.saturating_add(timeout));
        let at = (now + PROBE).min(give_up_at).max(now);
        self.schedule.add(at, Scheduled::Probe(key, side));
    }

    /// Handles a probe: `side` has unsent data, nothing in flight, and a closed window.
    pub(super) fn probe(&mut self, key: Key, side: u8) {
        let (now, is_reachable) = (self.now, self.is_reachable(key, side));
        let Some(connection) = self.connection(key) else { return };
        let peer = &connection.ends[usize::from(1 - side)];
        let is_over = peer.is_closed() || peer.is_broken;
        let user_timeout = connection.ends[usize::from(side)].user_timeout;
        let direction = &mut connection.directions[usize::from(side)];
        direction.is_probing = false;
        if direction.unsent() == 0 || !direction.segments.is_empty() {
            return;
        }
        if is_reachable && is_over {
            return self.fail_end(key, side, ErrorKind::ConnectionReset);
        }
        // The window has to open in time, whether or not the peer answers.
        if let (Some(timeout), Some(since)) = (user_timeout, direction.window_closed_since)
            && now >= since.saturating_add(timeout)
        {
            return self.fail_end(key, side, ErrorKind::TimedOut);
        }
        if is_reachable {
            direction.tries = 0;
            return self.send_queued(key, side);
        }
        if direction.tries == 0 {
            direction.retransmitting_since = now;
        }
        direction.tries += 1;
        if now - direction.retransmitting_since > GIVE_UP {
            return self.fail_end(key, side, ErrorKind::TimedOut);
        }
        self.schedule_probe(key, side);
    }

    /// Returns true if segments get from `side` to the other end and back.
    fn is_reachable(&mut self, key: Key, side: u8) -> bool {
        let Some(connection) = self.connection(key) else { return false };
        let (is_severed, (here, there)) = (connection.is_severed, connection.nodes(side));
        !is_severed && self.passes(there, here) && self.passes(here, there)
    }

    /// Checks whether a silent peer still answers (tcp(7), SO_KEEPALIVE).
    pub(super) fn keep_alive(&mut self, key: Key, side: u8) {
        let (now, answers) = (self.now, self.is_reachable(key, side));
        let Some(connection) = self.connection(key) else { return };
        let peer_is_dead = connection.ends[usize::from(1 - side)].is_broken;
        let out = &connection.directions[usize::from(side)];
        let is_sending = !out.segments.is_empty() || out.unsent() > 0;
        let end = &mut connection.ends[usize::from(side)];
        let (Some(keep_alive), false) = (end.keep_alive, end.is_broken || end.is_closed()) else {
            return;
        };
        let (idle, interval) = (nanos(keep_alive.idle), nanos(keep_alive.interval));
        let due = end.last_activity + idle;
        if end.unanswered == 0 && due > now {
            return self.schedule.add(due, Scheduled::KeepAlive(key, side));
        }
        if is_sending {
            // Data in flight detects a lost peer as well.
            return self.schedule.add(now + idle, Scheduled::KeepAlive(key, side));
        }
        if answers && peer_is_dead {
            return self.fail_end(key, side, ErrorKind::ConnectionReset);
        }
        if answers {
            (end.unanswered, end.last_activity) = (0, now);
            return self.schedule.add(now + idle, Scheduled::KeepAlive(key, side));
        }
        let gives_up = match end.user_timeout {
            Some(timeout) => end.unanswered > 0 && now >= end.last_activity.saturating_add(timeout),
            None => end.unanswered >= keep_alive.count,
        };
        if gives_up {
            self.fail_end(key, side, ErrorKind::TimedOut);
            return self.reset(key, side);
        }
        end.unanswered += 1;
        self.schedule.add(now + interval, Scheduled::KeepAlive(key, side));
    }
}
