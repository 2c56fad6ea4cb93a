//! Linked chats on several reactors.

#![allow(dead_code)] // No module needs all of it.

use crate::support::Client;
use crate::test_chat::{DRAINED, take_before_drained};
use ropewalk::{Address, Reactor};
use ropewalk_chat::{Chat, Network};
use std::time::{Duration, Instant};

/// Several reactors with turns that run one after the other, each with a chat and a listener.
pub(crate) struct LinkedChats {
    pub(crate) network: Network,
    pub(crate) reactors: Vec<(Reactor, Address)>,
    pub(crate) chats: Vec<Chat>,
}

impl LinkedChats {
    pub(crate) fn new(reactors: usize) -> Self {
        Self::with(reactors, |chat| chat)
    }

    pub(crate) fn with(reactors: usize, set: impl Fn(Chat) -> Chat) -> Self {
        let mut linked = Self { network: Network::new(), reactors: Vec::new(), chats: Vec::new() };
        (0..reactors).for_each(|_| linked.add(&set));
        linked
    }

    pub(crate) fn add(&mut self, set: impl Fn(Chat) -> Chat) {
        let mut reactor = Reactor::new().unwrap();
        let chat = set(Chat::linked(&self.network, reactor.context()));
        let port = reactor.listen_tcp("127.0.0.1:0", chat.factory()).unwrap();
        self.reactors.push((reactor, port.address().clone()));
        self.chats.push(chat);
    }

    pub(crate) fn turn(&mut self) {
        for (reactor, _) in &mut self.reactors {
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
    }

    #[track_caller]
    pub(crate) fn turn_until(&mut self, mut condition: impl FnMut() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < Duration::from_secs(10), "the condition was not met in time");
            self.turn();
        }
    }

    /// Connects a client to one reactor, which has asked for a name.
    pub(crate) fn connect(&mut self, chat: usize) -> Client {
        let mut client = Client::connect(&self.reactors[chat].1);
        self.until(&mut client, "* what is your name?\n");
        client
    }

    /// Connects a client that has a name, has read the welcome, and is known to all reactors.
    pub(crate) fn join(&mut self, chat: usize, name: &str) -> Client {
        let mut client = self.connect(chat);
        self.send_line(&mut client, name);
        self.until(&mut client, &format!("* welcome, {name}; /help lists the commands\n"));
        self.until(&mut client, "* you are ");
        self.exchange();
        self.drain(&mut client);
        client
    }

    pub(crate) fn send_line(&mut self, client: &mut Client, line: &str) {
        let line = format!("{line}\n");
        let mut rest = line.as_bytes();
        self.turn_until(|| {
            rest = &rest[client.send_some(rest)..];
            rest.is_empty()
        });
    }

    #[track_caller]
    pub(crate) fn until(&mut self, client: &mut Client, text: &str) {
        self.turn_until(|| client.text().contains(text));
    }

    /// Lets the client read all data that its reactor has sent so far. Returns and removes it.
    #[track_caller]
    pub(crate) fn drain(&mut self, client: &mut Client) -> String {
        self.send_line(client, "/drain");
        self.until(client, DRAINED);
        take_before_drained(client)
    }

    /// Runs turns until updates have reached all reactors: a reactor sends them in its next turn, and the others
    /// receive them in the turn after that.
    pub(crate) fn exchange(&mut self) {
        (0..4).for_each(|_| self.turn());
    }

    /// Returns all lines that the client has received so far, from any reactor.
    #[track_caller]
    pub(crate) fn received(&mut self, client: &mut Client) -> String {
        self.exchange();
        self.drain(client)
    }
}
