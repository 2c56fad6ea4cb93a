//! The costs of a crowd, which are linear and not quadratic. Bytes and turns are counted, which are the same on
//! any machine.

use crate::support::{Client, listening, turn_until};
use ropewalk::Reactor;
use ropewalk_chat::Chat;
use std::time::Duration;

/// The write limit of a member, half of it in the reactor and half in the system.
const LIMIT: usize = 100_000;

const LINE: usize = 1_000;

/// A room in which every third member has stopped reading, with much queued data for each of them.
struct Crowd {
    reactor: Reactor,
    speaker: Client,
    readers: Vec<Client>,
    sleepers: Vec<Client>,
}

impl Crowd {
    fn new(count: usize) -> Self {
        let chat = Chat::new().without_flood_limit().write_limit(LIMIT);
        let (mut reactor, address) = listening(chat.factory());
        let mut members: Vec<Client> = (0..count)
            .map(|number| {
                let mut client = Client::connect(&address);
                client.send(&mut reactor, format!("n{number:03}\n"));
                client
            })
            .collect();
        for member in &mut members {
            turn_until(&mut reactor, || member.text().contains("* you are "));
        }
        let speaker = members.remove(0);
        let mut sleepers = members.split_off(members.len() * 2 / 3);
        sleepers.iter_mut().for_each(Client::take_little);
        let mut crowd = Self { reactor, speaker, readers: members, sleepers };
        while crowd.reactor.context().statistics().queued < crowd.sleepers.len() * LIMIT / 4 {
            crowd.send(10);
        }
        crowd
    }

    /// Sends lines of the speaker, and runs turns until every reader has received them.
    fn send(&mut self, lines: usize) {
        let line = format!("{}\n", "x".repeat(LINE));
        let sent = format!("<n000> {line}").len() * lines;
        self.forget();
        self.speaker.send(&mut self.reactor, line.repeat(lines));
        for reader in &mut self.readers {
            turn_until(&mut self.reactor, || {
                reader.read();
                reader.received.len() >= sent
            });
        }
    }

    /// Reads and removes the data sent to every reader so far.
    fn forget(&mut self) {
        for _ in 0..3 {
            self.reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        for reader in &mut self.readers {
            reader.read();
            reader.received.clear();
        }
    }

    /// Runs turns until this many connections are left and their departures are announced. Returns the number of
    /// turns.
    fn until_left(&mut self, count: usize) -> u64 {
        let before = self.reactor.context().statistics().turns;
        while self.reactor.context().connections().count() > count {
            self.reactor.turn(Some(Duration::from_millis(1))).unwrap();
        }
        self.forget();
        self.reactor.context().statistics().turns - before
    }

    fn sent(&mut self) -> u64 {
        self.reactor.context().statistics().sent
    }
}

/// Asserts that a crowd four times as large costs about four times as much, and not sixteen times. More than fifty
/// members leave each time, so some announcements are only counted.
#[track_caller]
fn assert_linear(cost: impl Fn(usize) -> u64) {
    let (few, many) = (cost(90), cost(360));
    assert!(many <= 8 * few, "{few} for 90, and {many} for 360");
}

#[test]
fn simultaneous_departures_cost_linear_work() {
    assert_linear(|count| {
        let mut crowd = Crowd::new(count);
        crowd.forget();
        let before = crowd.sent();
        let stay = crowd.readers.len() / 2;
        crowd.readers.drain(stay..).for_each(drop);
        crowd.sleepers.clear();
        let turns = crowd.until_left(1 + stay);
        assert!(turns < 30, "{turns} turns for a crowd of {count}");
        crowd.sent() - before
    });
}

#[test]
fn a_stop_announces_no_departures() {
    for count in [90, 360] {
        let mut crowd = Crowd::new(count);
        crowd.forget();
        let before = crowd.reactor.context().statistics();
        crowd.reactor.set_grace(Duration::ZERO);
        crowd.reactor.context().stop();
        crowd.reactor.run().unwrap();
        let after = crowd.reactor.context().statistics();
        assert!(after.turns - before.turns < 10, "{} turns", after.turns - before.turns);
        assert_eq!(after.sent, before.sent, "nobody has read anything");
        assert_eq!(crowd.reactor.timeout(), None, "no announcement is pending");
        for reader in &mut crowd.readers {
            assert!(reader.has_ended());
            assert_eq!(reader.text(), "");
        }
    }
}

#[test]
fn simultaneous_disconnections_delay_no_other_client() {
    assert_linear(|count| {
        let mut crowd = Crowd::new(count);
        crowd.forget();
        let (before, turns) = (crowd.sent(), crowd.reactor.context().statistics().turns);
        // This exceeds the write limit of each sleeping member, in one turn.
        crowd.send(49);
        let turns = crowd.reactor.context().statistics().turns - turns;
        assert!(turns < 30, "a line took {turns} turns to {count}");
        crowd.until_left(1 + crowd.readers.len());
        let lines = 49 * (LINE + "<n000> \n".len()) * crowd.readers.len();
        crowd.sent() - before - lines as u64
    });
}
