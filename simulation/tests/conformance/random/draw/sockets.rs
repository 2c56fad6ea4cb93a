//! Operations on datagram sockets.

use super::{Drawing, Socket};
use crate::environment::{Client, Server};
use crate::random::options::options;
use crate::random::script::{Op, Step, Target};

impl Drawing {
    pub(super) fn bind(&mut self) -> Op {
        let (is_unix, side) = (self.is_unix(), *self.random.choose(&[Server, Client]));
        let (place, socket) = self.place(is_unix, side, &self.sockets.clone());
        self.sockets.push(socket);
        Op::Bind(side, place, options(&mut self.random, is_unix))
    }

    /// Returns a peer for sockets of a kind.
    fn target(&mut self, is_unix: bool) -> Target {
        let (sockets, any) = (self.sockets.clone(), self.random.chance(0.05));
        let fits = |other: &Socket| (any || other.is_unix == is_unix) && !other.is_foreign;
        let socket = self.one_of(&sockets, fits);
        let listeners = self.listeners.clone();
        let listener = self.one_of(&listeners, |listener| listener.is_unix);
        match (self.random.below(12), socket, listener) {
            (0, ..) if is_unix => Target::Nobody,
            (1, _, Some(listener)) if is_unix => Target::Listener(listener),
            (_, Some(socket), _) => Target::Socket(socket),
            _ => Target::Peer,
        }
    }

    pub(super) fn tie(&mut self) -> Op {
        let is_unix = self.is_unix();
        let side = *self.random.choose(&[Server, Client]);
        match self.target(is_unix) {
            Target::Peer => self.bind(),
            target => {
                let (is_foreign, root) = (false, self.sockets.len());
                self.sockets.push(Socket { is_unix, is_foreign, side, root });
                Op::Tie(side, target, options(&mut self.random, is_unix))
            }
        }
    }

    pub(super) fn retie(&mut self) -> Step {
        let socket = self.a_socket();
        match self.target(self.sockets[socket].is_unix) {
            Target::Peer => vec![],
            target => vec![Op::Retie(socket, target)],
        }
    }

    pub(super) fn send(&mut self) -> Step {
        let socket = self.a_socket();
        let is_unix = self.sockets[socket].is_unix;
        let to_peer = self.random.chance(0.4);
        let target = if to_peer { Target::Peer } else { self.target(is_unix) };
        let (count, size) = match self.random.below(10) {
            // More than a Unix socket's queue holds.
            0 if is_unix => (self.random.between(12, 40) as usize, 100),
            1 => (1, 65_507),
            2 => (1, 65_508),
            _ => (self.random.between(1, 3) as usize, *self.random.choose(&[0, 1, 100, 5_000])),
        };
        vec![Op::Send(socket, target, count, size)]
    }
}
