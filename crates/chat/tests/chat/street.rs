//! A chat on several reactors, for scenarios.

#![allow(dead_code)] // No scenario needs all of it.

use crate::support::Client;
use ropewalk::{Address, Reactor};
use ropewalk_chat::{Chat, Network};
use std::time::{Duration, Instant};

/// Several reactors, turned by hand one after the other, each with a chat and a way to come in.
pub(crate) struct Street {
    pub(crate) network: Network,
    pub(crate) houses: Vec<(Reactor, Address)>,
    pub(crate) chats: Vec<Chat>,
}

impl Street {
    pub(crate) fn new(houses: usize) -> Self {
        Self::with(houses, |chat| chat)
    }

    pub(crate) fn with(houses: usize, set: impl Fn(Chat) -> Chat) -> Self {
        let mut street = Self { network: Network::new(), houses: Vec::new(), chats: Vec::new() };
        (0..houses).for_each(|_| street.build(&set));
        street
    }

    pub(crate) fn build(&mut self, set: impl Fn(Chat) -> Chat) {
        let mut reactor = Reactor::new().unwrap();
        let chat = set(Chat::linked(&self.network, reactor.context()));
        let port = reactor.listen_tcp("127.0.0.1:0", chat.factory()).unwrap();
        self.houses.push((reactor, port.address().clone()));
        self.chats.push(chat);
    }

    pub(crate) fn turn(&mut self) {
        for (reactor, _) in &mut self.houses {
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
    }

    #[track_caller]
    pub(crate) fn turn_until(&mut self, mut condition: impl FnMut() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < Duration::from_secs(10), "it did not come to that");
            self.turn();
        }
    }

    /// Someone at the door of one house, who was asked for a name.
    pub(crate) fn stranger(&mut self, house: usize) -> Client {
        let mut client = Client::connect(&self.houses[house].1);
        self.until(&mut client, "* what is your name?\n");
        client
    }

    /// Someone with a name, who has read the welcome, and of whom all have heard.
    pub(crate) fn guest(&mut self, house: usize, name: &str) -> Client {
        let mut client = self.stranger(house);
        self.says(&mut client, name);
        self.until(&mut client, &format!("* welcome, {name}; /help lists the commands\n"));
        self.until(&mut client, "* you are ");
        self.settle();
        self.caught_up(&mut client);
        client
    }

    pub(crate) fn says(&mut self, client: &mut Client, line: &str) {
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

    /// Has the client read what its own house has sent it by now, and forgets it.
    #[track_caller]
    pub(crate) fn caught_up(&mut self, client: &mut Client) -> String {
        self.says(client, "/caught-up");
        let mark = "* there is no /caught-up; see /help\n";
        self.until(client, mark);
        let text = String::from_utf8(std::mem::take(&mut client.received)).unwrap();
        text.replace(mark, "")
    }

    /// Lets news come everywhere: what a house has read it passes on in its next turn, and the other
    /// houses hear of it in the turn after that.
    pub(crate) fn settle(&mut self) {
        (0..4).for_each(|_| self.turn());
    }

    /// What the client has been told by now, by whomever.
    #[track_caller]
    pub(crate) fn heard(&mut self, client: &mut Client) -> String {
        self.settle();
        self.caught_up(client)
    }
}
